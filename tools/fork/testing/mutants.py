# SPDX-License-Identifier: Apache-2.0
"""Show that the upstream test needs every line of the change.

It must fail on the untouched release, and whenever one statement of ours is taken out.
"""

import ast
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tools.fork import UPSTREAM_TEST, ForkError
from tools.fork.bootstrap import VENV
from tools.fork.program import Word, finish
from tools.fork.release import Release
from tools.fork.source.tree import Trees, make_worktree, share_built_files, touched

_EVERYTHING = "all of the change"
_WORKERS = min(4, len(os.sched_getaffinity(0)))
# One thread each, and no trial programs for what the CPU can do: Inductor takes the
# kernel's word for it. Neither changes how often something is compiled.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TORCHINDUCTOR_VEC_ISA_OK": "1"}


def check(release: Release, trees: Trees) -> dict[str, list[str]]:
    """Run the upstream test on stock and on each mutant, and print what failed.

    Returns:
        By what was taken out, the tests that failed; each time there must be some.

    Raises:
        ForkError: The test could not be run.
    """
    ours = touched(trees.fork, release.tag)
    modules = [name for name in ours if "tests/" not in name]
    woven, stock = (
        {name: (tree / name).read_bytes() for name in modules}
        for tree in (trees.fork, trees.stock)
    )
    without = {_EVERYTHING: stock}
    for name in modules:
        for statement, mutant in mutants(woven[name], stock[name]):
            without[statement] = {**woven, name: mutant}
    free: SimpleQueue[Path] = SimpleQueue()
    for number in range(_WORKERS):
        folder = trees.scratch.with_name(f"mutant-{number}")
        make_worktree(trees.fork, folder, "HEAD")
        share_built_files(trees.fork, folder)
        free.put(folder)

    def run(statement: str) -> list[str]:
        folder = free.get()
        try:
            return _failing(folder, without[statement], statement)
        finally:
            free.put(folder)

    print(
        f"The upstream test on stock, then with one of our {len(without) - 1} "
        f"statements taken out, {_WORKERS} at a time; each must fail:",
        flush=True,
    )
    with ThreadPoolExecutor(_WORKERS) as pool:
        return dict(zip(without, pool.map(run, without), strict=True))


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


def _failing(tree: Path, modules: Mapping[str, bytes], without: str) -> list[str]:
    """Run the upstream test on other modules; print and return what fails."""
    for name, content in modules.items():
        (tree / name).write_bytes(content)
    options = ["-p", "no:asyncio", *([] if without == _EVERYTHING else ["-x"])]
    start = time.perf_counter()
    python: list[Word] = [VENV / "bin/python", "-m"]
    pytest = [*python, "pytest", "-q", "--tb=no", "-rfE", *options]
    env = {**_ENVIRONMENT, "PYTHONPATH": str(tree)}
    status, printed = finish([*pytest, UPSTREAM_TEST], tree, env)
    if status not in (0, 1):
        raise ForkError(f"The upstream test did not run:\n{printed}")
    failed = [
        line.split(" - ")[0].split("::")[1]
        for line in printed.splitlines()
        if line.startswith(("FAILED", "ERROR"))
    ]
    seconds = time.perf_counter() - start
    verdict = "fails" if failed else "PASSES, so no test needs it"
    lines = [f"  without {without}: {verdict} ({seconds:.0f} s)"]
    print("\n".join([*lines, *(f"      {test}" for test in failed)]), flush=True)
    return failed
