# SPDX-License-Identifier: Apache-2.0
"""Run pytest on a tree, in a process of its own."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.fork.bootstrap import VENV
from tools.fork.outcomes import read_report_log
from tools.fork.program import for_programs

PATIENCE = 900  # in seconds
# In a group of its own, with the engines that its tests leave behind. Not a session:
# some tests make their process the leader of a group, which that of a session may not.
_PYTEST = "import os; os.setpgrp(); import pytest; raise SystemExit(pytest.main())"


def run(
    tests: Sequence[str], tree: Path, env: Mapping[str, str], log: Path
) -> dict[str, str]:
    """Run tests in a tree to their end, or to that of our patience.

    The tests are modules or nodeids; options of pytest's come after them. What pytest
    prints is added to the log. Where pytest was stopped or crashed, the test that it
    was at, or the one before, is an error.
    """
    with tempfile.TemporaryDirectory() as folder, log.open("a") as printed:
        report = Path(folder, "log")
        report.touch()
        options = ["-p", "no:cacheprovider", "--continue-on-collection-errors"]
        options.append(f"--report-log={report}")
        process = subprocess.Popen(
            [VENV / "bin/python", "-c", _PYTEST, *options, *tests],
            cwd=tree,
            env=for_programs(env),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
        )
        try:
            status = process.wait(PATIENCE)
            problem = f"was ended by signal {-status}" if status < 0 else ""
        except subprocess.TimeoutExpired:
            problem = f"did not end within {PATIENCE} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        outcomes = read_report_log(report.read_text().splitlines())
        if problem:
            printed.write(f"\nThis pytest {problem}.\n")
            outcomes[[*tests[:1], *outcomes][-1]] = "error"
    return outcomes
