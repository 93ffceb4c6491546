# SPDX-License-Identifier: Apache-2.0
"""Unpack what was fetched, whose digest says that it is what it should be."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

from tools.fork import ForkError
from tools.fork.program import run


def unpack_sdist(archive: Path, target: Path) -> None:
    """Unpack the one folder of an sdist as ``target``."""
    failure = f"{archive.name} could not be unpacked; mend this and run again:"
    target.mkdir()
    # Root would hand the files to owners that git then distrusts.
    options = ["--strip-components=1", "--no-same-owner"]
    tar = ["tar", "-xzf", str(archive), "-C", str(target), *options]
    run(tar, failure, env={"TAR_OPTIONS": ""})


def unpack_modules(wheel: Path, target: Path) -> None:
    """Unpack the Python modules of a wheel into ``target``."""
    with zipfile.ZipFile(wheel) as archive:
        names = [it for it in archive.namelist() if it.endswith(".py")]
        archive.extractall(target, names)


def unpack_extensions(wheel: Path, tree: Path, modules: Sequence[str] = ()) -> None:
    """Put the compiled extensions of a wheel into a tree, and ``modules`` of it."""
    with zipfile.ZipFile(wheel) as archive:
        paths = archive.namelist()
        names = [it for it in paths if it.startswith("vllm/") and it.endswith(".so")]
        try:
            archive.extractall(tree, [*names, *modules])
        except OSError as error:
            raise ForkError(
                f"{wheel.name} could not be unpacked ({error}); mend that, run again."
            ) from error
    if not names:
        raise ForkError(f"{wheel.name} has no compiled extension in vllm/.")
