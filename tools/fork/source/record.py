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
    """Write the lines of some releases anew, and drop those of unknown releases.

    Args:
        woven: By release, what is woven of it.
        record: The file.
    """
    others = {it.version for it in all_described()} - {*woven}
    lines = [it for it in _read(record) if _release(it) in others]
    for version, files in woven.items():
        lines += _lines(version, files)
    record.write_text("".join(f"{it}\n" for it in sorted(lines, key=_path)))


def differing(version: str, files: Files, record: Path = RECORD) -> list[str]:
    """Return which woven files of a release are not those of the record."""
    recorded = {it for it in _read(record) if _release(it) == version}
    return sorted({_path(it) for it in recorded ^ {*_lines(version, files)}})


def _read(record: Path) -> list[str]:
    return record.read_text("utf-8").splitlines() if record.exists() else []


def _lines(version: str, files: Files) -> list[str]:
    return [
        f"{hashlib.sha256(content).hexdigest()}  {version}/{name}"
        for name, content in files.items()
    ]


def _path(line: str) -> str:
    return line.split(maxsplit=1)[1]


def _release(line: str) -> str:
    return _path(line).partition("/")[0]
