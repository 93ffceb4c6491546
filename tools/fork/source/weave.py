# SPDX-License-Identifier: Apache-2.0
"""Weave a sparse source into the upstream file it belongs to.

A sparse source is ordinary Python that spells out only what it changes.

* A function with a bare ``...`` in its body is *sparse*: each ``...`` stands for any
  run of upstream's own statements. A statement that upstream has too is an *anchor*,
  at any depth; one that upstream lacks is *inserted* next to its anchor, with the
  comment above it. Decorators and signature become ours, with the comment above them,
  but ``(*_: ...)`` stands for upstream's. The docstring stays.
* A function without ``...`` is *complete*: it replaces upstream's, or is added behind
  the definition that stands above it here, or else at the end.
* A class merely holds its members; its decorators and bases become ours.
* ``# instead of: <statement>`` above a statement: it takes the place of that one
  where upstream has it. This comment does not travel.
* Imports that upstream lacks are added where isort would have them, and a module's
  assignments to a name behind the imports.

All other bytes stay as they are: ``ast`` only finds the lines, which are then
spliced. What does not fit is an error, never a guess.
"""

import ast
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise
from types import EllipsisType

from tools.fork import ForkError

_INSTEAD_OF = b"# instead of:"
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = _Function | ast.ClassDef
_Scope = ast.Module | ast.ClassDef
_Import = ast.Import | ast.ImportFrom


class _File:
    """A parsed file: its lines, and the tree that says where things stand."""

    def __init__(
        self, whose: str, path: str, data: bytes, without: Collection[str] = ()
    ) -> None:
        self.without = without
        self.name = name = f"{whose} {path}"
        self.package = path.partition("/")[0]
        try:
            self.module = ast.parse(data.decode("utf-8-sig"))
        except (SyntaxError, ValueError) as error:
            raise ForkError(f"{name} is not valid Python: {error}.") from error
        # As Python does, this takes a lone \r for a line end, and no form feed.
        self.lines = data.splitlines(keepends=True)
        first = self.lines[0] if self.lines else b""
        self.newline = first[len(first.rstrip(b"\r\n")) :] or b"\n"
        self.ends_in_newline = not data or data.endswith((b"\n", b"\r"))
        if not self.ends_in_newline:
            self.lines[-1] += self.newline
        # Where a statement ends is no comment, even if it reads so: a string's end.
        statements = [it for it in ast.walk(self.module) if isinstance(it, ast.stmt)]
        self.ends = {0, *map(_stop, statements)}
        self.unread = {at for at, it in enumerate(self.lines) if _INSTEAD_OF in it}

    def check(self) -> None:
        """Let the compiler see it too: a late ``from __future__`` parses."""
        try:
            compile(self.module, self.name, "exec", dont_inherit=True)
        except SyntaxError as error:
            raise ForkError(f"{self.name} is not valid Python: {error}.") from error

    def indent(self, node: ast.stmt) -> bytes:
        line = self.lines[_start(node)]
        return line[: len(line) - len(line.lstrip())]

    def comment_start(self, node: ast.stmt) -> int:
        """Return the first of the comment lines right above ``node``."""
        start, comment = _start(node), self.indent(node) + b"#"
        while start not in self.ends and self.lines[start - 1].startswith(comment):
            start -= 1
        return start

    def header_stop(self, node: _Definition) -> int:
        """Return the line after the signature of ``node``."""
        stop = _start(node.body[0])
        while self.lines[stop - 1].strip()[:1] in (b"", b"#"):
            stop -= 1
        return stop

    def check_alone(self, name: str, node: ast.stmt) -> None:
        """Raise if other code stands on the lines of ``node``, which is in ``name``."""
        after = self.lines[_stop(node) - 1][node.end_col_offset :].strip()
        if self.has_code_before(node) or after[:1] not in (b"", b"#"):
            raise self.misfit(name, node, "shares its lines")

    def has_code_before(self, node: ast.stmt) -> bool:
        """Tell whether the first line of ``node`` begins with other code."""
        line = self.lines[node.lineno - 1]
        above = self.lines[_start(node) - 1].strip() if _start(node) else b""
        continued = above.endswith(b"\\") and not above.startswith(b"#")
        # To `ast`, an `elif` is an `if` of its own.
        branch = line.startswith(b"elif", node.col_offset)
        return continued or branch or bool(line[: node.col_offset].strip())

    def misfit(self, name: str, node: ast.stmt, problem: str) -> ForkError:
        statement = ast.unparse(node).split("\n", 1)[0]
        where = f"in `{name.rstrip('.')}`, " if name else ""
        return ForkError(
            f"{self.name}: {where}`{statement}` {problem}; fit our sparse source to "
            "this release."
        )


@dataclass(frozen=True)
class _Edit:
    """Lines of the upstream file, from 0 and without ``stop``, and their new text."""

    start: int
    stop: int
    text: list[bytes]


@dataclass(frozen=True)
class _Item:
    """One of our statements, and what it meets in upstream's function.

    Attributes:
        node: Our statement.
        anchor: The same statement there.
        old: The statement there that ours takes the place of.
        block: The block that holds ``anchor``, or else ``old``.
    """

    node: ast.stmt
    anchor: ast.stmt | None
    old: ast.stmt | None
    block: list[ast.stmt]

    @property
    def place(self) -> ast.stmt | None:
        return self.anchor or self.old


def weave(
    ours: bytes, upstream: bytes, name: str, without: Collection[str] = ()
) -> bytes:
    """Weave a sparse source into a file of upstream's.

    Args:
        ours: The sparse source.
        upstream: The file as the release has it, or as an earlier weave left it.
        name: The file's name, for errors.
        without: Definitions of ours to leave out, as `definitions` names them.

    Returns:
        The woven file; equal to ``upstream`` where there is nothing left to do.

    Raises:
        ForkError: The source does not fit; names the definition and the statement.
    """
    target = _File("upstream's", name, upstream)
    woven = _applied(_edits(_File("our", name, ours, without), target), target)
    again = _File("the woven", name, woven)
    again.check()  # ours need not compile alone: a loop may be upstream's
    if _edits(_File("our", name, ours, without), again):
        raise ForkError(f"{name}: weaving our source twice would change it twice.")
    return woven


def definitions(ours: bytes, name: str) -> set[str]:
    """Return what a sparse source defines: functions and methods, as ``Class.method``.

    Raises:
        ForkError: It is not valid Python.
    """
    return set(_functions(_File("our", name, ours).module, ""))


def imports(ours: bytes, name: str) -> Iterator[tuple[str, str]]:
    """Yield what a sparse source imports from its own package.

    Yields:
        The path of a module, without its ``.py``, and a name in it.

    Raises:
        ForkError: It is not valid Python.
    """
    file = _File("our", name, ours)
    for node in _imports(file):
        module = node.module if isinstance(node, ast.ImportFrom) else None
        if module and module.partition(".")[0] == file.package:
            yield from ((module.replace(".", "/"), it.name) for it in node.names)


def _functions(scope: _Scope, prefix: str) -> Iterator[str]:
    for node in scope.body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, _Function):
            yield prefix + node.name


def _edits(source: _File, target: _File) -> list[_Edit]:
    if not target.module.body:
        raise ForkError(f"{target.name} is empty; our source needs something there.")
    edits = list(_weave_members(source, source.module, target, target.module, ""))
    for line in source.unread:
        raise ForkError(
            f"{source.name}, line {line + 1}: `# instead of:` may stand only right "
            "above a statement of a sparse function."
        )
    edits.sort(key=lambda edit: edit.start)
    for first, second in pairwise(edits):
        if second.start < first.stop:
            raise ForkError(
                f"{target.name}: our source changes line {second.start + 1} twice."
            )
    return edits


def _applied(edits: list[_Edit], target: _File) -> bytes:
    lines = [*target.lines]
    for edit in reversed(edits):
        lines[edit.start : edit.stop] = edit.text
    text = b"".join(lines)
    return text if target.ends_in_newline else text.removesuffix(target.newline)


def _weave_members(
    source: _File, ours: _Scope, target: _File, theirs: _Scope, prefix: str
) -> Iterator[_Edit]:
    above = theirs.body[-1]
    for node in ours.body:
        if isinstance(node, _Definition):
            if prefix + node.name in source.without:
                source.unread -= {*range(source.comment_start(node), _stop(node))}
                continue
            yield from _weave_definition(source, node, target, theirs, prefix, above)
            above = next((it for it in theirs.body if _defines(it, node.name)), above)
        elif isinstance(node, _Import) and not prefix:
            yield from _add_import(source, node, target)
        elif _assigned_name(node) and not prefix:
            yield from _add_assignment(node, target)
        elif not _is_bare(node, str):
            problem = "is neither import, assignment nor definition"
            raise source.misfit(prefix, node, problem)


def _weave_definition(
    source: _File,
    ours: _Definition,
    target: _File,
    scope: _Scope,
    prefix: str,
    above: ast.stmt,
) -> Iterator[_Edit]:
    name = prefix + ours.name
    namesakes = [node for node in scope.body if _binds(node, ours.name)]
    sparse = any(_is_bare(node, EllipsisType) for node in ours.body)
    dots = _is_open(ours) or any(_is_bare(it, EllipsisType) for it in ast.walk(ours))
    if len(namesakes) > 1:
        raise target.misfit(name, namesakes[1], "defines it more than once")
    if not namesakes and dots:
        raise target.misfit(name, ours, "is gone")
    if not namesakes:
        text = _moved(source, source.comment_start(ours), _stop(ours), target, above)
        blank = [target.newline] * (1 if prefix else 2)
        yield _Edit(_stop(above), _stop(above), blank + text)
        return
    (theirs,) = namesakes
    if type(ours) is not type(theirs):
        raise target.misfit(name, theirs, "is another kind of definition")
    if isinstance(ours, ast.ClassDef) and isinstance(theirs, ast.ClassDef):
        yield from _weave_header(source, ours, target, theirs, name)
        yield from _weave_members(source, ours, target, theirs, f"{name}.")
    elif _is_open(ours) and len(ours.body) == 1 and sparse:
        return  # all of it is upstream's
    elif isinstance(ours, _Function) and isinstance(theirs, _Function) and sparse:
        yield from _weave_header(source, ours, target, theirs, name)
        yield from _weave_body(source, ours, target, theirs, name)
    elif dots:
        raise source.misfit(name, ours, "has a `...`, but none of its body's own")
    else:
        text = _moved(source, _start(ours), _stop(ours), target, theirs)
        old = target.lines[_start(theirs) : _stop(theirs)]
        if text != old or ast.dump(ours) != ast.dump(theirs):
            yield _Edit(_start(theirs), _stop(theirs), text)


def _weave_header(
    source: _File, ours: _Definition, target: _File, theirs: _Definition, name: str
) -> Iterator[_Edit]:
    """Take over our decorators and signature, or bases, where they differ."""
    for file, node in ((source, ours), (target, theirs)):
        if file.has_code_before(node.body[0]):
            raise file.misfit(name, node.body[0], "shares its line with other code")
    if _header(ours) != _header(theirs) and not _is_open(ours):
        start, stop = source.comment_start(ours), source.header_stop(ours)
        text = _moved(source, start, stop, target, theirs)
        yield _Edit(_start(theirs), target.header_stop(theirs), text)


def _weave_body(
    source: _File, ours: _Function, target: _File, theirs: _Function, name: str
) -> Iterator[_Edit]:
    for node in (ours.body[0], ours.body[-1]):
        if not _is_bare(node, EllipsisType):
            raise source.misfit(name, node, "stands where only `...` may: at an end")
    line = 0
    for dots, run in groupby(ours.body, partial(_is_bare, kind=EllipsisType)):
        if dots:
            continue
        items = [_find(node, source, target, theirs, name) for node in run]
        before: _Item | None = None
        for item in items:
            if item.place is None:
                continue
            for found in filter(None, (item.anchor, item.old)):
                target.check_alone(name, found)
            if _start(item.place) < line:
                raise target.misfit(name, item.place, "comes in another order")
            if before and not _adjacent(before, item):
                raise target.misfit(name, item.place, "has other code before it")
            line, before = _stop(item.place), item
        if before is None:
            raise target.misfit(name, items[0].node, "has no anchor left beside it")
        yield from _weave_run(source, items, target)


def _weave_run(source: _File, items: list[_Item], target: _File) -> Iterator[_Edit]:
    """Insert and replace around the anchors of one run between two ``...``."""
    waiting: list[ast.stmt] = []
    after: _Item | None = None
    for item in items:
        if item.place is None:
            waiting.append(item.node)
            continue
        if waiting:
            start, stop = map(source.comment_start, (waiting[0], item.node))
            at = target.comment_start(item.place)
            yield _Edit(at, at, _moved(source, start, stop, target, item.place))
            waiting = []
        if item.old:
            start, stop = source.comment_start(item.node), _stop(item.node)
            text = _moved(source, start, stop, target, item.old)
            yield _Edit(_start(item.old), _stop(item.old), [] if item.anchor else text)
        after = item
    if waiting and after and after.place:
        start, stop = _stop(after.node), _stop(waiting[-1])
        at = _stop(after.place)
        yield _Edit(at, at, _moved(source, start, stop, target, after.place))


def _find(
    node: ast.stmt, source: _File, target: _File, theirs: _Function, name: str
) -> _Item:
    """Find our statement, and the one it replaces, in upstream's function."""
    if any(_is_bare(inner, EllipsisType) for inner in ast.walk(node)):
        raise source.misfit(name, node, "has a `...` inside")
    source.check_alone(name, node)
    wanted = {ast.dump(node): "anchor"}
    for at in range(source.comment_start(node), _start(node)):
        line = source.lines[at].strip()
        if line.startswith(_INSTEAD_OF):
            source.unread.remove(at)
            wanted[_dump_of_one(line[len(_INSTEAD_OF) :], source, node, name)] = "old"
    found: dict[str, ast.stmt] = {}
    place: list[ast.stmt] = []
    for block in _blocks(theirs):
        for candidate in block:
            role = wanted.get(ast.dump(candidate))
            if role in found:
                raise target.misfit(name, candidate, "is there more than once")
            if role:
                found[role] = candidate
                place = block if role == "anchor" or not place else place
    return _Item(node, found.get("anchor"), found.get("old"), place)


def _dump_of_one(text: bytes, source: _File, node: ast.stmt, name: str) -> str:
    """Parse the statement that ``# instead of:`` names."""
    try:
        (statement,) = ast.parse(text.strip()).body
    except (SyntaxError, ValueError) as error:
        problem = "has an `# instead of:` that does not name one statement"
        raise source.misfit(name, node, problem) from error
    return ast.dump(statement)


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield every list of statements inside ``node``."""
    for inner in ast.walk(node):
        for _, value in ast.iter_fields(inner):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                yield value


def _adjacent(first: _Item, second: _Item) -> bool:
    """Tell whether nothing stands between two found statements."""
    pairs = pairwise(first.block)
    return any(a is first.place and b is second.place for a, b in pairs)


def _add_import(source: _File, node: _Import, target: _File) -> Iterator[_Edit]:
    """Add what upstream does not import yet, before the first that sorts behind it."""
    imports = _imports(target)
    known = {_imported(it, name) for it in imports for name in it.names}
    missing = [
        name
        for name in node.names
        if name.name not in source.without and _imported(node, name) not in known
    ]
    if not missing:
        return
    for name in missing:
        _check_free(name.asname or name.name, node, target)
    node.names = missing
    text = [ast.unparse(node).encode() + target.newline]
    order = _import_order(node, target)
    behind = [it for it in imports if _import_order(it, target) > order]
    beside = behind[0] if behind else [*target.module.body[:1], *imports][-1]
    target.check_alone("", beside)
    apart = isinstance(beside, _Import) and _import_order(beside, target)[0] != order[0]
    blank = [target.newline] if apart else []
    if behind:
        at = target.comment_start(beside)
        yield _Edit(at, at, text + blank)
    else:
        yield _Edit(_stop(beside), _stop(beside), blank + text)


def _add_assignment(node: ast.stmt, target: _File) -> Iterator[_Edit]:
    """Add an assignment that upstream lacks behind its imports."""
    if any(ast.dump(it) == ast.dump(node) for it in target.module.body):
        return
    _check_free(_assigned_name(node), node, target)
    beside = (_imports(target) or target.module.body)[-1]
    target.check_alone("", beside)
    text = [target.newline, ast.unparse(node).encode() + target.newline]
    yield _Edit(_stop(beside), _stop(beside), text)


def _check_free(name: str, node: ast.stmt, target: _File) -> None:
    for it in target.module.body:
        if _binds(it, name):
            raise target.misfit("", it, f"clashes with our `{ast.unparse(node)}`")


def _imports(file: _File) -> list[_Import]:
    return [it for it in file.module.body if isinstance(it, _Import)]


def _import_order(node: _Import, file: _File) -> tuple[int, bool, str]:
    """Return what isort goes by: the section, then `import` before `from`, the name."""
    origin = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
    name = origin or ""
    package = name.partition(".")[0]
    if package == "__future__":
        section = 0
    elif package in sys.stdlib_module_names:
        section = 1
    else:
        section = 3 if package == file.package else 2
    return section, isinstance(node, ast.ImportFrom), name


def _imported(node: _Import, name: ast.alias) -> tuple[object, ...]:
    origin = (node.module, node.level) if isinstance(node, ast.ImportFrom) else ()
    return (*origin, name.name, name.asname)


def _assigned_name(node: ast.stmt) -> str:
    """Return the one name that a statement assigns to, or nothing."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id if len(node.targets) == 1 else ""
    return ""


def _moved(
    source: _File, start: int, stop: int, target: _File, beside: ast.stmt
) -> list[bytes]:
    """Return our lines as they read beside a statement of upstream's."""
    text = [
        line.rstrip(b"\r\n")
        for line in source.lines[start:stop]
        if not line.strip().startswith(_INSTEAD_OF)
    ]
    code = next(line for line in text if line.strip()[:1] not in (b"", b"#"))
    old, new = code[: len(code) - len(code.lstrip())], target.indent(beside)
    # What is indented less, such as the rest of a string, stays where it is.
    return [
        (new + line[len(old) :] if line and line.startswith(old) else line)
        + target.newline
        for line in text
    ]


def _header(node: _Definition) -> str:
    """Return decorators and signature, or bases, in a form to compare."""
    return ast.dump(type(node)(**{**dict(ast.iter_fields(node)), "body": []}))


def _is_open(node: _Definition) -> bool:
    """Tell whether our function leaves its decorators and signature to upstream."""
    return not isinstance(node, ast.ClassDef) and ast.unparse(node.args) == "*_: ..."


def _defines(node: ast.stmt, name: str) -> bool:
    return isinstance(node, _Definition) and node.name == name


def _binds(node: ast.stmt, name: str) -> bool:
    """Tell whether a statement defines ``name``, imports it or assigns to it."""
    if isinstance(node, _Definition):
        return _defines(node, name)
    assigned = ast.dump(ast.Name(name, ast.Store()))
    return any(
        name == (getattr(inner, "asname", None) or getattr(inner, "name", None))
        or ast.dump(inner) == assigned
        for inner in ast.walk(node)
    )


def _is_bare(node: ast.AST, kind: type) -> bool:
    """Tell whether ``node`` is a constant standing alone: `...` or a docstring."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, kind)
    )


def _start(node: ast.stmt) -> int:
    """Return the first line of a statement, decorators included, counted from 0."""
    decorators = getattr(node, "decorator_list", [])
    lines: list[int] = [part.lineno for part in (node, *decorators)]
    return min(lines) - 1


def _stop(node: ast.stmt) -> int:
    """Return the line after a statement, counted from 0."""
    return node.end_lineno or node.lineno
