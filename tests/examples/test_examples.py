"""Every example is listed, tested, and imports public names only."""

import ast
from pathlib import Path

import pytest

from tests.examples.program import EXAMPLES

PROGRAMS = sorted(EXAMPLES.glob("*.py"))
PUBLIC = {"crossbook", "crossbook.testing", "crossbook.gym"}


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_an_example_is_listed_and_tested_and_uses_public_names(path: Path) -> None:
    assert f"]({path.name})" in (EXAMPLES / "README.md").read_text()
    assert Path(__file__).with_name(f"test_{path.name}").exists()
    imported = [
        name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    ]
    assert not {name for name in imported if name.startswith("crossbook")} - PUBLIC


def test_the_folder_of_examples_is_not_empty() -> None:
    names = {path.stem for path in PROGRAMS}
    assert {"market_maker", "taker", "parquet_recorder", "dead_man_switch"} <= names
