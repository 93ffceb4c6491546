# SPDX-License-Identifier: Apache-2.0
"""Show that each commit passes its upstream test, and that this needs all of it.

The test must fail on what was there before, and without any one statement of ours.
"""

import ast
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.fork import UPSTREAM_TEST, ForkError
from tools.fork.child import Json
from tools.fork.outcomes import Outcomes, counts
from tools.fork.source.tree import (
    Trees,
    make_worktree,
    share_built_files,
    touched_files,
    tree_name,
)
from tools.fork.testing import run_pytest

_NOTHING, _EVERYTHING = "nothing", "all of it"
_WORKERS = min(4, len(os.sched_getaffinity(0)))
# One thread each, and no trial programs for what the CPU can do: Inductor takes the
# kernel's word for it. Neither changes how often something is compiled.
_SETTINGS = {"OMP_NUM_THREADS": "1", "TORCHINDUCTOR_VEC_ISA_OK": "1"}


def check(trees: Trees, commit: str) -> Json:
    """Run the upstream test of one commit, on it and without parts of it.

    In the result ``failed_without`` has, by what was taken out, the tests that failed.
    """
    ours = touched_files(trees.fork, f"{commit}~", commit)
    before = touched_files(trees.fork, commit, f"{commit}~")
    for test in [it for it in ours if it.startswith("tests/")]:
        del ours[test], before[test]
    without = {_NOTHING: ours, _EVERYTHING: before}
    for name in ours:
        for statement, mutant in mutants(ours[name], before[name]):
            without[statement] = {**ours, name: mutant}
    folders = [trees.scratch.with_name(f"mutant-{it}") for it in range(_WORKERS)]
    for folder in folders:
        make_worktree(trees.fork, folder, commit)
        share_built_files(trees.fork, folder)

    def run(statement: str) -> Outcomes:
        folder = folders.pop()  # there are as many as workers
        try:
            return _results(folder, without[statement], statement)
        finally:
            folders.append(folder)

    with ThreadPoolExecutor(_WORKERS) as pool:
        results = dict(zip(without, pool.map(run, without), strict=True))
    return {
        "tree": tree_name(trees.fork, commit),
        "outcomes": counts(results.pop(_NOTHING)),
        "failed_without": {name: _failed(found) for name, found in results.items()},
    }


def mutants(woven: bytes, upstream: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield each of our statements and decorators, and the file with ``pass`` for it.

    Whether an import is needed, a linter says.
    """
    theirs = {ast.dump(part) for part in _parts(upstream)}
    lines = woven.splitlines(keepends=True)
    for part in _parts(woven):
        if ast.dump(part) not in theirs:
            start, stop = part.lineno - 1, part.end_lineno
            indent = b" " * part.col_offset
            stand_in = [indent + b"pass\n"] if isinstance(part, ast.stmt) else []
            what = f"{ast.unparse(part)} (line {part.lineno})"
            yield what, b"".join([*lines[:start], *stand_in, *lines[stop:]])


def _parts(module: bytes) -> Iterator[ast.stmt | ast.expr]:
    """Yield decorators, and statements that hold no others and are no docstring."""
    for node in ast.walk(ast.parse(module)):
        yield from getattr(node, "decorator_list", [])
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        passed_over = docstring or isinstance(node, ast.Import | ast.ImportFrom)
        if isinstance(node, ast.stmt) and not hasattr(node, "body") and not passed_over:
            yield node


def _results(tree: Path, modules: Mapping[str, bytes], without: str) -> Outcomes:
    """Run the upstream test on other modules; print what fails.

    The whole commit must pass, and without a part of it a test must fail. An error is
    neither: it shows only that a test crashed or was not collected.
    """
    for name, content in modules.items():
        (tree / name).write_bytes(content)
    log = tree.with_name(f"{tree.name}.log")
    log.unlink(missing_ok=True)
    stop = [] if without == _EVERYTHING else ["-x"]
    options = ["-q", "--tb=short", "-p", "no:asyncio", *stop]
    settings = {**_SETTINGS, "PYTHONPATH": str(tree)}
    found = run_pytest.run([UPSTREAM_TEST, *options], tree, settings, log)
    lines = [f"  without {without}: {counts(found)}", *_failed(found)]
    print("\n      ".join(lines), flush=True)
    outcomes = {*found.values()}
    passed = "passed" in outcomes and outcomes <= {"passed", "skipped"}
    if not (passed if without == _NOTHING else "failed" in outcomes):
        must = "pass" if without == _NOTHING else f"fail without {without}"
        said = log.read_text()
        raise ForkError(f"The upstream test must {must}; pytest said:\n{said}")
    return found


def _failed(outcomes: Outcomes) -> list[str]:
    wrong = ("failed", "error")
    return [it.partition("::")[2] for it in outcomes if outcomes[it] in wrong]
