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
**Assignments** that upstream lacks are added behind the imports.

Every other byte of upstream's file stays; a last line without an end gets one. Each
edit is made in the file's lines and in its syntax, and the edited lines must read as
the edited syntax: what does not fit is an error, never a guess. Weaving twice must be
the same as weaving once.
"""

import ast
import sys
from copy import copy, deepcopy
from itertools import groupby

from tools.fork import ForkError
from tools.fork.source.syntax import (
    Block,
    Definition,
    Function,
    Import,
    Lines,
    Scope,
    Source,
    names,
    start,
    stop,
)

_INSTEAD_OF = b"# instead of:"
_REFIT = "; fit our sparse source to this release"


def weave(source: Source, upstream: bytes, name: str) -> bytes:
    """Weave a sparse source into a file of upstream's, woven before or not."""
    woven = _Weave(source, Source(f"upstream's {name}", upstream), name).woven()
    try:
        compile(woven, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:  # such as a late `from __future__`
        raise ForkError(f"the woven {name} is not valid Python: {error}.") from error
    if _Weave(source, Source(f"the woven {name}", woven), name).woven() != woven:
        raise ForkError(f"{name}: weaving our source twice would change it twice.")
    return woven


class _Weave:
    """Weaves a sparse source into a file of upstream's, once."""

    def __init__(self, source: Source, target: Source, name: str) -> None:
        self.source = source
        self.target = target
        self.package = name.partition("/")[0]
        lines = enumerate(source.lines)
        self.unread = {at for at, line in lines if _INSTEAD_OF in line}
        self.assigned: Block = []  # what was added to upstream's, in order

    def woven(self) -> bytes:
        if not self.target.module.body:
            raise ForkError(
                f"{self.target.name} is empty; our source needs something there."
            )
        self.members(self.source.module, self.target.module)
        for line in self.unread:
            raise ForkError(
                f"{self.source.name}, line {line + 1}: `# instead of:` may stand only "
                "right above a statement of a sparse function."
            )
        return self.target.data()

    def before(self, node: ast.stmt, text: Lines, *ours: ast.stmt) -> None:
        at = self.target.comment_start(node)
        self.target.edit(at, at, text, node, *ours, node)

    def behind(self, node: ast.stmt, text: Lines, *ours: ast.stmt) -> ast.stmt:
        return self.target.edit(stop(node), stop(node), text, node, node, *ours)[-1]

    def replace(self, node: ast.stmt, text: Lines, ours: ast.stmt) -> ast.stmt:
        return self.target.edit(start(node), stop(node), text, node, ours)[0]

    def members(self, ours: Scope, theirs: Scope) -> None:
        above = theirs.body[-1]
        for node in ours.body:
            if isinstance(node, Definition):
                above = self.definition(node, theirs, above)
            elif isinstance(node, Import | ast.Assign) and theirs is self.target.module:
                self.add(node)
            elif node is not ours.body[0] or not ast.get_docstring(ours):
                problem = "is neither import, assignment nor definition"
                raise self.source.error(node, problem)

    def definition(self, ours: Definition, scope: Scope, above: ast.stmt) -> ast.stmt:
        """Weave a definition, behind ``above`` if it is a new one; return its node."""
        sparse = _is_open(ours) or any(map(_is_dots, ast.walk(ours)))
        found = [it for it in scope.body if ours.name in names(it)]
        if not found and sparse:
            raise self.source.error(ours, f"is gone from upstream's{_REFIT}")
        if not found:
            text = self.moved(self.source.comment_start(ours), stop(ours), above)
            blank = 2 if scope is self.target.module else 1
            return self.behind(above, [self.target.newline] * blank + text, ours)
        theirs = found[0]
        if len(found) > 1:
            raise self.target.error(found[1], f"defines it more than once{_REFIT}")
        if not isinstance(theirs, Definition) or type(ours) is not type(theirs):
            problem = f"is another kind of definition{_REFIT}"
            raise self.target.error(theirs, problem)
        if not sparse and isinstance(ours, Function):
            text = self.moved(start(ours), stop(ours), theirs)
            return self.replace(theirs, text, ours)
        self.header(ours, theirs)
        if isinstance(ours, ast.ClassDef):
            self.members(ours, theirs)
        else:
            self.body(ours, theirs)
        return theirs

    def header(self, ours: Definition, theirs: Definition) -> None:
        """Take over our decorators and signature, or bases, where they differ."""
        fields = {name: it for name, it in ast.iter_fields(ours) if name != "body"}
        node = type(ours)(**fields, body=theirs.body)
        if _is_open(ours) or ast.dump(node) == ast.dump(theirs):
            return
        comment = self.source.comment_start
        text = self.moved(comment(ours), comment(ours.body[0]), theirs)
        first, last = start(theirs), self.target.comment_start(theirs.body[0])
        vars(theirs).update(deepcopy(fields))
        self.target.edit(first, last, text, theirs, theirs)

    def body(self, ours: Definition, theirs: Definition) -> None:
        for node in (ours.body[0], ours.body[-1]):
            if not _is_dots(node):
                problem = "stands where only `...` may: at an end"
                raise self.source.error(node, problem)
        last = None
        for dots, run in groupby(ours.body, _is_dots):
            if not dots:
                last = self.run([*run], theirs, last)

    def run(self, ours: Block, theirs: Definition, last: ast.stmt | None) -> ast.stmt:
        """Weave the statements between two ``...``, and return their last anchor."""
        comment = self.source.comment_start
        waiting: Block = []
        above, behind = None, 0
        for node in ours:
            anchor = self.find(node, theirs)
            if anchor is None:
                waiting.append(node)
                continue
            if last and start(anchor) < stop(last):
                raise self.target.error(anchor, f"comes in another order{_REFIT}")
            block = self.target.block(anchor)
            if above and block[block.index(anchor) - 1] is not above:
                raise self.target.error(anchor, f"has other code before it{_REFIT}")
            if waiting:
                text = self.moved(comment(waiting[0]), comment(node), anchor)
                self.before(anchor, text, *waiting)
            waiting, above, last, behind = [], anchor, anchor, stop(node)
        if not above:
            raise self.source.error(ours[0], f"has no anchor left beside it{_REFIT}")
        if waiting:
            text = self.moved(behind, stop(waiting[-1]), above)
            self.behind(above, text, *waiting)
        return above

    def find(self, node: ast.stmt, theirs: Definition) -> ast.stmt | None:
        """Find our statement in upstream's function, in place of another if asked."""
        if any(map(_is_dots, ast.walk(node))):
            raise self.source.error(node, "has a `...` inside")
        anchor = self.same(node, theirs)
        first = self.source.comment_start(node)
        for at in range(first, start(node)):
            line = self.source.lines[at].strip()
            if not line.startswith(_INSTEAD_OF):
                continue
            self.unread.remove(at)
            try:
                (named,) = ast.parse(line.removeprefix(_INSTEAD_OF).strip()).body
            except (SyntaxError, ValueError) as error:
                problem = "has an `# instead of:` that does not name one statement"
                raise self.source.error(node, problem) from error
            old = self.same(named, theirs)
            if old and anchor:
                self.target.edit(start(old), stop(old), [], old)
            elif old:
                text = self.moved(first, stop(node), old)
                anchor = self.replace(old, text, node)
        return anchor

    def same(self, node: ast.stmt, theirs: Definition) -> ast.stmt | None:
        """Find a statement in upstream's function."""
        wanted = ast.dump(node)
        inside = (it for it in ast.walk(theirs) if isinstance(it, ast.stmt))
        found = [it for it in inside if ast.dump(it) == wanted]
        if len(found) > 1:
            raise self.target.error(found[1], f"is there more than once{_REFIT}")
        return found[0] if found else None

    def add(self, ours: Import | ast.Assign) -> None:
        """Add what upstream lacks of it, before the first import that sorts behind."""
        node, body = copy(ours), self.target.module.body
        if isinstance(node, Import):
            imports = [it for it in body if isinstance(it, Import)]
            known = {_imported(it, name) for it in imports for name in it.names}
            node.names = [it for it in node.names if _imported(node, it) not in known]
        if not names(node) or ast.dump(node) in map(ast.dump, body):
            return
        for it in body:
            if names(it) & names(node):
                problem = f"clashes with our `{ast.unparse(node)}`{_REFIT}"
                raise self.target.error(it, problem)
        order = self.order(node)
        placed = [it for it in body if isinstance(it, Import) or it in self.assigned]
        later = [it for it in placed if self.order(it) > order]
        beside = [*later[:1], *placed[-1:], body[0]][0]
        apart = beside in placed and self.order(beside)[0] != order[0]
        gap, text = [self.target.newline] * apart, self.target.text(node)
        if later:
            self.before(beside, text + gap, node)
            return
        new = self.behind(beside, gap + text, node)
        if isinstance(new, ast.Assign):
            self.assigned.append(new)

    def order(self, node: ast.stmt) -> tuple[int, bool, str]:
        """Return what isort goes by: section, `import` before `from`, the name."""
        if not isinstance(node, Import):
            return 4, False, ""  # an assignment, behind all imports
        origin = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        name = origin or ""
        package = name.partition(".")[0]
        known = package in sys.stdlib_module_names  # `__future__` too
        section = (package != "__future__") + (not known) + (package == self.package)
        return section, isinstance(node, ast.ImportFrom), name

    def moved(self, first: int, last: int, beside: ast.stmt) -> Lines:
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


def _imported(node: Import, name: ast.alias) -> tuple[object, ...]:
    origin = getattr(node, "module", ""), getattr(node, "level", 0)
    return (*origin, name.name, name.asname)


def _is_open(node: Definition) -> bool:
    """Tell whether our function leaves its decorators and signature to upstream."""
    return isinstance(node, Function) and ast.unparse(node.args) == "*_: ..."


def _is_dots(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node) == "..."
