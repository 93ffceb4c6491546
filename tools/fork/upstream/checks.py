# SPDX-License-Identifier: Apache-2.0
"""Run the checks of upstream's own pre-commit configuration on what we touch."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.fork import ForkError
from tools.fork.bootstrap import VENV
from tools.fork.program import Word, finish
from tools.fork.settings import GIT, packages

# The tools that pre-commit would clone from where they are developed, and that the
# package index has too under the same version; the others look at no Python.
_TOOLS = {
    "ruff-check": ("ruff", "ruff check --force-exclude"),
    "ruff-format": ("ruff", "ruff format --force-exclude"),
    "typos": ("typos", "typos"),
}

Json = dict[str, Any]


def check(tree: Path, files: Sequence[str], config: Path) -> list[str]:
    """Run upstream's hooks on files of a tree, a worktree of git's.

    Args:
        tree: The tree.
        files: Paths in it.
        config: Where to write the configuration that is derived from upstream's.

    Returns:
        What pre-commit says of each hook that looked at a file.
    """
    import yaml

    theirs = yaml.safe_load((tree / ".pre-commit-config.yaml").read_text("utf-8"))
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(derived(theirs), sort_keys=False))
    program: list[Word] = [VENV / "bin/python", "-m", "pre_commit", "run"]
    options: list[Word] = ["--color", "never", "--config", config, "--files", *files]
    # SKIP, a person's, would leave hooks out.
    env = {**packages(sys.executable), **GIT, "SKIP": ""}
    status, printed = finish([*program, *options], tree, env)
    hooks = [it for it in printed.splitlines() if it.endswith(("Passed", "Failed"))]
    failed = [it.partition(".")[0] for it in hooks if it.endswith("Failed")]
    if status or failed or not hooks:
        names = ", ".join(failed) or "pre-commit itself"
        raise ForkError(
            f"Upstream's own checks refuse the change ({names}), so no patch was "
            f"written; they said:\n{printed.rstrip()}"
        )
    return hooks


def derived(theirs: Json) -> Json:
    """Return upstream's configuration with hooks from the package index alone."""
    hooks = [hook for repository in theirs["repos"] for hook in _hooks(repository)]
    return {**theirs, "repos": [{"repo": "local", "hooks": hooks}]}


def _hooks(repository: Json) -> Iterator[Json]:
    for hook in repository["hooks"]:
        if repository["repo"] == "local":
            yield hook
        elif hook["id"] in _TOOLS:
            package, entry = _TOOLS[hook["id"]]
            version = repository["rev"].removeprefix("v")
            yield {
                **hook,
                "name": hook["id"],
                "entry": entry,
                "language": "python",
                "types_or": ["python", "pyi"],
                "additional_dependencies": [f"{package}=={version}"],
            }
