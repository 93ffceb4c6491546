# SPDX-License-Identifier: Apache-2.0
"""The commands: what each one runs."""

import argparse
import sys
from collections.abc import Callable

from tools.fork.apply import wheel
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.engine import demo
from tools.fork.environment import build, install
from tools.fork.program import Word, step, stream
from tools.fork.release import (
    MERGED,
    Release,
    all_described,
    described,
    of_release,
    report_folder,
)
from tools.fork.releases import trial
from tools.fork.releases.woven import weave
from tools.fork.settings import GIT, packages
from tools.fork.source.fetch import fetch
from tools.fork.testing import suite, upstream_tests
from tools.fork.upstream import patch

# No script beside it: those of a checkout that was moved name another Python.
_PYTHON: tuple[Word, ...] = (VENV / "bin/python", "-m")
_LINT = (*_PYTHON, "pre_commit", "run", "--all-files")


def run(options: argparse.Namespace) -> int:
    """Run the command that `tools.fork.cli` parsed; return its exit status."""
    commands: dict[str, Callable[[Release], int]] = {
        "build": _build,
        "demo": lambda it: demo.run(it, build.make(it), report_folder(it)),
        "test": lambda it: suite.run(it, report_folder(it)),
        "test-upstream": lambda it: upstream_tests.run(
            build.make(it), report_folder(it)
        ),
        "lint": lambda _: stream(_LINT, ROOT, {**packages(sys.executable), **GIT}),
        "patch": _patch,
        "wheel": lambda it: _wheel(it, options),
    }
    if options.command == "releases":
        trial.run()
        return 0
    if options.command == "weave":
        return _weave(options.release)
    if options.command == "bench":
        return _bench(options.quick)
    return commands[options.command](described(options.release or None))


def _build(release: Release) -> int:
    made = build.make(release)
    fork, venv = made.fork.relative_to(ROOT), VENV.relative_to(ROOT)
    print(f"The fork is in {fork}/ and installed in {venv}/.")
    return 0


def _test_upstream(release: Release) -> int:
    return upstream_tests.run(build.make(release), report_folder(release))


def _weave(release: str | None) -> int:
    releases = all_described() if release == "all" else [described(release or None)]
    found = weave(releases)
    print()
    for version, it in found.items():
        where = it.fork.relative_to(ROOT) if it.fork else "does not fit"
        print(f"vLLM {version}: {where}; {it.said}")
    return 0 if all(it.fork for it in found.values()) else 1


def _patch(release: Release) -> int:
    made = build.make_trees(release)
    target = of_release(ROOT / "dist", release)
    written = patch.make(release, made, report_folder(release), target)
    print("\n".join(["Written:", *(f"    {it.relative_to(ROOT)}" for it in written)]))
    print(
        "Next: read them; each description has two questions that are yours to answer. "
        f"In a checkout of vLLM at {release.tag}: git am --keep-non-patch <the patches>"
    )
    return 0


def _wheel(release: Release, options: argparse.Namespace) -> int:
    tag = wheel.build_tag(ROOT)
    kind = f"{options.device or install.device()}-wheel"
    machine, python = options.machine, options.python_version
    # Any Linux, and no matter which Python makes the wheel.
    systems = ["manylinux2014", *(f"manylinux_2_{it}" for it in range(17, 41))]
    target = [f"--platform={it}_{machine}" for it in systems]
    target += [f"--python-version={python}", "--ignore-requires-python"]
    with step(f"vLLM {release.version}'s {kind} for {machine}"):
        theirs = fetch(release, kind, build.DOWNLOADS / f"{machine}-{python}", *target)
    with step("our change woven in"):
        ours = wheel.weave_into(theirs, tag, ROOT / "dist")
    print(f"    {ours.relative_to(ROOT)}")
    return 0


def _bench(quick: bool) -> int:
    build.make(described(None))
    build.make_trees(described(MERGED))  # its sampler is measured too
    return stream([*_PYTHON, "benchmarks", *["--quick"] * quick], ROOT)
