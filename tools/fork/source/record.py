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
    digests = {it: to for it, to in _read(record).items() if _release(it) in kept}
    for version, files in woven.items():
        digests.update(_digests(version, files))
    lines = [f"{digest}  {path}\n" for path, digest in sorted(digests.items())]
    record.write_text("".join(lines))


def differing(version: str, files: Files, record: Path = RECORD) -> list[str]:
    """Return which woven files of a release are not those of the record."""
    recorded = {it for it in _read(record).items() if _release(it[0]) == version}
    return sorted({path for path, _ in recorded ^ {*_digests(version, files).items()}})


def _read(record: Path) -> dict[str, str]:
    """Return the digests of the record, by path."""
    lines = record.read_text("utf-8").splitlines() if record.exists() else []
    return {path: digest for digest, path in map(str.split, lines)}


def _digests(version: str, files: Files) -> dict[str, str]:
    return {
        f"{version}/{name}": hashlib.sha256(content).hexdigest()
        for name, content in files.items()
    }


def _release(path: str) -> str:
    return path.partition("/")[0]
