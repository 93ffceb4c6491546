"""The commands: what each one runs."""

import argparse
import sys
from pathlib import Path

from benchmarks.variants import MERGED
from tools.fork import (
    UPSTREAM_TEST,
    ForkError,
    apply,
    build,
    demo,
    patch,
    releases,
    suite,
    upstream_tests,
)
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.command import show
from tools.fork.release import Release, described, of_release, reports


def main(arguments: list[str]) -> int:
    """Run one command.

    Args:
        arguments: As typed after ``python -m tools.fork``.

    Returns:
        The exit status.
    """
    commands = {
        "build": _build,
        "demo": _demo,
        "test": _test,
        "test-upstream": _test_upstream,
        "lint": _lint,
        "patch": _patch,
    }
    parser = argparse.ArgumentParser(prog="python -m tools.fork")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name in commands:
        command = subparsers.add_parser(name)
        command.add_argument("--release", help="another that pyproject.toml describes")
    subparsers.add_parser("releases")
    command = subparsers.add_parser("apply")
    command.add_argument("checkout", type=Path, help="a checkout of vLLM")
    command.add_argument("--force", action="store_true", help="over uncommitted work")
    command = subparsers.add_parser("bench")
    command.add_argument("--quick", action="store_true", help="only what CI needs")
    options = parser.parse_args(arguments)
    try:
        if options.command == "releases":
            return releases.show()
        if options.command == "apply":
            return _apply(options.checkout.resolve(), options.force)
        if options.command == "bench":
            return _bench(options.quick)
        return commands[options.command](described(options.release or None))
    except ForkError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def _apply(checkout: Path, force: bool) -> int:
    changed = apply.apply(checkout, force=force)
    if not changed:
        print(f"The change is in {checkout} already.")
        return 0
    # To count the lines of a new file too, git has to know of it.
    show(["git", "add", "--intent-to-add", "--", *changed], checkout)
    show(["git", "diff", "--stat", "--", *changed], checkout)
    print(
        f"Woven into {checkout}, not committed. Next: read `git diff` there, run "
        f"`pytest {UPSTREAM_TEST}` with that checkout installed, then "
        "`git commit --signoff`."
    )
    return 0


def _build(release: Release) -> int:
    made = build.make(release)
    fork, venv = made.fork.relative_to(ROOT), VENV.relative_to(ROOT)
    print(f"The fork is in {fork}/ and installed in {venv}/.")
    return 0


def _demo(release: Release) -> int:
    return demo.show(release, build.make(release), reports(release))


def _test(release: Release) -> int:
    return suite.run(release, reports(release))


def _test_upstream(release: Release) -> int:
    return upstream_tests.show(build.make(release), reports(release))


def _patch(release: Release) -> int:
    # pip needs its torch to fetch any release.
    build.make(described(None))
    made = build.make_trees(release)
    target = of_release(ROOT / "dist", release)
    written = patch.make(release, made, reports(release), target)
    print("\n".join(["Written:", *(f"    {it.relative_to(ROOT)}" for it in written)]))
    print(
        "Next: read both; the description has two questions that are yours to answer. "
        f"In a checkout of vLLM at {release.tag}: git am --keep-non-patch <the patch>"
    )
    return 0


def _bench(quick: bool) -> int:
    build.make(described(None))
    build.make_trees(described(MERGED))
    options = ["--quick"] if quick else []
    return show([VENV / "bin/python", "-m", "benchmarks", *options], ROOT)


def _lint(release: Release) -> int:
    return show([VENV / "bin/pre-commit", "run", "--all-files"], ROOT)
