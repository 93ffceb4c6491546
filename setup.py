# SPDX-License-Identifier: Apache-2.0
"""Build vLLM with the change: weave it in, then hand over to upstream's setup.py."""

import os
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from tools.fork import bootstrap  # noqa: E402

problem = bootstrap.problem_with_python(sys.version_info[:2]) or bootstrap.lock(
    ROOT / "build"
)
if problem:
    sys.exit(problem)
# Only now: the rest needs the Python that the lines above made sure of.
from tools.fork import ForkError  # noqa: E402
from tools.fork.environment import build  # noqa: E402
from tools.fork.release import described  # noqa: E402

try:
    tree = build.prepare_for_setup(described(None))
except ForkError as error:
    sys.exit(str(error))
os.chdir(tree)
sys.argv[0] = "setup.py"
runpy.run_path("setup.py", run_name="__main__")
