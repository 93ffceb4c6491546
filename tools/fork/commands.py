# SPDX-License-Identifier: Apache-2.0
"""The commands: what a person may type after ``python -m tools.fork``, and its work.

The standard library is enough to import this, whatever a command itself needs.
"""

import argparse
import platform
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from tools.fork.apply import target, wheel
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.engine import demo
from tools.fork.environment import build, install
from tools.fork.program import step, stream
from tools.fork.release import MERGED, described, of_release, report_folder
from tools.fork.releases import trial
from tools.fork.releases.woven import weave, weave_all
from tools.fork.settings import GIT, packages
from tools.fork.source.fetch import fetch
from tools.fork.testing import suite, upstream_tests
from tools.fork.upstream import patch

Options = argparse.Namespace


def parse(arguments: list[str]) -> Options:
    """Return the ``command`` typed, its options, and as ``run`` what does it.

    If there is no such command or option, the process ends here.
    """
    parser = argparse.ArgumentParser(prog="python3 -m tools.fork")
    parser.set_defaults(release=None)
    subparsers = parser.add_subparsers(dest="command", required=True)
    commands: dict[str, Callable[[Options], None]] = {
        "build": _build,
        "demo": lambda it: demo.run(described(it.release)),
        "test": lambda it: suite.run(described(it.release)),
        "test-upstream": lambda it: upstream_tests.run(described(it.release)),
        "lint": _lint,
        "patch": _patch,
        "wheel": _wheel,
        "weave": _weave,
        "releases": lambda _: trial.run(),
        "bench": _bench,
        "apply": lambda it: target.apply(it.where, it.force, it.undo),
    }
    for name, run in commands.items():
        command = subparsers.add_parser(name)
        command.set_defaults(run=run)
        if name not in ("releases", "bench", "apply"):
            said = "another that releases.toml describes; weave also takes all"
            command.add_argument("--release", help=said)
    command = subparsers.choices["wheel"]
    command.add_argument("--device", choices=("cpu", "cuda"), help="if not this one")
    command.add_argument("--machine", default=platform.machine(), help="as of uname -m")
    command.add_argument("--python-version", default=sysconfig.get_python_version())
    command = subparsers.choices["bench"]
    command.add_argument("--quick", action="store_true", help="only what CI needs")
    command = subparsers.choices["apply"]
    command.add_argument(
        "where", type=Path, help="a checkout of vLLM, or an environment that has it"
    )
    command.add_argument("--force", action="store_true", help="over others' changes")
    command.add_argument("--undo", action="store_true", help="take it back out")
    return parser.parse_args(arguments)


def _build(options: Options) -> None:
    made = build.make(described(options.release))
    fork, venv = made.fork.relative_to(ROOT), VENV.relative_to(ROOT)
    print(f"The fork is in {fork}/ and installed in {venv}/.")


def _lint(_: Options) -> None:
    failure = "A check failed and says above why; what it mended passes the next time."
    env = {**packages(sys.executable), **GIT}
    stream(failure, "pre_commit", "run", "--all-files", env=env)


def _patch(options: Options) -> None:
    release = described(options.release)
    made = build.make_trees(release)
    folder = of_release(ROOT / "dist", release)
    written = patch.make(release, made, report_folder(release), folder)
    print("\n".join(["Written:", *(f"    {it.relative_to(ROOT)}" for it in written)]))
    print(
        "Next: read them; each description has two questions that are yours to answer. "
        f"In a checkout of vLLM at {release.tag}: git am --keep-non-patch <the patches>"
    )


def _wheel(options: Options) -> None:
    release = described(options.release)
    tag = wheel.build_tag(ROOT)
    kind = f"{options.device or install.device()}-wheel"
    machine, python = options.machine, options.python_version
    # Any Linux, and no matter which Python makes the wheel.
    systems = ["manylinux2014", *(f"manylinux_2_{it}" for it in range(17, 41))]
    pip = [f"--platform={it}_{machine}" for it in systems]
    pip += [f"--python-version={python}", "--ignore-requires-python"]
    with step(f"vLLM {release.version}'s {kind} for {machine}"):
        theirs = fetch(release, kind, build.DOWNLOADS / f"{machine}-{python}", *pip)
    with step("our change woven in"):
        ours = wheel.weave_into(theirs, tag, ROOT / "dist")
    print(f"    {ours.relative_to(ROOT)}")


def _weave(options: Options) -> None:
    if options.release == "all":
        weave_all()
    else:
        weave(described(options.release))


def _bench(options: Options) -> None:
    build.make(described(None))
    build.make_trees(described(MERGED))  # its sampler is measured too
    failure = "The benchmarks did not end as they should; they say above why."
    stream(failure, "benchmarks", *["--quick"] * options.quick)
