# SPDX-License-Identifier: Apache-2.0
"""Weave the sources that fit a release into its files. Standard library only."""

import ast
import re
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.release import described
from tools.fork.source.cut import bound, cut, drop
from tools.fork.source.syntax import Function, Source
from tools.fork.source.weave import weave

Read = Callable[[str], bytes | None]

_COMPILE_AHEAD = {
    "Sampler.__init__",
    "Sampler._compile_ahead",
    "Sampler.sample",
    "get_current_vllm_config_or_none",
    "construct_sampler",
    "logger",
    "test_a_failure_is_one_line_of_warning",
    "test_nothing_compiles_ahead_where_nothing_samples",
    "test_nothing_compiles_ahead_under_the_dtype_of_a_model",
    "test_nothing_compiles_once_a_model_is_served",
    "test_time_is_logged_only_if_something_was_compiled",
}
# By commit, in the order in which they go upstream, what is left to later ones.
COMMITS: tuple[Set[str], ...] = (_COMPILE_AHEAD, set())
# What a port needs of a release, where no definition or import of its own tells.
_ASKS = re.compile(r"^# Asks (\S+)\.py for (\w+)\.$", re.MULTILINE)


def woven(read: Read, without: Set[str] = frozenset()) -> dict[str, bytes]:
    """Return, by path, each file that our change touches, as it then reads.

    ``read`` returns a file as it is, woven before or not, or None. ``without`` has the
    definitions to leave out, as one of COMMITS.
    """
    folders, result = newest_that_fits(read, without)
    for name in touched(folders, "tests/v1"):
        result[name] = _woven_test(folders, name, read, without)
    return {name: to for name, to in sorted(result.items()) if to != read(name)}


def newest_that_fits(
    read: Read, without: Set[str] = frozenset()
) -> tuple[Sequence[Path], dict[str, bytes]]:
    """Return the newest set that fits, as its folders, and by path what it makes.

    A port, for the releases from the one that it is named for, holds the definitions
    that differ from those of the port before it, or else of ``vllm/``, which is for the
    pinned release; one for older releases, what differs from ``vllm/``. Each asks for
    something that the releases before it lack, so it fits none of them.
    """
    ports = our_folders()
    pinned = ports.index(ROOT)
    misfits = []
    for at, port in reversed([*enumerate(ports)]):
        folders = ports[pinned : at + 1] or [ROOT, port]
        try:
            names = touched(folders)
            return folders, {
                it: _woven_source(folders, it, read, without) for it in names
            }
        except ForkError as error:
            misfits.append(f"{port.relative_to(ROOT).as_posix()}/vllm: {error}")
    raise ForkError("\n    ".join(["None of our sources fits:", *misfits]))


def _woven_source(
    folders: Sequence[Path], name: str, read: Read, without: Set[str]
) -> bytes:
    """Weave what the folders have of one file; a later one's functions go first."""
    woven = read(name)
    if woven is None:
        raise ForkError(f"upstream's {name} is gone; fit our sparse source to that.")
    texts = (on_disk(folder, name) for folder in folders)
    sources = [Source(f"our {name}", it) for it in texts if it]
    for at, source in enumerate(sources):
        later = (bound(it, Function) for it in sources[at + 1 :])
        cut(source, without)
        drop(source, set().union(*later))
        for module, wanted in _needs(source, name):
            files = [read(f"{module}.py"), read(f"{module}/__init__.py")]
            if not any(re.search(rf"\b{wanted}\b".encode(), it or b"") for it in files):
                raise ForkError(f"upstream's {module} has no {wanted}.")
        woven = weave(source, woven, name)
    return woven


def _needs(source: Source, name: str) -> Iterator[tuple[str, str]]:
    """Yield each module of upstream's that a source needs, and what it needs there."""
    yield from _ASKS.findall(source.data().decode())
    for node in source.module.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            module = node.module.replace(".", "/")
            if module.partition("/")[0] == name.partition("/")[0]:
                yield from ((module, it.name) for it in node.names)


def _woven_test(
    folders: Sequence[Path], name: str, read: Read, without: Set[str]
) -> bytes:
    """Weave what ports add to a test of upstream's; without one, ours goes as it is."""
    ours = on_disk(folders[0], name)
    ports = [it for it in folders[1:] if (it / name).exists()]
    if ours is not None and (not ports or read(name) in (None, ours)):
        source = Source(f"our {name}", ours)
        cut(source, without)
        return source.data()
    return _woven_source(ports, name, read, without)


def our_folders() -> Sequence[Path]:
    """Return our folders of sparse sources, by the releases that they are for."""
    versions = {ROOT: described(None).version}
    versions |= {it: it.name for it in ROOT.glob("ports/*")}
    return sorted(versions, key=lambda it: [*map(int, versions[it].split("."))])


def touched(folders: Sequence[Path], where: str = "vllm") -> list[str]:
    """Return the paths of upstream's files that some of our folders touch, sorted."""
    found = ((it, path) for it in folders for path in it.glob(f"{where}/**/*.py"))
    return sorted({path.relative_to(it).as_posix() for it, path in found})


def on_disk(folder: Path, name: str) -> bytes | None:
    """Return a file of a folder, or None if there is none."""
    path = folder / name
    return path.read_bytes() if path.exists() else None
