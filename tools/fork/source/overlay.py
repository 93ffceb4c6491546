# SPDX-License-Identifier: Apache-2.0
"""Weave the sources that fit a release into its files. Standard library only."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tools.fork import ForkError
from tools.fork.release import described
from tools.fork.source.weave import definitions, imports, weave

Read = Callable[[str], bytes | None]


def woven(overlay: Path, read: Read) -> dict[str, bytes]:
    """Weave the overlay into files of upstream's.

    Args:
        overlay: The folder with our ``vllm/``, ``ports/`` and ``tests/v1/``.
        read: Returns, by path, a file as it is without our change or with it, or None.

    Returns:
        By path, each file that our change touches, as it then reads.

    Raises:
        ForkError: The change does not fit.
    """
    folders, result = newest_that_fits(overlay, read)
    for name in {it for folder in folders for it in _sources(folder, "tests/v1")}:
        result[name] = _woven_test(folders, name, read)
    return {
        name: content
        for name, content in sorted(result.items())
        if content != read(name)
    }


def newest_that_fits(
    overlay: Path, read: Read
) -> tuple[Sequence[Path], dict[str, bytes]]:
    """Weave the newest set of sparse sources that fits.

    A port, for the releases from the one that it is named for, holds the definitions
    that differ from those of the port before it, or else of ``vllm/``, which is for the
    pinned release; one for older releases, what differs from ``vllm/``. Each asks for
    something that the releases before it lack, so it fits none of them.

    Returns:
        The folders of that set, the overlay first; and by path, each module that our
        change touches, as it then reads.

    Raises:
        ForkError: No set fits.
    """
    ports = [overlay, *overlay.glob("ports/*")]
    ports.sort(key=partial(_numbers, overlay))
    pinned = ports.index(overlay)
    misfits = []
    for at, port in reversed([*enumerate(ports)]):
        folders = ports[pinned : at + 1] or [overlay, port]
        try:
            names = {it for folder in folders for it in _sources(folder)}
            modules = {it: _woven_source(folders, it, read) for it in sorted(names)}
            return folders, modules
        except ForkError as error:
            misfits.append(f"{port.relative_to(overlay).as_posix()}/vllm: {error}")
    raise ForkError("\n    ".join(["None of our sources fits:", *misfits]))


def module_names(overlay: Path) -> list[str]:
    """Return the paths of all modules that some set of ours touches."""
    folders = [overlay, *overlay.glob("ports/*")]
    return sorted({name for folder in folders for name in _sources(folder)})


def _woven_source(folders: Sequence[Path], name: str, read: Read) -> bytes:
    """Weave what the folders have of one file; a later one's definitions go first."""
    woven = read(name)
    if woven is None:
        raise ForkError(f"upstream's {name} is gone; fit our sparse source to that.")
    sources = [it for it in (on_disk(folder, name) for folder in folders) if it]
    for at, ours in enumerate(sources):
        later = set().union(*(definitions(it, name) for it in sources[at + 1 :]))
        for module, imported in imports(ours, name):
            files = [f"{module}.py", f"{module}/__init__.py"]
            texts = [it for it in map(read, files) if it is not None]
            known = any(re.search(rf"\b{imported}\b".encode(), it) for it in texts)
            if imported not in later and not known:
                raise ForkError(f"upstream's {module} has no {imported}.")
        woven = weave(ours, woven, name, later)
    return woven


def _woven_test(folders: Sequence[Path], name: str, read: Read) -> bytes:
    """Weave what ports add to a test of upstream's; without one, ours goes as it is."""
    ours = on_disk(folders[0], name)
    ports = [it for it in folders[1:] if (it / name).exists()]
    if ours is not None and (not ports or read(name) in (None, ours)):
        return ours
    return _woven_source(ports, name, read)


def _sources(folder: Path, where: str = "vllm") -> list[str]:
    found = folder.glob(f"{where}/**/*.py")
    return [path.relative_to(folder).as_posix() for path in found]


def _numbers(overlay: Path, port: Path) -> list[int]:
    version = described(None).version if port == overlay else port.name
    return [int(number) for number in version.split(".")]


def on_disk(folder: Path, name: str) -> bytes | None:
    """Return a file of a folder, or None if there is none."""
    path = folder / name
    return path.read_bytes() if path.exists() else None
