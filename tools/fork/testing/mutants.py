# SPDX-License-Identifier: Apache-2.0
"""Show that each commit passes its upstream test, and that this needs all of it.

The test must fail on what was there before, and without any one statement of ours.
"""

import ast
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tools.fork import UPSTREAM_TEST, ForkError
from tools.fork.bootstrap import VENV
from tools.fork.outcomes import Outcomes, counts, read_report_log
from tools.fork.program import Word, finish
from tools.fork.source.tree import (
    Trees,
    contents,
    make_worktree,
    share_built_files,
    subject,
    touched,
    tree_name,
)

Json = dict[str, Any]

_NOTHING, _EVERYTHING = "nothing", "all of it"
_WORKERS = min(4, len(os.sched_getaffinity(0)))
# One thread each, and no trial programs for what the CPU can do: Inductor takes the
# kernel's word for it. Neither changes how often something is compiled.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TORCHINDUCTOR_VEC_ISA_OK": "1"}


def check(trees: Trees, commit: str) -> Json:
    """Run the upstream test of one commit, on it and without parts of it.

    On the commit itself nothing may fail; without all of it, or without any one
    statement that it adds, something must.

    Returns:
        The commit's ``subject`` and ``tree``, the ``outcomes`` of its tests in words,
        and in ``failed_without``, by what was taken out, the tests that failed.

    Raises:
        ForkError: The test could not be run, or it passes or fails where it must not.
    """
    ours = touched(trees.fork, f"{commit}~", commit)
    modules = [it for it in ours if "tests/" not in it]
    with_it, before = (
        contents(trees.fork, it, modules) for it in (commit, f"{commit}~")
    )
    without = {_NOTHING: with_it, _EVERYTHING: before}
    for name in with_it:
        for statement, mutant in mutants(with_it[name], before[name]):
            without[statement] = {**with_it, name: mutant}
    free: SimpleQueue[Path] = SimpleQueue()
    for number in range(_WORKERS):
        folder = trees.scratch.with_name(f"mutant-{number}")
        make_worktree(trees.fork, folder, commit)
        share_built_files(trees.fork, folder)
        free.put(folder)

    def run(statement: str) -> Outcomes:
        folder = free.get()
        try:
            return _results(folder, without[statement], statement)
        finally:
            free.put(folder)

    with ThreadPoolExecutor(_WORKERS) as pool:
        results = dict(zip(without, pool.map(run, without), strict=True))
    failed = {name: _failed(found) for name, found in results.items()}
    if failed.pop(_NOTHING) or not all(failed.values()):
        raise ForkError("The upstream test passes or fails where it must not.")
    return {
        "subject": subject(trees.fork, commit),
        "tree": tree_name(trees.fork, commit),
        "outcomes": counts(results[_NOTHING]),
        "failed_without": failed,
    }


def mutants(woven: bytes, upstream: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the woven file without one of our statements or decorators each.

    Whether an import is needed, a linter says.

    Args:
        woven: A file with the change.
        upstream: The same file without.

    Yields:
        What is taken out, on one line, and the file with a ``pass`` for it.
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
    """Run the upstream test on other modules; print what fails."""
    for name, content in modules.items():
        (tree / name).write_bytes(content)
    log = tree.with_name(f"{tree.name}.log")
    log.unlink(missing_ok=True)
    stop = [] if without in (_NOTHING, _EVERYTHING) else ["-x"]
    options = ["-q", "--tb=short", "-p", "no:asyncio", f"--report-log={log}", *stop]
    start = time.perf_counter()
    python: list[Word] = [VENV / "bin/python", "-m"]
    env = {**_ENVIRONMENT, "PYTHONPATH": str(tree)}
    status, printed = finish([*python, "pytest", *options, UPSTREAM_TEST], tree, env)
    if status not in (0, 1):
        raise ForkError(f"The upstream test did not run:\n{printed}")
    found = read_report_log(log.read_text().splitlines())
    seconds = time.perf_counter() - start
    failed = _failed(found)
    lines = [f"  without {without}: {counts(found)} ({seconds:.0f} s)"]
    if bool(failed) == (without == _NOTHING):
        lines += [f"This must {'not ' if failed else ''}fail; pytest said:", printed]
    print("\n".join([*lines, *(f"      {test}" for test in failed)]), flush=True)
    return found


def _failed(outcomes: Outcomes) -> list[str]:
    """Return the names of the tests that failed."""
    wrong = ("failed", "error")
    return [it.partition("::")[2] for it in outcomes if outcomes[it] in wrong]
