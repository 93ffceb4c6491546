# SPDX-License-Identifier: Apache-2.0
"""Weave the change into a release's wheel: a file that one installs like any other."""

from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from tools.fork import ForkError
from tools.fork.apply.installed import FORK, digest
from tools.fork.program import run
from tools.fork.source.overlay import newest_that_fits


def build_tag(repository: Path) -> str:
    """Return our wheels' build tag: our commit's date, which grows, and its name."""
    failure = "The wheel's name has our commit, so make it in a git clone; git said:"
    status = ["git", "status", "--porcelain", "--", "vllm", "ports", "tools"]
    if edits := run(status, failure, repository).decode():
        raise ForkError(f"The wheel's name has our commit; commit first:\n{edits}")
    # A shallow clone could not count the commits.
    named = ["--date=format-local:%Y%m%d%H%M%S", "--abbrev=10", f"--format=%cd{FORK}%h"]
    git = ["git", "log", "-1", "--no-show-signature", *named]
    return run(git, failure, repository, {"TZ": "UTC"}).decode().strip()


def weave_into(wheel: Path, tag: str, folder: Path) -> Path:
    """Write a release's wheel with our change and build tag into a folder."""
    project, version, *_, python, abi, system = wheel.name.split("-")
    folder.mkdir(exist_ok=True)
    partial = folder / ".partial"
    try:
        with (
            wheel.open("rb") as source,
            ZipFile(source) as theirs,
            partial.open("wb") as file,
            ZipFile(file, "w") as ours,
        ):
            changes = _changes(theirs, f"{project}-{version}.dist-info", tag)
            members = sorted(theirs.infolist(), key=lambda it: it.header_offset)
            ends = [*(it.header_offset for it in members[1:]), theirs.start_dir]
            source.seek(0)
            for it, end in zip(members, ends, strict=True):
                content = source.read(end - it.header_offset)
                if it.filename in changes:
                    # Not every build of zlib compresses to the same bytes.
                    ours.writestr(it, changes[it.filename], ZIP_STORED)
                else:
                    # zipfile copies nothing as it is, but lists what it finds here.
                    it.header_offset = file.tell()
                    file.write(content)
                    ours.filelist.append(it)
                    ours.start_dir = file.tell()
        tags = f"{tag}-{python}-{abi}-{system}"
        return partial.replace(folder / f"{project}-{version}-{tags}")
    finally:
        partial.unlink(missing_ok=True)


def _changes(wheel: ZipFile, info: str, tag: str) -> dict[str, bytes]:
    """Return, by path, what our wheel has otherwise."""
    there, read = wheel.NameToInfo, wheel.read
    _, changes = newest_that_fits(lambda it: read(it) if it in there else None)
    build = f"\nBuild: {tag}\nTag:".encode()
    changes[f"{info}/WHEEL"] = read(f"{info}/WHEEL").replace(b"\nTag:", build, 1)
    ours = {it: f"{it},sha256={digest(to)},{len(to)}\n" for it, to in changes.items()}
    rows = read(f"{info}/RECORD").decode().splitlines(keepends=True)
    record = "".join(ours.get(row.partition(",")[0], row) for row in rows)
    return {**changes, f"{info}/RECORD": record.encode()}
