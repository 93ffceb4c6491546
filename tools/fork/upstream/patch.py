# SPDX-License-Identifier: Apache-2.0
"""Write the change as a patch that can be sent upstream, with its description."""

import re
import tempfile
from pathlib import Path

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.program import run, step
from tools.fork.release import Release
from tools.fork.sampler import measure
from tools.fork.source.tree import (
    Trees,
    changed_lines,
    format_patch,
    sign,
    touched,
    tree_name,
)
from tools.fork.upstream import checks, pull_request

_NO_IDENTITY = (
    "A patch needs your name, to be signed off; set it and run again:\n"
    '    git config --global user.name "<name>"\n'
    '    git config --global user.email "<address>"\n'
    "git said:"
)


def make(release: Release, trees: Trees, reports: Path, target: Path) -> list[Path]:
    """Write the patch and the pull request's text.

    Args:
        release: What the patch is against.
        trees: Its trees.
        reports: The folder with what was measured of it.
        target: The folder that gets both.

    Returns:
        The two files.

    Raises:
        ForkError: git knows no identity of the user's, a check of upstream's fails, or
            ``target`` cannot be written. Then an earlier patch is left as it was.
    """
    name, email = identity(ROOT)
    message = pull_request.message(trees.stock)
    sign(trees.fork, trees.scratch, message, name, email)
    with step("upstream's own checks"):
        files = touched(trees.scratch, release.tag)
        config = trees.scratch.with_name("pre-commit.yaml")
        hooks = checks.check(trees.scratch, files, config)
    print("\n".join(f"    {hook}" for hook in hooks))
    tree = tree_name(trees.scratch)
    try:
        with step(f"the sampler under torch {release.torch}, stock beside fork"):
            measure.measure(release, trees.stock, trees.fork, tree, reports)
    except ForkError as error:
        print(f"not measured:\n{error}")
    base = trees.scratch, release.tag, "HEAD"
    changed = {it: changed_lines(*base, it) for it in ("vllm", "tests")}
    text = pull_request.describe(release, message, reports, tree, changed)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".partial-") as folder:
            patch = format_patch(trees.scratch, Path(folder))
            for earlier in target.glob("0001-*.patch"):
                earlier.unlink()
            patch = patch.replace(target / patch.name)
        description = target / "PULL_REQUEST.md"
        description.write_text(text)
    except OSError as error:
        raise ForkError(
            f"{target} cannot be written ({error.strerror}); make it writable and run "
            "again."
        ) from error
    return [patch, description]


def identity(repository: Path) -> tuple[str, str]:
    """Return the user's name and address, as git is configured.

    Raises:
        ForkError: It is not.
    """
    options = ("-c", "user.useConfigOnly=true", "-c", "safe.directory=*")
    git = ["git", *options, "var", "GIT_COMMITTER_IDENT"]
    printed = run(git, _NO_IDENTITY, cwd=repository).decode()
    match = re.match(r"(.+) <(.+)> ", printed)
    if not match:
        raise ForkError(f"{_NO_IDENTITY}\n    {printed.strip()}")
    return match[1], match[2]
