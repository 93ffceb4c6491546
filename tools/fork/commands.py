# SPDX-License-Identifier: Apache-2.0
"""The commands: what each one runs."""

import argparse
import sys
from collections.abc import Callable

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.engine import demo
from tools.fork.environment import build
from tools.fork.program import Word, show
from tools.fork.release import MERGED, Release, described, of_release, reports
from tools.fork.releases import table
from tools.fork.settings import GIT, packages
from tools.fork.testing import suite, upstream_tests
from tools.fork.upstream import patch

# No script beside it: those of a checkout that was moved name another Python.
_PYTHON: tuple[Word, ...] = (VENV / "bin/python", "-m")
_LINT = (*_PYTHON, "pre_commit", "run", "--all-files")


def run(options: argparse.Namespace) -> int:
    """Run the command that `tools.fork.cli` parsed; return its exit status."""
    commands: dict[str, Callable[[Release], int]] = {
        "build": _build,
        "demo": lambda it: demo.show(it, build.make(it), reports(it)),
        "test": lambda it: suite.run(it, reports(it)),
        "test-upstream": lambda it: upstream_tests.show(build.make(it), reports(it)),
        "lint": lambda _: show(_LINT, ROOT, {**packages(sys.executable), **GIT}),
        "patch": _patch,
    }
    try:
        if options.command == "releases":
            table.show()
            return 0
        if options.command == "bench":
            return _bench(options.quick)
        return commands[options.command](described(options.release or None))
    except ForkError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def _build(release: Release) -> int:
    made = build.make(release)
    fork, venv = made.fork.relative_to(ROOT), VENV.relative_to(ROOT)
    print(f"The fork is in {fork}/ and installed in {venv}/.")
    return 0


def _patch(release: Release) -> int:
    made = build.make_trees(release)
    target = of_release(ROOT / "dist", release)
    written = patch.make(release, made, reports(release), target)
    print("\n".join(["Written:", *(f"    {it.relative_to(ROOT)}" for it in written)]))
    print(
        "Next: read them; each description has two questions that are yours to answer. "
        f"In a checkout of vLLM at {release.tag}: git am --keep-non-patch <the patches>"
    )
    return 0


def _bench(quick: bool) -> int:
    build.make(described(None))
    build.make_trees(described(MERGED))  # its sampler is measured too
    return show([*_PYTHON, "benchmarks", *["--quick"] * quick], ROOT)
