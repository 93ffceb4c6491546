# SPDX-License-Identifier: Apache-2.0
"""Make the two source trees: the release with our change on top, and the release.

git keeps them. In ``fork/`` the release is one commit with upstream's tag, and the
change is two commits on top; ``stock/`` is a worktree at the tag.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import filter as matching
from functools import partial
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.program import Word, run
from tools.fork.release import Release
from tools.fork.settings import GIT
from tools.fork.source.overlay import COMMITS, woven

SUBJECTS = (
    "Count token ranks in one graph for every batch",
    "Compile the sampler before a request waits for it",
)
_US = "fork@localhost"


@dataclass(frozen=True)
class Trees:
    """Where the source trees of one release are."""

    fork: Path  # the release with our change on top
    stock: Path  # the release
    package: Path  # the fork again, for setup.py, which leaves metadata in a tree
    scratch: Path  # the fork again, to take lines out of

    @classmethod
    def inside(cls, folder: Path) -> "Trees":
        """Return where the trees are inside ``folder``."""
        return cls(*(folder / name for name in ("fork", "stock", "package", "scratch")))


def trees(release: Release) -> Trees:
    """Return where the trees of ``release`` are, whether made or not."""
    return Trees.inside(ROOT / "build" / release.version)


def make_fork(release: Release, archive: Path, tree: Path) -> bool:
    """Bring ``tree`` to the release with our change as commits on top.

    ``archive`` is the release's verified sdist, or a wheel, for as much as that has.
    Edits found in the tree are kept with ``git stash``; whether there were any is
    returned. Where the change does not fit, or others' commits are there, the tree
    stays as it is.
    """
    if not (tree / ".git").exists():
        _commit_release(release, archive, tree)
    read = partial(committed, tree, release.tag)
    wanted = [woven(read, without) for without in COMMITS]
    (tree / ".git/index.lock").unlink(missing_ok=True)
    since = f"{release.tag}..HEAD"
    log = _git(tree, "log", "--reverse", "--format=%ae %s", since).splitlines()
    foreign = [it.partition(" ")[2] for it in log if not it.startswith(f"{_US} ")]
    if foreign:
        raise ForkError(
            f"{tree} has commits of its own ({', '.join(foreign)}); move them "
            "elsewhere or delete the folder, then run again."
        )
    stashed = bool(_git(tree, "status", "--porcelain", "--untracked-files=no"))
    if stashed:
        _git(tree, "stash", "push", "--message", "edits found by the build")
    there = [touched_files(tree, release.tag, it) for it in commits(tree, release)]
    if log == [f"{_US} {it}" for it in SUBJECTS] and there == wanted:
        return stashed
    _git(tree, "reset", "--quiet", "--hard", release.tag)
    for subject, files in zip(SUBJECTS, wanted, strict=True):
        for name, content in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(content)
        _git(tree, "add", "--force", "--", *files)
        _git(tree, "commit", "--quiet", "--message", subject)
    return stashed


def commits(tree: Path, release: Release) -> list[str]:
    """Return git's names of the commits on top of a release, the oldest first."""
    return _git(tree, "rev-list", "--reverse", f"{release.tag}..HEAD").split()


def touched_files(tree: Path, base: str, commit: str = "HEAD") -> dict[str, bytes]:
    """Return by path, sorted, the files in which a commit differs from another.

    They are as ``commit`` has them, or empty where it has none.
    """
    names = _git(tree, "diff", "--name-only", base, commit).splitlines()
    return {name: committed(tree, commit, name) or b"" for name in names}


def digests(tree: Path, release: Release) -> list[str]:
    """Return a release's lines of woven.sha256, as sha256sum writes them."""
    files = touched_files(tree, release.tag)
    found = {name: sha256(content).hexdigest() for name, content in files.items()}
    return [f"{digest}  {release.version}/{name}" for name, digest in found.items()]


def tree_name(tree: Path, commit: str = "HEAD") -> str:
    """Return git's name for the content of a commit."""
    return _git(tree, "rev-parse", f"{commit}^{{tree}}")


def sign(
    trees: Trees, release: Release, messages: Sequence[str], name: str, email: str
) -> None:
    """Make our commits in the scratch tree under a person's name, signed off."""
    make_worktree(trees.fork, trees.scratch, release.tag)
    signed = "commit", "--quiet", "--signoff", "--message"
    who = _people(name, email)
    for commit, message in zip(commits(trees.fork, release), messages, strict=True):
        _git(trees.scratch, "cherry-pick", "--no-commit", commit)
        _git(trees.scratch, *signed, message, env=who)


def format_patches(tree: Path, base: str, folder: Path) -> list[Path]:
    """Write the commits since ``base`` into ``folder``, as mails, in order."""
    options = "--zero-commit", "--no-signature", "--output-directory", folder
    printed = _git(tree, "format-patch", "--numbered", *options, base)
    return [Path(it) for it in printed.split("\n")]


def changed_lines(tree: Path, base: str, commit: str, folder: str) -> str:
    """Return how many lines a commit adds and removes in a folder, as "19 + 8"."""
    printed = _git(tree, "diff", "--numstat", base, commit, "--", folder)
    numbers = [it.split("\t") for it in printed.splitlines()]
    added, removed = (sum(int(it[column]) for it in numbers) for column in (0, 1))
    return f"{added} + {removed}"


def make_worktree(fork: Path, folder: Path, commit: str) -> None:
    """Make or mend a worktree of the fork's repository, with what a commit has.

    What was changed in ``folder``, the worktree, is lost.
    """
    wanted = _git(fork, "rev-parse", f"{commit}^{{commit}}")
    with suppress(ForkError):  # it is not there, or broken
        there = _git(folder, "rev-parse", "HEAD")
        if there == wanted and not _git(folder, "status", "--porcelain"):
            return
    shutil.rmtree(folder, ignore_errors=True)
    _git(fork, "worktree", "add", "--force", "--detach", folder, wanted)


def keep_out_of_git(tree: Path, modules: Sequence[str]) -> None:
    """Have git take tracked files of a tree for what the commit has, as built ones."""
    _git(tree, "update-index", "--skip-worktree", "--", *modules)


def share_built_files(fork: Path, folder: Path) -> None:
    """Give a worktree, by hard link, what the build put into the fork's tree."""
    ignored = "--others", "--ignored", "--exclude-standard", ":!*/__pycache__/*"
    built = _git(fork, "ls-files", *ignored, "vllm").splitlines()
    tracked = _git(fork, "ls-files", "-t", "vllm").splitlines()
    modules = [line[2:] for line in tracked if line.startswith("S ")]
    keep_out_of_git(folder, modules)
    for name in [*built, *modules]:
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        try:
            link.hardlink_to(fork / name)
        except OSError:  # a file system without such links
            shutil.copy2(fork / name, link)


def unpack(wheel: Path, tree: Path, *patterns: str) -> None:
    """Put the files of a wheel that match each pattern into a tree."""
    with ZipFile(wheel) as archive:
        for pattern in patterns:
            names = matching(archive.namelist(), pattern)
            if not names:
                raise ForkError(
                    f"{wheel.name} has no {pattern}, so it is not the wheel that "
                    "releases.toml should describe; check its entry."
                )
            try:
                archive.extractall(tree, names)
            except OSError as error:
                said = f"{wheel.name} could not be unpacked ({error})"
                raise ForkError(f"{said}; mend that, run again.") from error


def _commit_release(release: Release, archive: Path, tree: Path) -> None:
    """Turn what was fetched into a repository with one tagged commit."""
    tree.parent.mkdir(parents=True, exist_ok=True)
    partial = tree.with_name(f"{tree.name}.partial")
    for folder in (partial, tree):
        shutil.rmtree(folder, ignore_errors=True)
    partial.mkdir()
    if archive.suffix == ".whl":
        unpack(archive, partial, "*.py")
    else:
        # Root would hand the files to owners that git then distrusts.
        options = "--strip-components=1", "--no-same-owner", "-C", partial
        failure = f"{archive.name} could not be unpacked; mend this and run again:"
        run(["tar", "-xzf", archive, *options], failure, env={"TAR_OPTIONS": ""})
    # Metadata of the sdist's, not of the repository's: it would hide the metadata of
    # the installed package from a Python that has the tree on its path.
    for metadata in partial.glob("*.egg-info"):
        shutil.rmtree(metadata)
    (partial / "PKG-INFO").unlink(missing_ok=True)
    _git(partial, "init", "--quiet", "--initial-branch=fork")
    # Upstream tracks files that its .gitignore names; _version.py is generated.
    _git(partial, "add", "--all", "--force", "--", ".", ":!vllm/_version.py")
    _git(partial, "commit", "--quiet", "--message", f"vLLM {release.version}")
    _git(partial, "tag", release.tag)
    partial.replace(tree)


def committed(tree: Path, commit: str, name: str) -> bytes | None:
    """Return a file as a commit has it, or None."""
    if not _git(tree, "ls-tree", "--name-only", commit, "--", name):
        return None
    blob = f"{commit}:{name}"
    return run(["git", "cat-file", "blob", blob], f"git has no {blob}.", tree, GIT)


def _git(tree: Path, *arguments: Word, env: Mapping[str, str] | None = None) -> str:
    what = f"git could not {arguments[0]} in {tree.name}/; it said:"
    who = env or _people("vLLM fork", _US)
    return run(["git", *arguments], what, tree, {**GIT, **who}).decode().rstrip("\n")


def _people(name: str, email: str) -> dict[str, str]:
    """Return the environment that has git commit as one person."""
    author = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email}
    return {**author, "GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": email}
