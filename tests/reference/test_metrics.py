"""docs/reference/metrics.md has every family of every exposition, with its type and label.

The families are read from the source of the expositions. tests/system/test_metrics.py compares
the page with `/metrics` of a running exchange.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.reference.pages import page, rows

ROOT: Final = Path(__file__).resolve().parents[2]
TYPES: Final = {
    "counter": "counter",
    "gauge": "gauge",
    "sizes": "histogram",
    "seconds": "histogram",
}
"""Method of `Exposition` -> type of the family it makes."""


def families(process: str, source: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Name, and type and label, of each family that an exposition makes."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        kind = TYPES.get(node.func.attr)
        if kind and isinstance(node.func.value, ast.Name) and node.func.value.id == "self":
            name = ast.literal_eval(node.args[0])
            label = ast.literal_eval(node.args[3]) if len(node.args) > 3 else ""
            end = "_total" if kind == "counter" else ""
            yield f"crossbook_{process}_{name}{end}", (kind, label)


def made() -> dict[str, tuple[str, str]]:
    """Every family of the four processes."""
    return dict(
        family
        for process in ("gateway", "matcher", "publisher", "recorder")
        for path in sorted((ROOT / process).rglob("metrics.py"))
        for family in families(process, path.read_text())
    )


def test_every_family_is_listed_with_type_and_label_and_no_other_one() -> None:
    listed = {row[0].strip("`"): (row[1], row[2].strip("`")) for row in rows(page("metrics"))}
    of_all = {"crossbook_up": ("gauge", "process"), "crossbook_sequence_lag": ("gauge", "consumer")}
    own = {name: exposed for name, exposed in listed.items() if "PROCESS" not in name}
    assert own == made() | of_all
    assert len(made()) > 70


def test_every_metric_has_a_meaning() -> None:
    assert all(len(row[3]) > 5 for row in rows(page("metrics")))
