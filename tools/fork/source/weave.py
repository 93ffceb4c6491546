# SPDX-License-Identifier: Apache-2.0
"""Weave a sparse source into the upstream file it belongs to.

A sparse source is ordinary Python. It spells out what a change adds or alters in
upstream's file and leaves out the rest, by these rules:

**Sparse functions.** A function whose body begins and ends with a bare ``...`` is
sparse; further ``...`` may stand between its statements, but not inside one. Each
``...`` stands for any number of upstream's statements.

* A statement that upstream's function has too, at any depth, is an *anchor*. It must be
  there once. Anchors come in upstream's order, and those without a ``...`` between
  them follow each other in upstream's function as well.
* A statement that upstream's function lacks is inserted beside the anchor next to it,
  together with the comment and the blank lines above it.
* The comment ``# instead of: <statement>`` right above a statement names a statement of
  upstream's, in one line. Ours takes its place where upstream has it, and is inserted
  where upstream does not. This comment is not copied.
* Decorators and signature become ours, with the comment above them. The signature
  ``(*_: ...)`` keeps upstream's; with the body ``...`` alone it says no more than that
  upstream has the function.
* The docstring stays upstream's.

**Complete functions.** A function without ``...`` replaces upstream's of that name. If
there is none, it is added behind the definition that stands above it in the sparse
source, or else at the end of the module or class, with the comment above it.

**Classes** hold such functions; decorators and bases become ours.

**Imports** that upstream lacks are added where isort would have them.
**Assignments** to one name that upstream lacks are added behind the imports.

Every other byte of upstream's file stays. Each edit is made in the file's lines and in
its syntax tree, and the edited lines must read as the edited tree: what does not fit is
an error, never a guess. Weaving twice must be the same as weaving once.
"""

import ast
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from tools.fork import ForkError
from tools.fork.source.syntax import (
    Definition,
    Function,
    Import,
    Scope,
    Source,
    names,
    start,
    stop,
)

_INSTEAD_OF = b"# instead of:"


_Lines = list[bytes]
_Block = list[ast.stmt]


class _Place(NamedTuple):
    """Where a statement of upstream's stands: a block, and the index in it."""

    block: _Block
    at: int

    @property
    def node(self) -> ast.stmt:
        return self.block[self.at]


class _Edit(NamedTuple):
    """An edit of upstream's file, in its lines and in its tree alike."""

    start: int  # the first line to replace, from 0
    stop: int  # the line behind the last
    text: _Lines
    place: _Place  # the first statement to replace
    size: int  # how many to replace
    nodes: _Block
    name: str  # our definition that asks for this


def weave(ours: bytes, upstream: bytes, name: str) -> bytes:
    """Weave a sparse source into a file of upstream's.

    Args:
        ours: The sparse source.
        upstream: The file as the release has it, or as an earlier weave left it.
        name: The file's path in upstream's repository.

    Returns:
        The woven file; equal to ``upstream`` where there is nothing left to do.

    Raises:
        ForkError: The source does not fit; names the definition and the statement.
    """
    source, target = Source(f"our {name}", ours), Source(f"upstream's {name}", upstream)
    package = name.partition("/")[0]
    work = _Weave(source, target, package)
    for edit in reversed(work.edits()):  # the lines and statements above stay in place
        block, at = edit.place
        statement = [*edit.nodes, *block[at:]][0]
        block[at : at + edit.size] = edit.nodes
        target.lines[edit.start : edit.stop] = edit.text
        if not target.agrees():
            problem = (
                f"would read otherwise at line {edit.start + 1}, where other code "
                "shares the lines or a string cannot be indented"
            )
            raise work.misfit(edit.name, statement, problem)
    woven = target.data()
    try:
        compile(woven, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:  # such as a late `from __future__`
        raise ForkError(f"the woven {name} is not valid Python: {error}.") from error
    if _Weave(source, Source(f"the woven {name}", woven), package).edits():
        raise ForkError(f"{name}: weaving our source twice would change it twice.")
    return woven


class _Weave:
    """Finds what a sparse source changes in a file of upstream's."""

    def __init__(self, source: Source, target: Source, package: str) -> None:
        self.source = source
        self.target = target
        self.package = package
        self.found: list[_Edit] = []
        self.unread = {at for at, it in enumerate(source.lines) if _INSTEAD_OF in it}

    def edits(self) -> list[_Edit]:
        """Return the edits that are left to do, in the order of their lines."""
        if not self.target.module.body:
            raise ForkError(
                f"{self.target.name} is empty; our source needs something there."
            )
        self.members(self.source.module, self.target.module, "")
        for line in self.unread:
            raise ForkError(
                f"{self.source.name}, line {line + 1}: `# instead of:` may stand only "
                "right above a statement of a sparse function."
            )
        return sorted(self.found, key=lambda edit: (edit.start, edit.stop))

    def misfit(self, name: str, node: ast.stmt, problem: str) -> ForkError:
        remedy = "fit our sparse source to this release"
        return ForkError(
            f"{self.target.name}: {_where(name, node)} {problem}; {remedy}."
        )

    def mistake(self, name: str, node: ast.stmt, problem: str) -> ForkError:
        return ForkError(f"{self.source.name}: {_where(name, node)} {problem}.")

    def before(self, place: _Place, text: _Lines, nodes: _Block, name: str) -> None:
        at = self.target.comment_start(place.node)
        self.found.append(_Edit(at, at, text, place, 0, nodes, name))

    def behind(self, place: _Place, text: _Lines, nodes: _Block, name: str) -> None:
        at, place = stop(place.node), _Place(place.block, place.at + 1)
        self.found.append(_Edit(at, at, text, place, 0, nodes, name))

    def replace(self, place: _Place, text: _Lines, nodes: _Block, name: str) -> None:
        lines = start(place.node), stop(place.node)
        self.found.append(_Edit(*lines, text, place, 1, nodes, name))

    def members(self, ours: Scope, theirs: Scope, prefix: str) -> None:
        above = _Place(theirs.body, len(theirs.body) - 1)
        for node in ours.body:
            if isinstance(node, Definition):
                above = self.definition(node, above, prefix)
            elif isinstance(node, Import) and not prefix:
                self.add_import(node)
            elif isinstance(node, ast.Assign) and names(node) and not prefix:
                self.add_assignment(node)
            elif node is not ours.body[0] or not ast.get_docstring(ours):
                problem = "is neither import, assignment nor definition"
                raise self.mistake(prefix, node, problem)

    def definition(self, ours: Definition, above: _Place, prefix: str) -> _Place:
        """Weave a definition; return its place, or ``above`` if it is a new one."""
        name, scope = prefix + ours.name, above.block
        sparse = _is_open(ours) or any(map(_is_dots, ast.walk(ours)))
        namesakes = [at for at, it in enumerate(scope) if _binds(it, ours.name)]
        if len(namesakes) > 1:
            raise self.misfit(name, scope[namesakes[1]], "defines it more than once")
        if not namesakes and sparse:
            raise self.misfit(name, ours, "is gone")
        if not namesakes:
            first = self.source.comment_start(ours)
            blank = [self.target.newline] * (1 if prefix else 2)
            text = blank + self.moved(first, stop(ours), above.node)
            self.behind(above, text, [ours], name)
            return above
        place = _Place(scope, namesakes[0])
        theirs = place.node
        if not isinstance(theirs, Definition) or type(ours) is not type(theirs):
            raise self.misfit(name, theirs, "is another kind of definition")
        if isinstance(ours, ast.ClassDef):
            self.header(ours, theirs, place, name)
            self.members(ours, theirs, f"{name}.")
        elif sparse:
            self.header(ours, theirs, place, name)
            self.body(ours, theirs, name)
        else:
            text = self.moved(start(ours), stop(ours), theirs)
            old = self.target.lines[start(theirs) : stop(theirs)]
            if text != old or ast.dump(ours) != ast.dump(theirs):
                self.replace(place, text, [ours], name)
        return place

    def header(
        self, ours: Definition, theirs: Definition, place: _Place, name: str
    ) -> None:
        """Take over our decorators and signature, or bases, where they differ."""
        fields = {**dict(ast.iter_fields(ours)), "body": theirs.body}
        node = ast.copy_location(type(ours)(**fields), ours)
        if _is_open(ours) or ast.dump(node) == ast.dump(theirs):
            return
        first, last = self.source.comment_start(ours), _header_stop(self.source, ours)
        text = self.moved(first, last, theirs)
        lines = start(theirs), _header_stop(self.target, theirs)
        self.found.append(_Edit(*lines, text, place, 1, [node], name))

    def body(self, ours: Definition, theirs: Definition, name: str) -> None:
        for node in (ours.body[0], ours.body[-1]):
            if not _is_dots(node):
                raise self.mistake(name, node, "stands where only `...` may: at an end")
        line = 0
        for dots, run in groupby(ours.body, _is_dots):
            if not dots:
                line = self.run([*run], theirs, name, line)

    def run(self, ours: _Block, theirs: Definition, name: str, line: int) -> int:
        """Weave the statements between two ``...``.

        Returns:
            The line behind their last anchor, which comes no sooner than ``line``.
        """
        comment = self.source.comment_start
        waiting: _Block = []
        above, behind = None, 0
        for node in ours:
            place = self.find(node, theirs, name)
            if place is None:
                waiting.append(node)
                continue
            if start(place.node) < line:
                raise self.misfit(name, place.node, "comes in another order")
            if above and place != (above.block, above.at + 1):
                raise self.misfit(name, place.node, "has other code before it")
            if waiting:
                lines = comment(waiting[0]), comment(node)
                text = self.moved(*lines, place.node)
                self.before(place, text, waiting, name)
            waiting, above, behind, line = [], place, stop(node), stop(place.node)
        if not above:
            raise self.misfit(name, ours[0], "has no anchor left beside it")
        if waiting:
            text = self.moved(behind, stop(waiting[-1]), above.node)
            self.behind(above, text, waiting, name)
        return line

    def find(self, node: ast.stmt, theirs: Definition, name: str) -> _Place | None:
        """Find our statement in upstream's function, or the one that it replaces."""
        if any(map(_is_dots, ast.walk(node))):
            raise self.mistake(name, node, "has a `...` inside")
        old: _Place | None = None
        first = self.source.comment_start(node)
        for at in range(first, start(node)):
            line = self.source.lines[at].strip()
            if line.startswith(_INSTEAD_OF):
                self.unread.remove(at)
                named = self.parsed(line.removeprefix(_INSTEAD_OF), node, name)
                old = self.place(named, theirs, name)
        anchor = self.place(node, theirs, name)
        if old and anchor:
            self.replace(old, [], [], name)
        elif old:
            text = self.moved(first, stop(node), old.node)
            self.replace(old, text, [node], name)
        return anchor or old

    def parsed(self, code: bytes, node: ast.stmt, name: str) -> ast.stmt:
        """Return the statement that an ``# instead of:`` above ours names."""
        try:
            (statement,) = ast.parse(code.strip()).body
        except (SyntaxError, ValueError) as error:
            problem = "has an `# instead of:` that does not name one statement"
            raise self.mistake(name, node, problem) from error
        return statement

    def place(self, node: ast.stmt, theirs: Definition, name: str) -> _Place | None:
        """Find a statement in upstream's function."""
        wanted = ast.dump(node)
        found = [it for it in _places(theirs) if ast.dump(it.node) == wanted]
        if len(found) > 1:
            raise self.misfit(name, node, "is there more than once")
        return found[0] if found else None

    def add_import(self, ours: Import) -> None:
        """Add what upstream does not import yet, before the first that sorts behind."""
        body = self.target.module.body
        imports = {at: it for at, it in enumerate(body) if isinstance(it, Import)}
        known = {_imported(it, name) for it in imports.values() for name in it.names}
        missing = [it for it in ours.names if _imported(ours, it) not in known]
        if not missing:
            return
        node = type(ours)(**{**dict(ast.iter_fields(ours)), "names": missing})
        self.check_free(node, *(it.asname or it.name for it in missing))
        order = self.import_order(node)
        later = [at for at, it in imports.items() if self.import_order(it) > order]
        at = later[0] if later else max(imports, default=0)
        apart = at in imports and self.import_order(imports[at])[0] != order[0]
        gap = [self.target.newline] if apart else []
        text = [ast.unparse(node).encode() + self.target.newline]
        if later:
            self.before(_Place(body, at), text + gap, [node], "")
        else:
            self.behind(_Place(body, at), gap + text, [node], "")

    def import_order(self, node: Import) -> tuple[int, bool, str]:
        """Return what isort goes by: section, `import` before `from`, the name."""
        origin = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        name = origin or ""
        package = name.partition(".")[0]
        known = package in sys.stdlib_module_names  # `__future__` too
        section = (package != "__future__") + (not known) + (package == self.package)
        return section, isinstance(node, ast.ImportFrom), name

    def add_assignment(self, ours: ast.stmt) -> None:
        """Add an assignment that upstream lacks behind its imports."""
        body = self.target.module.body
        if ast.dump(ours) in map(ast.dump, body):
            return
        self.check_free(ours, *names(ours))
        imports = [at for at, it in enumerate(body) if isinstance(it, Import)]
        text = [ast.unparse(ours).encode() + self.target.newline]
        at = imports[-1] if imports else len(body) - 1
        self.behind(_Place(body, at), [self.target.newline, *text], [ours], "")

    def check_free(self, node: ast.stmt, *bound: str) -> None:
        """Raise if upstream binds otherwise a name that our statement binds."""
        for it in self.target.module.body:
            if any(_binds(it, name) for name in bound):
                raise self.misfit("", it, f"clashes with our `{ast.unparse(node)}`")

    def moved(self, first: int, last: int, beside: ast.stmt) -> list[bytes]:
        """Return lines of ours as they read beside a statement of upstream's."""
        text = [
            line.rstrip(b"\r\n")
            for line in self.source.lines[first:last]
            if not line.strip().startswith(_INSTEAD_OF)
        ]
        code = next((it for it in text if it.strip()[:1] not in (b"", b"#")), b"")
        old, new = code[: len(code) - len(code.lstrip())], self.target.indent(beside)
        # What is indented less, such as the rest of a string, stays where it is.
        return [
            (new + line[len(old) :] if line and line.startswith(old) else line)
            + self.target.newline
            for line in text
        ]


def _where(name: str, node: ast.stmt) -> str:
    statement = ast.unparse(node).split("\n", 1)[0]
    return f"in `{name.rstrip('.')}`, `{statement}`" if name else f"`{statement}`"


def _places(node: ast.AST) -> Iterator[_Place]:
    """Yield where each statement inside ``node`` stands."""
    for inner in ast.walk(node):
        for _, block in ast.iter_fields(inner):
            for at, it in enumerate(block if isinstance(block, list) else []):
                if isinstance(it, ast.stmt):
                    yield _Place(block, at)


def _header_stop(file: Source, node: Definition) -> int:
    """Return the line after the signature of a definition."""
    last = max(start(node.body[0]), node.lineno)
    while last > node.lineno and file.lines[last - 1].strip()[:1] in (b"", b"#"):
        last -= 1
    return last


def _imported(node: Import, name: ast.alias) -> tuple[object, ...]:
    origin = (node.module, node.level) if isinstance(node, ast.ImportFrom) else ()
    return (*origin, name.name, name.asname)


def _is_open(node: Definition) -> bool:
    """Tell whether our function leaves its decorators and signature to upstream."""
    return isinstance(node, Function) and ast.unparse(node.args) == "*_: ..."


def _is_dots(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node) == "..."


def _binds(node: ast.stmt, name: str) -> bool:
    """Tell whether a statement defines ``name``, imports it or assigns to it."""
    if isinstance(node, Definition):
        return node.name == name
    assigned = ast.dump(ast.Name(name, ast.Store()))
    return any(
        name == (getattr(inner, "asname", None) or getattr(inner, "name", None))
        or ast.dump(inner) == assigned
        for inner in ast.walk(node)
    )
