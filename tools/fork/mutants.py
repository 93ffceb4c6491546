"""Show that the upstream test needs every line of the change.

It must fail on the untouched release, and whenever one statement of ours is taken out.
"""

import ast
import time
from collections.abc import Iterator
from pathlib import Path

from tools.fork import UPSTREAM_TEST, ForkError
from tools.fork.bootstrap import VENV
from tools.fork.command import Word, finish
from tools.fork.release import Release
from tools.fork.tree import Trees, make_worktree, share_built_files, touched


def check(release: Release, trees: Trees) -> dict[str, list[str]]:
    """Run the upstream test on stock and on each mutant, and print what failed.

    Args:
        release: The release that the trees are of.
        trees: Its trees.

    Returns:
        By what was taken out, the tests that failed; each time there must be some.

    Raises:
        ForkError: The test could not be run.
    """
    scratch = trees.scratch
    make_worktree(trees.fork, scratch, "HEAD")
    share_built_files(trees.fork, scratch)
    modules = [
        name for name in touched(trees.fork, release.tag) if "tests/" not in name
    ]
    woven = {name: (scratch / name).read_bytes() for name in modules}
    stock = {name: (trees.stock / name).read_bytes() for name in modules}
    print("The upstream test on stock, where it must fail:", flush=True)
    everything = "all of the change"
    failed = {everything: _failing(scratch, stock, everything, first=False)}
    print("The upstream test with one of our statements taken out:", flush=True)
    for name in modules:
        for statement, mutant in mutants(woven[name], stock[name]):
            mutated = {**woven, name: mutant}
            failed[statement] = _failing(scratch, mutated, statement)
    return failed


def mutants(woven: bytes, upstream: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the woven file without one of our statements or decorators each.

    Args:
        woven: A file with the change.
        upstream: The same file without.

    Yields:
        What is taken out, on one line, and the file without it.
    """
    theirs = {ast.dump(part) for part in _parts(upstream)}
    lines = woven.splitlines(keepends=True)
    for part in _parts(woven):
        if ast.dump(part) not in theirs:
            kept = [*lines[: part.lineno - 1], *lines[part.end_lineno :]]
            yield ast.unparse(part), b"".join(kept)


def _parts(module: bytes) -> Iterator[ast.stmt | ast.expr]:
    """Yield the decorators and the statements that hold no others, docstrings apart."""
    for node in ast.walk(ast.parse(module)):
        yield from getattr(node, "decorator_list", [])
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.stmt) and not hasattr(node, "body") and not docstring:
            yield node


def _failing(
    tree: Path, modules: dict[str, bytes], without: str, first: bool = True
) -> list[str]:
    """Run the upstream test on other modules; print and return what fails."""
    for name, content in modules.items():
        (tree / name).write_bytes(content)
    options = ["-p", "no:asyncio", *(["-x"] if first else [])]
    start = time.perf_counter()
    python: list[Word] = [VENV / "bin/python", "-m"]
    pytest = [*python, "pytest", "-q", "--tb=no", "-rfE", *options]
    status, printed = finish([*pytest, UPSTREAM_TEST], tree, {"PYTHONPATH": str(tree)})
    if status not in (0, 1):
        raise ForkError(f"The upstream test did not run:\n{printed}")
    failed = [
        line.split(" - ")[0].split("::")[1]
        for line in printed.splitlines()
        if line.startswith(("FAILED", "ERROR"))
    ]
    seconds = time.perf_counter() - start
    verdict = "fails" if failed else "PASSES, so no test needs it"
    print(f"  without {without}: {verdict} ({seconds:.0f} s)", flush=True)
    for test in failed:
        print(f"      {test}", flush=True)
    return failed
