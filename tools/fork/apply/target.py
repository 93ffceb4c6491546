# SPDX-License-Identifier: Apache-2.0
"""Weave the change into the vLLM that somebody has: a checkout, or an environment.

Standard library only, so it runs with any Python from 3.10 on.
"""

from importlib.metadata import distributions
from pathlib import Path

from tools.fork import ForkError
from tools.fork.apply import checkout, compare, installed
from tools.fork.apply.installed import is_the_releases
from tools.fork.apply.model_runner import on_v1
from tools.fork.program import run

_WHERE = (
    "Name a checkout of vLLM, a virtual environment that has it, its bin/python or its "
    "site-packages: make apply VLLM=<where>"
)
_FIND = (
    "from importlib.util import find_spec; it = find_spec('vllm'); "
    "print(it and it.origin or '')"
)


def apply(where: Path, force: bool, undo: bool) -> None:
    """Weave the change, or with force also over others', or take it back out."""
    where = where.expanduser().absolute()
    folder, python = find(where)
    if checkout.is_checkout(folder):
        if undo:
            raise ForkError(
                f"{folder} is a git checkout, so git takes the change back: git -C "
                f"{folder} diff shows it, and git restore puts files back."
            )
        checkout.apply(folder, force=force)
        return
    found = installed.read(folder)
    version = found.wheel.version
    torch = [it.version for it in distributions(name="torch", path=[str(folder)])]
    print(f"vLLM {version} with torch {' '.join(torch) or '(none)'} in {folder}")
    print(
        "The change is to the sampler of Model Runner V1. On a CPU without Triton all "
        f"models run on that; on a GPU, in this release, {on_v1(version)}."
    )
    if undo:
        restored = installed.undo(found)
        for name in restored:
            whose = "the release" if is_the_releases(found, name) else "somebody else"
            print(f"    {name} is {whose}'s own again")
        print(
            "What is running still has the change: restart it."
            if restored
            else "The change is not there; nothing to take back out."
        )
        return
    before = installed.apply(found, force=force)
    if not before:
        print("The change is there already.")
        return
    for name in before:
        print(f"    woven into {name}")
    print(
        f"To take it back out: make apply VLLM={where} UNDO=1\n"
        "What is running has the old code: restart it."
    )
    print("\n".join(compare.lines(folder, before, python)))


def find(where: Path) -> tuple[Path, Path | None]:
    """Return the folder that has vllm/ in it, and the Python that uses it, if known."""
    if (where / "vllm/__init__.py").exists():
        # <environment>/lib/python3.x/site-packages
        python = where.parent.parent.parent / "bin/python"
        return where, python if python.exists() else None
    python = where if where.is_file() else where / "bin/python"
    if not python.exists():
        raise ForkError(f"{where} is neither checkout nor environment. {_WHERE}")
    # Not from here, where a vllm/ is that is none; nor from a tree on PYTHONPATH.
    failure = f"{python} could not be asked for its vLLM; it said:"
    printed = run([python, "-c", _FIND], failure, Path("/"), {"PYTHONPATH": ""})
    if not printed.strip():
        raise ForkError(f"{python} has no vLLM. {_WHERE}")
    folder = Path(printed.decode().strip()).parents[1]
    if checkout.is_checkout(folder):
        print(f"vLLM is installed there as an editable checkout: {folder}")
    return folder, python
