"""The texts of a stretch of time: the accepted and the refused ones."""

from datetime import UTC, datetime

import pytest

from crossbook.common.types import MAX_INT
from crossbook.research.selection import ExportError, Selection, selection

DAY_NS = 1_767_312_000_000_000_000
"""2026-01-02."""


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("2026-01-02", DAY_NS),
        ("2026-01-02T00:00Z", DAY_NS),
        ("2026-01-02 00:00:01", DAY_NS + 10**9),
        ("2026-01-02T00:00:00.000000001Z", DAY_NS + 1),
        ("2026-01-02T00:00:00.5Z", DAY_NS + 5 * 10**8),
        ("2026-01-02T01:30:00+01:30", DAY_NS),
        (str(DAY_NS), DAY_NS),
        (DAY_NS, DAY_NS),
        (datetime(2026, 1, 2, tzinfo=UTC), DAY_NS),
        (datetime(2026, 1, 2), DAY_NS),
        ("1970-01-01", 0),
    ],
)
def test_a_time_is_read_from_its_text(text: str | int | datetime, time_ns: int) -> None:
    assert selection(start=text) == Selection(from_ns=time_ns)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"start": "yesterday"}, "from"),
        ({"start": "2026-02-30"}, "from"),
        ({"end": "2026-01-02T25:00"}, "to"),
        ({"start": "1969-12-31"}, "from"),
        ({"end": str(MAX_INT + 1)}, "to"),
        ({"start": "2026-01-02", "end": "2026-01-02"}, "to"),
        ({"interval": "2m"}, "interval"),
    ],
)
def test_a_text_that_is_no_time_is_refused_by_its_field(given: dict[str, str], field: str) -> None:
    with pytest.raises(ExportError) as caught:
        selection(**given)
    assert caught.value.field == field


def test_the_end_is_not_included() -> None:
    selected = selection(start=10, end=12)
    assert [selected.is_in(each) for each in (9, 10, 11, 12)] == [False, True, True, False]
