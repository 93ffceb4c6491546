# SPDX-License-Identifier: Apache-2.0
"""Weave the change into any checkout of vLLM, ready to commit."""

from functools import partial
from pathlib import Path

from tools.fork import UPSTREAM_TEST, ForkError
from tools.fork.apply.replace import replace
from tools.fork.program import run
from tools.fork.source.overlay import on_disk, woven


def is_checkout(folder: Path) -> bool:
    """Tell whether a folder is a checkout of vLLM; our own vllm/ is none."""
    return all((folder / name).exists() for name in (".git", "vllm/__init__.py"))


def apply(checkout: Path, force: bool = False) -> None:
    """Weave the change into the working files of a checkout, all of them or none."""
    wanted = woven(partial(on_disk, checkout))
    if not wanted:
        print(f"The change is in {checkout} already.")
        return
    status = ["git", "status", "--porcelain", "--", *wanted]
    dirty = run(status, "git could not look at it:", checkout).decode().rstrip()
    if dirty and not force:
        raise ForkError(
            f"There is uncommitted work in what the change touches:\n{dirty}\n"
            "Commit it or put it aside (git stash), then run again; FORCE=1 weaves "
            "into it as it is."
        )
    replace({(checkout / name).resolve(): it for name, it in wanted.items()})
    print(
        f"Woven into {checkout}, not committed. Next: read `git diff` there, run "
        f"`pytest {UPSTREAM_TEST}` with that checkout installed, then "
        "`git commit --signoff`."
    )
    failure = "What changed cannot be shown; git said:"
    try:
        # To count the lines of a new file too, git has to know of it.
        run(["git", "add", "--intent-to-add", "--", *wanted], failure, checkout)
        shown = run(["git", "diff", "--stat", "--", *wanted], failure, checkout)
        print(shown.decode().rstrip())
    except ForkError as error:
        print(error)
