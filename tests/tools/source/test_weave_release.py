# SPDX-License-Identifier: Apache-2.0
"""Weaving into the real release, and the patch that comes of it.

`make test` runs this after the build, which is where the release comes from.
"""

import ast
import random
from pathlib import Path

import pytest

from fake_release import git
from sparse_source import anchors, check_around, functions
from tools.fork.bootstrap import ROOT
from tools.fork.release import described
from tools.fork.source import tree

RELEASE = described(None)
FORK = tree.trees(RELEASE).fork
FOLDER = "vllm/v1/sample"
MODULES = sorted(ROOT.glob(f"build/*/stock/{FOLDER}/**/*.py"))


@pytest.mark.skipif(not FORK.exists(), reason="no fork yet: make build first")
def test_the_patches_make_of_the_untouched_release_what_is_tested(
    tmp_path: Path,
) -> None:
    patches = tree.format_patches(FORK, RELEASE.tag, tmp_path)
    untouched = tmp_path / "untouched"
    tree.make_worktree(FORK, untouched, RELEASE.tag)

    git(untouched, "am", "--keep-non-patch", *map(str, patches))

    assert git(untouched, "status", "--porcelain") == ""
    assert tree.tree_name(untouched) == tree.tree_name(FORK)


@pytest.mark.skipif(not MODULES, reason=f"no build/*/stock/{FOLDER}: make build first")
@pytest.mark.parametrize("path", MODULES, ids=lambda it: str(it.relative_to(ROOT)))
def test_every_function_of_a_real_module(path: Path) -> None:
    upstream = path.read_bytes()
    for outer, function in functions(ast.parse(upstream)):
        name = ".".join(it.name for it in (*outer, function))
        if found := anchors(upstream, function):
            check_around(upstream, outer, function, random.Random(name).choice(found))
