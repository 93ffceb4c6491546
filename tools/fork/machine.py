# SPDX-License-Identifier: Apache-2.0
"""Say what was measured on."""

import os
import platform
import re
import time
from pathlib import Path
from typing import Any

from tools.fork.release import MERGED, described


def describe() -> dict[str, Any]:
    """Return the machine, the versions and the date, for a result's JSON."""
    import torch

    models = re.findall("^model name.*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "release": described(None).version,
        "merged": MERGED,
        "date": time.strftime("%Y-%m-%d"),
    }
