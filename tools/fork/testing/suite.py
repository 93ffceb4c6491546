# SPDX-License-Identifier: Apache-2.0
"""Run every test of this repository, and report what the upstream test found."""

import json
from importlib import metadata
from pathlib import Path

from tools.fork.bootstrap import ROOT, VENV
from tools.fork.environment import build, install
from tools.fork.program import Word, stream
from tools.fork.release import Release
from tools.fork.source.tree import commits, subject, tree_name
from tools.fork.testing import mutants

# Of the tooling's tests, the one that needs a build.
WEAVE_TEST = "tests/tools/source/test_weave_release.py"
_COVERAGE = ("--cov=tools/fork", "--cov-report=term-missing:skip-covered")


def run(release: Release, reports: Path) -> int:
    """Run the tests: those first that need no build, then what they are about.

    If all is well, ``reports`` gets test.json, else there is none there afterwards.

    Returns:
        The exit status: 0 if every test passed, and the upstream test failed on stock
        and without any one statement of ours.

    Raises:
        ForkError: The fork could not be built, or the upstream test not be run.
    """
    (reports / "test.json").unlink(missing_ok=True)
    pytest: list[Word] = [VENV / "bin/python", "-m", "pytest", "-q"]
    print("The tooling:", flush=True)
    if status := stream([*pytest, *_COVERAGE, f"--ignore={WEAVE_TEST}"], ROOT):
        return status
    made = build.make(release)
    of_release = {"FORK_RELEASE": release.version}
    print("What is woven into the release:", flush=True)
    if status := stream([*pytest, WEAVE_TEST], ROOT, of_release):
        return status
    found = []
    for commit in commits(made.fork, release):
        print(
            f'"{subject(made.fork, commit)}": its upstream test, which must pass, then '
            "without all of the commit and without each statement, and must fail:",
            flush=True,
        )
        found.append(mutants.check(made, commit))
    print("Types, layouts, threads and extreme values in the sampler:", flush=True)
    sampler = {**of_release, "PYTHONPATH": str(made.fork)}
    if status := stream([*pytest, "tests/sampler"], ROOT, sampler):
        return status
    print("Rollouts and mixed requests through the engine:", flush=True)
    if status := stream([*pytest, "tests/engine"], ROOT, of_release):
        return status
    report = {
        "release": release.version,
        "tree": tree_name(made.fork),
        "torch": metadata.version("torch"),
        "device": install.device(),
        "commits": found,
    }
    reports.mkdir(parents=True, exist_ok=True)
    (reports / "test.json").write_text(json.dumps(report, indent=1) + "\n")
    return 0
