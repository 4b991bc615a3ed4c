"""Small defects of a module's functions, each by itself, as a careless edit leaves them."""

import ast
from collections.abc import Iterator
from functools import cache
from textwrap import shorten
from typing import Final

from msgspec import Struct

_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_COMPUTED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_SWAPPED: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
_LOGS: Final = ("logger", "warn", "_note", "trace", "reached")
"""Calls that only log, or let a test end the process: no promise depends on them."""


class Mutant(Struct, frozen=True, order=True):
    """One defect: a text of a file and its replacement. `line` is where, `function` in what.

    `before` and `after` are the changed lines without the spaces around them.
    """

    path: str
    line: int
    start: int
    end: int
    text: str
    function: str
    before: str
    after: str

    def apply(self, source: str) -> str:
        """The file with this defect."""
        data = source.encode()
        return (data[: self.start] + self.text.encode() + data[self.end :]).decode()

    def __str__(self) -> str:
        changed = f"{shorten(self.before, 120)} -> {shorten(self.after, 120)}"
        return f"{self.path}:{self.line} {self.function}: {changed}"


@cache
def mutants(path: str, source: str) -> list[Mutant]:
    """Every defect of every function in this source, in order; those that do not parse are left
    out.

    >>> [m.after for m in mutants("a.py", "def f(a, b):\\n    return a < b")]
    ['return None', 'return a <= b']
    """
    maker = _Maker(path, source)
    tree = ast.parse(source)
    for node, name in _functions(tree, ""):
        for statement in node.body:
            maker.visit_in(statement, name)
    return sorted(maker.made)


def _functions(
    node: ast.AST, name: str
) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{name}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and child.name != "__repr__":
            yield child, name + child.name


class _Maker(ast.NodeVisitor):
    """Collects the defects of one file in `made`."""

    def __init__(self, path: str, source: str) -> None:
        self._path = path
        self._source = source
        self._lines = source.encode().splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self._function = ""
        self.made: set[Mutant] = set()

    def visit_in(self, node: ast.stmt, function: str) -> None:
        """The defects of one statement of this function."""
        self._function = function
        self.visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        """None: an assertion is for mistakes of ours."""

    def visit_Raise(self, node: ast.Raise) -> None:
        """None: the texts of errors have tests of their own."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """None: likewise."""

    def visit_keyword(self, node: ast.keyword) -> None:
        """Not `strict` of a `zip`, which is an assertion too."""
        if node.arg != "strict":
            self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Only the value."""
        if node.value is not None:
            self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        """A call that is not made."""
        if isinstance(node.value, ast.Call):
            if any(name in ast.unparse(node.value.func) for name in _LOGS):
                return
            self._replace(node, "pass")
            self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Assignments to an attribute, left out."""
        if isinstance(node.targets[0], ast.Attribute | ast.Subscript):
            self._replace(node, "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """A sum that is not made."""
        self._replace(node, "pass")
        self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        """Something that stays."""
        self._replace(node, "pass")

    def visit_Return(self, node: ast.Return) -> None:
        """An answer that is not given."""
        if node.value is not None:
            if not (isinstance(node.value, ast.Constant) and node.value.value is None):
                self._replace(node, "return None")
            self.visit(node.value)

    def visit_Continue(self, node: ast.Continue) -> None:
        """A loop that ends."""
        self._replace(node, "break")

    def visit_If(self, node: ast.If) -> None:
        """The other way."""
        self._replace(node.test, f"not ({ast.unparse(node.test)})")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """The other way."""
        self._replace(node.test, f"(not ({ast.unparse(node.test)}))")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """A boundary that is one off, or the opposite."""
        for place, operator in enumerate(node.ops):
            changed = list(node.ops)
            changed[place] = _COMPARED[type(operator)]()
            self._replace(node, ast.unparse(ast.Compare(node.left, changed, node.comparators)))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """And for or."""
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self._replace(node, f"({ast.unparse(ast.BoolOp(other, node.values))})")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Plus for minus."""
        other = _COMPUTED.get(type(node.op))
        if other is not None and not _is_text(node):
            self._replace(node, f"({ast.unparse(ast.BinOp(node.left, other(), node.right))})")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """A minus that is not there."""
        if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
            self._replace(node, ast.unparse(node.operand))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """The smallest for the largest."""
        if isinstance(node.func, ast.Name) and node.func.id in _SWAPPED:
            self._replace(node.func, _SWAPPED[node.func.id])
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """One more, or the other of two."""
        if isinstance(node.value, bool):
            self._replace(node, str(not node.value))
        elif isinstance(node.value, int):
            self._replace(node, str(node.value + 1))

    def _replace(self, node: ast.expr | ast.stmt, text: str) -> None:
        end_line, end_column = node.end_lineno, node.end_col_offset
        assert end_line is not None, "a parsed node ends somewhere"
        assert end_column is not None, "a parsed node ends somewhere"
        start = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[end_line - 1] + end_column
        mutant = Mutant(self._path, node.lineno, start, end, text, self._function, "", "")
        changed = mutant.apply(self._source)
        try:
            ast.parse(changed)
        except SyntaxError:
            return
        first = self._starts[node.lineno - 1]
        last = self._starts[end_line]
        data = self._source.encode()
        before = " ".join(data[first:last].decode().split())
        tail = len(data) - last
        encoded = changed.encode()
        after = " ".join(encoded[first : len(encoded) - tail].decode().split())
        self.made.add(
            Mutant(self._path, node.lineno, start, end, text, self._function, before, after)
        )


def _is_text(node: ast.BinOp) -> bool:
    parts = (node.left, node.right)
    return any(
        isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.Constant) and isinstance(part.value, str | bytes))
        for part in parts
    )
