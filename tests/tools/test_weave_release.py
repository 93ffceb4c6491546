"""Weaving into every function of the real modules that our change is about.

`make test` runs this after the build, which is where those modules come from.
"""

import ast
import random
from pathlib import Path

import pytest

from sparse_source import anchors, check_around, functions
from tools.fork.bootstrap import ROOT

FOLDER = "vllm/v1/sample"
MODULES = sorted(ROOT.glob(f"build/*/stock/{FOLDER}/**/*.py"))


@pytest.mark.skipif(not MODULES, reason=f"no build/*/stock/{FOLDER}: make build first")
@pytest.mark.parametrize("path", MODULES, ids=lambda it: str(it.relative_to(ROOT)))
def test_every_function_of_a_real_module(path: Path) -> None:
    upstream = path.read_bytes()
    for outer, function in functions(ast.parse(upstream)):
        name = ".".join(it.name for it in (*outer, function))
        if found := anchors(upstream, function):
            check_around(upstream, outer, function, random.Random(name).choice(found))
