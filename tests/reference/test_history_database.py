"""docs/reference/history-database.md has every table of the recorder with its columns."""

import re

from crossbook.recorder.tables import METADATA
from tests.reference.pages import page, rows, section


def test_every_table_is_listed_with_its_columns() -> None:
    listed = {
        row[0].strip("`"): tuple(re.findall(r"`(\w+)`", cell) for cell in row[1:3])
        for row in rows(section(page("history-database"), "Tables"))
    }
    tables = {
        table.name: (
            [column.name for column in table.columns if column.primary_key],
            [column.name for column in table.columns if not column.primary_key],
        )
        for table in METADATA.sorted_tables
    }
    assert listed == tables
