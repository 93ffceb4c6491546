# SPDX-License-Identifier: Apache-2.0
"""Write the change as patches that can be sent upstream, with their descriptions."""

import re
import tempfile
from pathlib import Path

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.child import Json
from tools.fork.program import run, step
from tools.fork.release import Release
from tools.fork.sampler import measure
from tools.fork.source.tree import (
    Trees,
    commits,
    format_patches,
    make_worktree,
    sign,
    touched_files,
    tree_name,
)
from tools.fork.upstream import checks, description

_NO_IDENTITY = (
    "A patch needs your name, to be signed off; set it and run again:\n"
    '    git config --global user.name "<name>"\n'
    '    git config --global user.email "<address>"\n'
    "git said:"
)


def make(release: Release, trees: Trees, reports: Path, target: Path) -> list[Path]:
    """Write each commit as a patch into ``target``, and a description of it.

    What is in ``reports`` is told of those commits that it was measured of. Whatever
    fails, earlier patches are left as they were.
    """
    name, email = identity(ROOT)
    messages = description.messages(trees.stock)
    sign(trees, release, messages, name, email)
    ours = commits(trees.scratch, release)
    texts = []
    for number, (commit, message) in enumerate(zip(ours, messages, strict=True), 1):
        print(f"Commit {number}: {message.splitlines()[0]}")
        _check(trees, commit)
        # The first commit's sampler is another than the one that all reports are of.
        of_it = reports if commit == ours[-1] else reports / f"commit-{number}"
        sampler = _measure(release, trees, commit, of_it)
        texts.append(
            description.describe(release, trees, commit, message, sampler, reports)
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".partial-") as folder:
            patches = format_patches(trees.scratch, release.tag, Path(folder))
            for patch, text in zip(patches, texts, strict=True):
                patch.with_suffix(".md").write_text(text)
            for earlier in target.glob("000?-*"):
                earlier.unlink()
            return [
                it.replace(target / it.name) for it in sorted(Path(folder).glob("*"))
            ]
    except OSError as error:
        raise ForkError(
            f"{target} cannot be written ({error.strerror}); make it writable and run "
            "again."
        ) from error


def _check(trees: Trees, commit: str) -> None:
    make_worktree(trees.fork, trees.scratch, commit)
    with step("upstream's own checks"):
        files = touched_files(trees.scratch, f"{commit}~", commit)
        hooks = checks.check(trees.scratch, [*files])
    print("\n".join(f"    {hook}" for hook in hooks))


def _measure(release: Release, trees: Trees, commit: str, reports: Path) -> Json:
    """Measure the sampler of the scratch tree, if its torch can be had."""
    tree = tree_name(trees.scratch, commit)
    try:
        with step(f"the sampler under torch {release.torch}, stock beside fork"):
            return measure.measure(release, trees.stock, trees.scratch, tree, reports)
    except ForkError as error:
        print(f"not measured:\n{error}")
        return {}


def identity(repository: Path) -> tuple[str, str]:
    """Return the user's name and address, as git is configured."""
    options = ("-c", "user.useConfigOnly=true", "-c", "safe.directory=*")
    git = ["git", *options, "var", "GIT_COMMITTER_IDENT"]
    printed = run(git, _NO_IDENTITY, cwd=repository).decode()
    match = re.match(r"(.+) <(.+)> ", printed)
    if not match:
        raise ForkError(f"{_NO_IDENTITY}\n    {printed.strip()}")
    return match[1], match[2]
