"""The source that mypyc compiles of a module: the same, with two changes.

- A struct that is never encoded (those with `eq=False`: an order) is a native class with the
  `__init__` that msgspec derives from its fields. Native code would otherwise look each of its
  attributes up as any Python object's.
- A class of `common`, which is not compiled, is looked up once, when the module is imported, and
  not among the module's names whenever it is used.

Every line stays where it was, so that a traceback fits the source.
"""

import ast
from collections.abc import Iterator
from typing import Final

SUBCLASSED: Final = frozenset({"Engine", "Venue"})
"""Native classes that interpreted ones derive from, and their bases: tests have wrong engines."""


def lowered(source: str) -> str:
    """The source that is compiled for a module.

    Raises `ValueError` for a struct that would lose an option of its class line.
    """
    lines = source.splitlines()
    tree = ast.parse(source)
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    _lower_classes(tree, imports, lines)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and (marks := _marks(node)):
            if "Struct" in map(ast.unparse, node.bases):
                lines[node.lineno - 1] = f"class {node.name}:"
                _write_init(node, lines)
            assert not lines[node.lineno - 2], "two empty lines stand before a class"
            lines[node.lineno - 2] = f"@mypy_extensions.mypyc_attr({marks})"
    if imports:
        first = imports[0].lineno - 1
        lines[first] = f"import typing, mypy_extensions; {lines[first]}"
    return "\n".join(lines)


def _marks(node: ast.ClassDef) -> str:
    """The decorator that mypyc needs for a class; empty for most."""
    if node.name in SUBCLASSED:
        return "allow_interpreted_subclasses=True"
    if "Struct" not in map(ast.unparse, node.bases):
        return ""
    given = {word.arg: ast.unparse(word.value) for word in node.keywords}
    if given.pop("eq", "") != "False" or given.keys() - {"gc"}:
        raise ValueError(f"{node.name} cannot be compiled: move it to another module")
    # A struct outside the collector's care is a native class outside of it.
    return "native_class=True" + (", acyclic=True" if "gc" in given else "")


def _write_init(node: ast.ClassDef, lines: list[str]) -> None:
    """Put an `__init__` in the place of the struct's first field, and nothing in the others'."""
    fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
    arguments, body = ["self"], []
    for field in fields:
        name = ast.unparse(field.target)
        value = f"={ast.unparse(field.value)}" if field.value is not None else ""
        arguments.append(f"{name}: {ast.unparse(field.annotation)}{value}")
        body.append(f"self.{name} = {name}")
        for number in range(field.lineno - 1, field.end_lineno or field.lineno):
            lines[number] = ""
    head = f"    def __init__({', '.join(arguments)}) -> None: "
    lines[fields[0].lineno - 1] = head + "; ".join(body)


def _lower_classes(tree: ast.Module, imports: list[ast.ImportFrom], lines: list[str]) -> None:
    """Let functions use a constant in the place of each class of `common` they name."""
    origins = {
        alias.name: node
        for node in imports
        for alias in node.names
        if (node.module or "").startswith("crossbook.common.") and not alias.name.isupper()
    }
    uses = {
        (name.lineno, name.col_offset, name.id)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for name in _evaluated(function)
        if name.id in origins and name.id[0].isupper()
    }
    for number, column, name in sorted(uses, reverse=True):
        end = column + len(name)
        lines[number - 1] = f"{lines[number - 1][:end]}_{lines[number - 1][end:]}"
    for name in sorted({name for _, _, name in uses}):
        lines[(origins[name].end_lineno or 0) - 1] += f"; {name}_: typing.Final = {name}"


def _evaluated(node: ast.AST) -> Iterator[ast.Name]:
    """Every name below a node that is no part of an annotation."""
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if field in ("annotation", "returns") or not isinstance(child, ast.AST):
                continue
            if isinstance(child, ast.Name):
                yield child
            yield from _evaluated(child)
