# SPDX-License-Identifier: Apache-2.0
"""Write several files: all of them, or none."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tools.fork import ForkError


def replace(contents: Mapping[Path, bytes]) -> None:
    """Give each file its content, in this order; wherever it is killed, each is whole.

    If one cannot be written, none is changed.
    """
    before = {it: it.read_bytes() if it.exists() else None for it in contents}
    try:
        for path, content in contents.items():
            _write_beside(path, content)
        for path in contents:
            _beside(path).replace(path)
    except OSError as error:
        for changed, old in before.items():
            with suppress(OSError):
                if old is None:
                    changed.unlink()
                elif changed.read_bytes() != old:
                    _write_beside(changed, old)
                    _beside(changed).replace(changed)
        raise ForkError(
            f"{path} cannot be written ({error.strerror}), so nothing was changed; "
            "make it writable, or run this as the user who owns it."
        ) from error
    finally:
        for path in contents:
            with suppress(OSError):
                _beside(path).unlink()


def _beside(path: Path) -> Path:
    # Never in place: uv shares the files of its cache by hard links.
    return path.with_name(f".{path.name}.partial")


def _write_beside(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = _beside(path)
    new.write_bytes(content)
    if path.exists():
        shutil.copymode(path, new)
    owner = (path if path.exists() else path.parent).stat()
    with suppress(OSError):  # root leaves each file to whose it was
        os.chown(new, owner.st_uid, owner.st_gid)
    # First: byte code that is compiled without a check would be run in its place.
    for stale in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        stale.unlink()
