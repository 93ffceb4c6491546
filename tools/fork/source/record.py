# SPDX-License-Identifier: Apache-2.0
"""Keep the digests of all woven files, so that a review sees which of them change.

The record has a line per file, as sha256sum writes them, with the release as folder.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tools.fork.bootstrap import ROOT
from tools.fork.release import all_described

RECORD = ROOT / "woven.sha256"
Files = Mapping[str, bytes]


def write(woven: Mapping[str, Files], record: Path = RECORD) -> None:
    """Write anew the lines of releases, by version; drop those of unknown releases."""
    kept = {it.version for it in all_described()} - {*woven}
    lines = {it for it in _read(record) if _path(it).partition("/")[0] in kept}
    lines.update(*(_lines(*it) for it in woven.items()))
    record.write_text("".join(f"{line}\n" for line in sorted(lines, key=_path)))


def differing(version: str, files: Files, record: Path = RECORD) -> list[str]:
    """Return which woven files of a release are not those of the record."""
    recorded = {it for it in _read(record) if _path(it).startswith(f"{version}/")}
    return sorted({_path(line) for line in recorded ^ _lines(version, files)})


def _read(record: Path) -> list[str]:
    return record.read_text("utf-8").splitlines() if record.exists() else []


def _lines(version: str, files: Files) -> set[str]:
    digests = {name: hashlib.sha256(to).hexdigest() for name, to in files.items()}
    return {f"{digest}  {version}/{name}" for name, digest in digests.items()}


def _path(line: str) -> str:
    return line.split()[1]
