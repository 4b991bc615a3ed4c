"""The guide's tables of agents have every parameter of every kind, with default, limits and
meaning."""

import re
from pathlib import Path

import pytest

from crossbook.simulator.agent import Agent
from crossbook.simulator.parameters import parameters_of
from crossbook.simulator.population import BUILT_IN

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "guide" / "agents.md").read_text()
COMMON = [each.name for each in parameters_of(Agent)]


def rows(heading: str) -> list[str]:
    """The rows of the table of parameters below a heading."""
    [section] = re.findall(rf"^#+ {heading}$(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return re.findall(r"^\| `.*\|$", section, re.MULTILINE)


def expected(kind: type[Agent], own: bool) -> list[str]:
    """The rows that the code has for a class."""
    return [
        f"| `{each.name}` | {each.default:,.12g} | {each.allowed} | {each.text} |"
        for each in parameters_of(kind)
        if (each.name not in COMMON) == own
    ]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_kinds_table_is_its_class(name: str) -> None:
    assert rows(f"`{name}`") == expected(BUILT_IN[name], own=True)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_kind_is_described_by_its_docstring_and_its_limit(name: str) -> None:
    kind = BUILT_IN[name]
    text = " ".join((kind.__doc__ or "").split())
    assert f"{text} Its `limit_quote` is {kind.limit_quote:,.12g}." in PAGE


def test_the_common_table_is_the_base_class() -> None:
    assert rows("The built-in kinds") == expected(Agent, own=False)


METHODS = (
    "on_start", "on_fill", "on_trade", "on_reject", "on_book", "act",
    "place", "trade", "cancel", "amend", "orders", "room",
)  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_on_the_page(name: str) -> None:
    assert callable(getattr(Agent, name))
    assert re.search(rf"`{name}\b", PAGE)
