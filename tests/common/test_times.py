"""Durations and points in time: the accepted forms with their nanoseconds, and the refused ones."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import strategies as st

from crossbook.common.times import (
    DAY_NS,
    LAST_NS,
    SECOND_NS,
    duration_ns,
    duration_text,
    parse_duration,
    parse_time,
    time_ns_of,
    time_text,
)
from tests.worlds.given import given


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0s", 0),
        ("1ns", 1),
        ("2us", 2_000),
        ("3ms", 3_000_000),
        ("90s", 90 * SECOND_NS),
        ("5m", 300 * SECOND_NS),
        ("1h30m", 5_400 * SECOND_NS),
        ("1d", DAY_NS),
        ("2w", 14 * DAY_NS),
        ("1m1ms", 60 * SECOND_NS + 1_000_000),
    ],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "1", "d", "1 d", "-1d", "1.5h", "1D", "1d ", "1y", "1d2"])
def test_other_text_is_no_duration_and_the_error_has_it(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration; give whole numbers with a unit") as error:
        parse_duration(text)
    assert repr(text) in str(error.value)


@given(st.integers(0, 400 * DAY_NS))
def test_the_text_of_a_duration_is_read_as_that_duration(nanoseconds: int) -> None:
    assert parse_duration(duration_text(nanoseconds)) == nanoseconds


def test_a_timedelta_is_exact_to_the_microsecond() -> None:
    assert duration_ns(timedelta(days=1, microseconds=1)) == DAY_NS + 1_000
    assert duration_ns("1d") == DAY_NS


@pytest.mark.parametrize(
    "text",
    ["2030-01-02", "2030-01-02T00:00Z", "2030-01-02T00:00:00.000Z", "2030-01-02T02:00+02:00"],
)
def test_a_time_is_utc_unless_it_names_a_zone(text: str) -> None:
    assert time_text(parse_time(text)) == "2030-01-02T00:00:00.000Z"


def test_a_datetime_keeps_its_zone() -> None:
    zone = timezone(timedelta(hours=2))
    assert time_ns_of(datetime(2030, 1, 2, 2, tzinfo=zone)) == time_ns_of(datetime(2030, 1, 2))
    assert time_ns_of(datetime(2030, 1, 2, tzinfo=UTC)) == time_ns_of(datetime(2030, 1, 2))


def test_an_invalid_or_out_of_range_time_is_refused_with_its_text() -> None:
    with pytest.raises(ValueError, match="'tomorrow' is no time; give ISO 8601"):
        parse_time("tomorrow")
    for text in ("1999-12-31T23:59:59Z", "2200-01-01T00:00:00Z"):
        with pytest.raises(ValueError, match="is not within the years 2000 to 2199"):
            parse_time(text)
    assert parse_time("2199-12-31T23:59:59.999999Z") == LAST_NS - 1_000
