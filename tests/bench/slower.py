"""Copies of the engine with one more step for every command."""

import ast
from typing import Any

from crossbook.matcher.build import ROOT
from crossbook.matcher.engine.engine import Engine

_CALLED = "def more(self): pass"


def slower(statement: str) -> type[Engine]:
    """The shipped engine, whose `apply` begins with this statement."""
    tree = ast.parse((ROOT / "matcher" / "engine" / "engine.py").read_text())
    engine = next(
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Engine"
    )
    apply = next(
        node for node in engine.body if isinstance(node, ast.FunctionDef) and node.name == "apply"
    )
    apply.body[1:1] = ast.parse(statement).body
    engine.body += ast.parse(_CALLED).body
    namespace: dict[str, Any] = {"__name__": "matcher.slower"}
    exec(compile(ast.fix_missing_locations(tree), "slower", "exec"), namespace)
    made: type[Engine] = namespace["Engine"]
    return made


class Sorting(slower("sorted(range(40, 0, -1))")):  # type: ignore[misc]
    """Adds work inside one call of C code."""
