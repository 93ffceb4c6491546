# SPDX-License-Identifier: Apache-2.0
"""Weave the change into any checkout of vLLM, ready to commit."""

import os
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.program import run
from tools.fork.source.overlay import on_disk, woven


def is_checkout(folder: Path) -> bool:
    """Tell whether a folder is a checkout of vLLM; our own vllm/ is none."""
    return all((folder / name).exists() for name in (".git", "vllm/__init__.py"))


def apply(checkout: Path, overlay: Path = ROOT, force: bool = False) -> list[str]:
    """Weave the change into the working files of a checkout; commit nothing.

    Args:
        checkout: A git checkout of vLLM.
        overlay: The folder with our ``vllm/`` and ``tests/v1/``.
        force: Weave also into files with uncommitted work.

    Returns:
        The paths that were changed; none where the change is there already.

    Raises:
        ForkError: The change does not fit what it holds, a touched file has uncommitted
            work, or cannot be written. Then nothing was changed.
    """
    wanted = woven(overlay, partial(on_disk, checkout))
    status = ["git", "status", "--porcelain", "--", *wanted]
    dirty = run(status, "git could not look at it:", cwd=checkout) if wanted else b""
    if dirty and not force:
        raise ForkError(
            f"There is uncommitted work in what the change touches:\n"
            f"{dirty.decode().rstrip()}\nCommit it or put it aside (git stash), then "
            "run again; FORCE=1 weaves into it as it is."
        )
    _write({(checkout / name).resolve(): it for name, it in wanted.items()})
    return list(wanted)


def _write(contents: dict[Path, bytes]) -> None:
    """Write all of the files, or, if one cannot be written, none."""
    unfinished = {path: path.with_name(f".{path.name}.partial") for path in contents}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished[path].write_bytes(content)
            if path.exists():
                shutil.copymode(path, unfinished[path])
            owner = (path if path.exists() else path.parent).stat()
            with suppress(PermissionError):  # root leaves each file to whose it was
                os.chown(unfinished[path], owner.st_uid, owner.st_gid)
        for path in contents:
            unfinished[path].replace(path)
    except OSError as error:
        for written in unfinished.values():
            with suppress(OSError):
                written.unlink()
        raise ForkError(
            f"{error.filename or path} cannot be written ({error.strerror}), so "
            "nothing was changed; make it writable and run again."
        ) from error
