# SPDX-License-Identifier: Apache-2.0
"""Unpack what was fetched, with nothing landing outside the target."""

import gzip
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from tools.fork import ForkError

# gzip's is an OSError too; a ValueError says that there is not the one folder.
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    ValueError,
)


def unpack_sdist(archive: Path, target: Path) -> None:
    """Unpack the one folder of an sdist as ``target``, which must not exist.

    Args:
        archive: The .tar.gz file.
        target: Where its content goes; exists only if all of it was unpacked.

    Raises:
        ForkError: The archive is damaged, or a member would land outside ``target``.
    """
    try:
        with (
            tempfile.TemporaryDirectory(dir=target.parent) as folder,
            tarfile.open(archive) as tar,
        ):
            # Debian 12's Python has no filter yet; the check below is for all of them.
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda it, _: it)
            for it in tar:
                escapes = it.name.startswith("/") or ".." in it.name.split("/")
                if escapes or not (it.isfile() or it.isdir()):
                    raise ForkError(
                        f"{archive.name} is not safe to unpack: {it.name} is a link or "
                        "would land outside. Nothing of it is used."
                    )
                # Root would hand the files to owners that git then distrusts.
                it.uid, it.gid, it.uname, it.gname = os.getuid(), os.getgid(), "", ""
            tar.extractall(folder)
            (content,) = Path(folder).iterdir()
            content.replace(target)
    except (*_DAMAGED, OSError) as error:
        raise _explain(archive, error) from error


def unpack_extensions(wheel: Path, tree: Path, modules: Sequence[str] = ()) -> None:
    """Put the compiled extensions of a wheel into a source tree.

    Args:
        wheel: The .whl file of the same release.
        tree: The tree; its ``vllm/`` gets them.
        modules: Files of the wheel's to take along.

    Raises:
        ForkError: The wheel is damaged, or holds no extension.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [
                name
                for name in archive.namelist()
                if name.startswith("vllm/") and name.endswith(".so")
            ]
            # zipfile itself keeps members inside the target.
            archive.extractall(tree, [*names, *modules])
    except (*_DAMAGED, OSError) as error:
        raise _explain(wheel, error) from error
    if not names:
        raise ForkError(f"{wheel.name} has no compiled extension in vllm/.")


def _explain(archive: Path, error: Exception) -> ForkError:
    """Turn what went wrong into what a person can do."""
    if isinstance(error, _DAMAGED):
        said = f"is damaged ({error}); delete it"
    else:
        said = f"could not be unpacked ({error}); mend that"
    return ForkError(f"{archive.name} {said} and run again.")
