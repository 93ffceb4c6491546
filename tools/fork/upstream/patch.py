# SPDX-License-Identifier: Apache-2.0
"""Write the change as patches that can be sent upstream, with their descriptions."""

import tempfile
from functools import partial
from pathlib import Path

from tools.fork import UPSTREAM_TEST, ForkError, documents
from tools.fork.bootstrap import ROOT
from tools.fork.child import Json
from tools.fork.engine import demo
from tools.fork.engine.generate import SAMPLING
from tools.fork.program import run, step
from tools.fork.release import Release, read_report
from tools.fork.sampler import measure
from tools.fork.source.tree import (
    Trees,
    changed_lines,
    commits,
    format_patches,
    make_worktree,
    sign,
    touched_files,
    tree_name,
)
from tools.fork.upstream import checks

_MESSAGES = Path(__file__).with_name("messages")
_TESTED = f"""
Tested by {UPSTREAM_TEST}, which fails without this
change, and without any one statement of it.
"""


def make(release: Release, trees: Trees, reports: Path, target: Path) -> list[Path]:
    """Write each commit as a patch into ``target``, and a description of it.

    A description tells what is in ``reports`` of the very tree that its commit makes;
    the last one also what the engine and upstream's tests showed. Whatever fails,
    earlier patches stay.
    """
    name, email = identity(ROOT)
    texts = messages(trees.stock)
    sign(trees, release, [it + _TESTED for it in texts], name, email)
    last = tree_name(trees.fork)
    common = {
        "release": release,
        "test_path": UPSTREAM_TEST,
        "calls": measure.CALLS,
        "demo": demo,
        "last": last,
        "test": read_report(reports, "test", last),
        "engine": read_report(reports, "demo", last),
        "upstream": read_report(reports, "upstream-tests", last),
    }
    descriptions = []
    ours = zip(commits(trees.scratch, release), texts, strict=True)
    for number, (commit, message) in enumerate(ours, 1):
        title, _, purpose = message.partition("\n\n")
        print(f"Commit {number}: {title}")
        make_worktree(trees.fork, trees.scratch, commit)
        checks.check(trees.scratch, touched_files(trees.scratch, f"{commit}~", commit))
        tree = tree_name(trees.scratch, commit)
        # The last one's sampler is the fork's, which others may have measured.
        of_it = reports if tree == last else reports / f"commit-{number}"
        data = {
            "title": title,
            "purpose": purpose.strip(),
            "tree": tree,
            "lines": partial(changed_lines, trees.scratch, f"{commit}~", commit),
            "sampler": _measure(release, trees, tree, of_it),
        }
        template = Path(__file__).with_name("description.md.jinja")
        descriptions.append(documents.render(template, {**common, **data}))
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".partial-") as folder:
        patches = format_patches(trees.scratch, release.tag, Path(folder))
        for patch, text in zip(patches, descriptions, strict=True):
            patch.with_suffix(".md").write_text(text)
        for earlier in target.glob("000?-*"):
            earlier.unlink()
        return [it.replace(target / it.name) for it in sorted(Path(folder).iterdir())]


def identity(repository: Path) -> tuple[str, str]:
    """Return the user's name and address, as git is configured."""
    options = ("-c", "user.useConfigOnly=true", "-c", "safe.directory=*")
    unknown = "A patch needs your name, to be signed off; git does not know it:"
    ident = run(["git", *options, "var", "GIT_COMMITTER_IDENT"], unknown, repository)
    name, _, rest = ident.decode().partition(" <")
    if not (address := rest.partition(">")[0]):
        raise ForkError(f"{unknown}\n    {ident.decode()}")
    return name, address


def messages(stock: Path) -> list[str]:
    """Return the message of each commit, the oldest first.

    A release that marks the batch itself has what upstream merged, and gets what goes
    on from there.
    """
    sampler = (stock / SAMPLING / "sampler.py").read_bytes()
    suffix = "-follow-up" if b"mark_unbacked" in sampler else ""
    names = "ranks", "ahead"
    return [(_MESSAGES / f"{it}{suffix}.txt").read_text() for it in names]


def _measure(release: Release, trees: Trees, tree: str, reports: Path) -> Json:
    """Measure the sampler of the scratch tree, if its torch can be had."""
    try:
        with step(f"the sampler under torch {release.torch}, stock beside fork"):
            return measure.measure(release, trees.stock, trees.scratch, tree, reports)
    except ForkError as error:
        print(f"not measured:\n{error}")
        return {}
