# SPDX-License-Identifier: Apache-2.0
"""Build vLLM with the change: weave it in, then hand over to upstream's setup.py."""

import os
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from tools.fork import ForkError, bootstrap  # noqa: E402

try:
    bootstrap.check_python(sys.version_info[:2])
    bootstrap.lock(ROOT / "build")
    # Only now: the rest needs the Python that the lines above made sure of.
    from tools.fork.environment import build
    from tools.fork.release import described

    tree = build.prepare_for_setup(described(None))
except ForkError as error:
    sys.exit(str(error))
os.chdir(tree)
sys.argv[0] = "setup.py"
runpy.run_path("setup.py", run_name="__main__")
