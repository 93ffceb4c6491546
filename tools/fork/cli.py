# SPDX-License-Identifier: Apache-2.0
"""What a person may type after ``python -m tools.fork``."""

import argparse
from pathlib import Path
from platform import machine
from sysconfig import get_python_version


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the ``command`` typed and its options; end the process if it is none."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.fork")
    subparsers = parser.add_subparsers(dest="command", required=True)
    # They build a release, the pinned one or another.
    for name in ("build", "demo", "test", "test-upstream", "lint", "patch", "wheel"):
        command = subparsers.add_parser(name)
        command.add_argument("--release", help="another that releases.toml describes")
    command = subparsers.choices["wheel"]
    command.add_argument("--device", choices=("cpu", "cuda"), help="if not this one")
    command.add_argument("--machine", default=machine(), help="as uname -m says it")
    command.add_argument("--python-version", default=get_python_version())
    command = subparsers.add_parser("weave", help="builds nothing")
    command.add_argument("--release", help="another, or all that are described")
    subparsers.add_parser("releases")
    command = subparsers.add_parser("bench")
    command.add_argument("--quick", action="store_true", help="only what CI needs")
    command = subparsers.add_parser("apply", help="needs nothing installed")
    command.add_argument(
        "where", type=Path, help="a checkout of vLLM, or an environment that has it"
    )
    command.add_argument("--force", action="store_true", help="over others' changes")
    command.add_argument("--undo", action="store_true", help="take it back out")
    return parser.parse_args(arguments)
