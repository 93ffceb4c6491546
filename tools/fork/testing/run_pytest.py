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


def run(
    tests: Sequence[str],
    tree: Path,
    env: Mapping[str, str],
    log: Path,
    patience: float | None = None,
) -> dict[str, str]:
    """Run tests to their end, or to that of our patience.

    Args:
        tests: Modules or nodeids, and options of pytest's.
        tree: The source tree, which is the working directory.
        env: What to add to the environment.
        log: What pytest prints is added to this file.
        patience: The seconds that it may take; any if None.

    Returns:
        What `read_report_log` does. Where pytest was stopped or crashed, the test that
        it was at, or the one before, is an error.
    """
    with tempfile.TemporaryDirectory() as folder, log.open("a") as printed:
        report = Path(folder, "log")
        report.touch()
        options = ["-p", "no:cacheprovider", "--continue-on-collection-errors"]
        options.append(f"--report-log={report}")
        process = subprocess.Popen(
            [VENV / "bin/python", "-m", "pytest", *options, *tests],
            cwd=tree,
            env=for_programs(env),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            # Not a session: some tests make their process the leader of a group, which
            # the leader of a session may not do.
            preexec_fn=os.setpgrp,
        )
        problem = _wait(process, patience)
        outcomes = read_report_log(report.read_text().splitlines())
        if problem:
            printed.write(f"\nThis pytest {problem}.\n")
            outcomes[[*tests[:1], *outcomes][-1]] = "error"
    return outcomes


def _wait(process: "subprocess.Popen[bytes]", patience: float | None) -> str:
    """Wait for pytest; return, in words, how it ended if not by itself."""
    try:
        status = process.wait(patience)
    except subprocess.TimeoutExpired:
        return f"did not end within {patience} s"
    finally:
        # With the engines that its tests have left behind: all are in its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return f"was ended by signal {-status}" if status < 0 else ""
