# SPDX-License-Identifier: Apache-2.0
"""Run every test of this repository, and report what the upstream test found."""

import json
from collections.abc import Mapping, Sequence
from importlib import metadata

from tools.fork.environment import build, install
from tools.fork.program import stream
from tools.fork.release import Release, report_folder
from tools.fork.source.tree import SUBJECTS, commits, tree_name
from tools.fork.testing import mutants

# Of the tooling's tests, the one that needs a build.
WEAVE_TEST = "tests/tools/source/test_weave_release.py"


def run(release: Release) -> int:
    """Run the tests, those first that need no build, and return the exit status.

    It is 0 if every test passed, and the upstream test failed on stock and without any
    one statement of ours. Then its report is test.json, else there is none.
    """
    reports = report_folder(release)
    (reports / "test.json").unlink(missing_ok=True)
    options = ["--cov=tools/fork", "--cov-report=term-missing:skip-covered"]
    options.append(f"--ignore={WEAVE_TEST}")
    if status := _pytest("The tooling", options, {}):
        return status
    made = build.make(release)
    settings = {"FORK_RELEASE": release.version, "PYTHONPATH": str(made.fork)}
    title = "What is woven; types, layouts, threads and extreme values in the sampler"
    if status := _pytest(title, [WEAVE_TEST, "tests/sampler"], settings):
        return status
    found = []
    ours = commits(made.fork, release)
    for subject, commit in zip(SUBJECTS, ours, strict=True):
        print(
            f'"{subject}": its upstream test, which must pass, then '
            "without all of the commit and without each statement, and must fail:",
            flush=True,
        )
        found.append(mutants.check(made, commit))
    title = "Rollouts and mixed requests through the engine"
    if status := _pytest(title, ["tests/engine"], settings):
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


def _pytest(title: str, options: Sequence[str], settings: Mapping[str, str]) -> int:
    print(f"{title}:", flush=True)
    return stream("pytest", "-q", *options, env=settings)
