"""docs/reference/exports.md has every column of every exported table, in order."""

import pytest

from crossbook.research.tables import DECIMALS, TABLES, Table
from tests.reference.pages import page, rows, section

HEADINGS = {
    "trades": "Trades", "candles": "Candles", "orders": "Orders", "fills": "Fills",
    "l3": "L3 events",
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_column_is_listed_with_kind_and_meaning(table: Table) -> None:
    assert rows(section(page("exports"), HEADINGS[table.name])) == [
        [
            f"`{column.name}`",
            ("decimal" if column.kind in DECIMALS else column.kind)
            + (" or none" if column.optional else ""),
            column.meaning,
        ]
        for column in table.columns
    ]
