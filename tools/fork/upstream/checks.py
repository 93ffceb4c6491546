# SPDX-License-Identifier: Apache-2.0
"""Run the checks of upstream's own pre-commit configuration on what we touch."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.fork import ForkError
from tools.fork.child import Json
from tools.fork.program import stream
from tools.fork.settings import GIT, packages

# The hooks that pre-commit would clone from where they are developed, and that the
# package index has too under the same version; the others look at no Python.
_HOOKS = {
    "ruff-check": "ruff check --force-exclude",
    "ruff-format": "ruff format --force-exclude",
    "typos": "typos",
}


def check(tree: Path, files: Iterable[str]) -> None:
    """Run upstream's hooks on files of a worktree, in full view.

    The configuration that is derived from upstream's is written beside the tree.
    """
    import yaml

    theirs = yaml.safe_load((tree / ".pre-commit-config.yaml").read_text("utf-8"))
    hooks = [hook for repository in theirs["repos"] for hook in _hooks(repository)]
    if not hooks:
        raise ForkError(
            "None of upstream's own checks is known here, so no patch was written; fit "
            f"_HOOKS in {Path(__file__).name} to the release."
        )
    theirs["repos"] = [{"repo": "local", "hooks": hooks}]
    config = tree.with_name("pre-commit.yaml")
    config.write_text(yaml.safe_dump(theirs, sort_keys=False))
    options = [f"--config={config}", "--files", *files]
    # SKIP, a person's, would leave hooks out.
    env = {**packages(sys.executable), **GIT, "SKIP": ""}
    failure = (
        "Upstream's own checks refuse the change, as they say above, so no patch was "
        "written."
    )
    stream(failure, "pre_commit", "run", *options, env=env, cwd=tree)


def _hooks(repository: Json) -> Iterator[Json]:
    """Yield the hooks of a repository, from the package index if it is not local."""
    for hook in repository["hooks"]:
        if repository["repo"] == "local":
            yield hook
        elif entry := _HOOKS.get(hook["id"]):
            requirement = f"{entry.split()[0]}=={repository['rev'].removeprefix('v')}"
            yield {
                **hook,
                "name": hook["id"],
                "entry": entry,
                "language": "python",
                "types_or": ["python", "pyi"],
                "additional_dependencies": [requirement],
            }
