# SPDX-License-Identifier: Apache-2.0
"""Weave the change into the vLLM that somebody has: a checkout, or an environment.

Standard library only, so it runs with any Python from 3.10 on.
"""

import sys
from pathlib import Path

from tools.fork import UPSTREAM_TEST, ForkError
from tools.fork.apply import checkout, compare, installed
from tools.fork.model_runner import on_v1
from tools.fork.program import run, stream

_WHERE = (
    "Name a checkout of vLLM, a virtual environment that has it, its bin/python or its "
    "site-packages: make apply VLLM=<where>"
)
_FIND = (
    "from importlib.util import find_spec; it = find_spec('vllm'); "
    "print(it and it.origin or '')"
)


def main(where: Path, force: bool, undo: bool) -> int:
    """Weave the change into what ``where`` names, or take it back out.

    Args:
        where: A checkout, a virtual environment, its Python or its ``site-packages``.
        force: Weave also over somebody else's changes.
        undo: Take the change back out.

    Returns:
        The exit status.
    """
    try:
        folder, python = find(where)
        if checkout.is_checkout(folder):
            _in_checkout(folder, force, undo)
        elif undo:
            _out_of(installed.read(folder))
        else:
            _into(installed.read(folder), python, force, where)
    except OSError as error:
        said = f"{error.filename} cannot be used ({error.strerror}). {_WHERE}"
        print(f"\n{said}", file=sys.stderr)
        return 1
    except ForkError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def find(where: Path) -> tuple[Path, Path | None]:
    """Find the vLLM that a person means.

    Args:
        where: As in `main`.

    Returns:
        The folder that has vllm/ in it, a checkout or a ``site-packages``, and the
        Python that uses it, or None if that is not known.

    Raises:
        ForkError: There is none.
    """
    if checkout.is_checkout(where):
        return where, None
    if (where / "vllm/__init__.py").exists():
        # <environment>/lib/python3.x/site-packages
        return where, _python(where.parents[2]) if len(where.parents) > 2 else None
    python = where if where.is_file() else _python(where)
    if python is None:
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


def _python(environment: Path) -> Path | None:
    python = environment / "bin/python"
    return python if python.exists() else None


def _in_checkout(folder: Path, force: bool, undo: bool) -> None:
    if undo:
        raise ForkError(
            f"{folder} is a git checkout, so git takes the change back: git -C "
            f"{folder} diff shows it, and git restore puts files back."
        )
    changed = checkout.apply(folder, force=force)
    if not changed:
        print(f"The change is in {folder} already.")
        return
    # To count the lines of a new file too, git has to know of it.
    stream(["git", "add", "--intent-to-add", "--", *changed], folder)
    stream(["git", "diff", "--stat", "--", *changed], folder)
    print(
        f"Woven into {folder}, not committed. Next: read `git diff` there, run "
        f"`pytest {UPSTREAM_TEST}` with that checkout installed, then "
        "`git commit --signoff`."
    )


def _into(
    found: installed.Installed, python: Path | None, force: bool, where: Path
) -> None:
    _introduce(found)
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
    print("\n".join(compare.lines(found.site, before, python)))


def _out_of(found: installed.Installed) -> None:
    _introduce(found)
    restored = installed.undo(found)
    if not restored:
        print("The change is not there; nothing to take back out.")
        return
    for name in restored:
        own = installed.is_the_releases(found, name)
        print(f"    {name} is {'the release' if own else 'somebody else'}'s own again")
    print("What is running still has the change: restart it.")


def _introduce(found: installed.Installed) -> None:
    print(f"vLLM {found.version} with torch {found.torch or '(none)'} in {found.site}")
    print(
        "The change is to the sampler of Model Runner V1. On a CPU without Triton all "
        f"models run on that; on a GPU, in this release, {on_v1(found.version)}."
    )
