# SPDX-License-Identifier: Apache-2.0
"""Run every test of this repository, and report what the upstream test found."""

import json
from collections.abc import Mapping
from importlib import metadata

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.environment import build, install
from tools.fork.program import Word, stream
from tools.fork.release import Release, report_folder
from tools.fork.source.tree import SUBJECTS, commits, tree_name
from tools.fork.testing import mutants

# Of the tooling's tests, the one that needs a build.
WEAVE_TEST = "tests/tools/source/test_weave_release.py"


def run(release: Release) -> None:
    """Run the tests, those first that need no build, and write test.json.

    If a test fails, or the upstream test does not fail without some statement of ours,
    no test.json is left.
    """
    reports = report_folder(release)
    (reports / "test.json").unlink(missing_ok=True)
    coverage = ("--cov=tools/fork", "--cov-report=term-missing:skip-covered")
    _pytest("The tooling", {}, *coverage, f"--ignore={WEAVE_TEST}")
    made = build.make(release)
    settings = {"FORK_RELEASE": release.version, "PYTHONPATH": str(made.fork)}
    title = "What is woven; types, layouts, threads and extreme values in the sampler"
    _pytest(title, settings, WEAVE_TEST, "tests/sampler")
    found = []
    for subject, commit in zip(SUBJECTS, commits(made.fork, release), strict=True):
        print(
            f'"{subject}": its upstream test, which must pass, then without all of the '
            "commit and without each statement, and must fail:",
            flush=True,
        )
        found.append(mutants.check(made, commit))
    _pytest("Rollouts and mixed requests through the engine", settings, "tests/engine")
    report = {
        "tree": tree_name(made.fork),
        "torch": metadata.version("torch"),
        "device": install.device(),
        "commits": found,
    }
    reports.mkdir(parents=True, exist_ok=True)
    (reports / "test.json").write_text(json.dumps(report, indent=1) + "\n")


def _pytest(title: str, settings: Mapping[str, str], *options: str) -> None:
    print(f"{title}:", flush=True)
    program: list[Word] = [VENV / "bin/python", "-m", "pytest", "-q", *options]
    if stream(program, ROOT, settings):
        raise ForkError("Not every test passed; pytest says above why.")
