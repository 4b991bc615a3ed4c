"""Text of durations and of points in time, as settings and commands give them.

Both become integer nanoseconds. Points in time are UTC unless the text names another zone.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

SECOND_NS: Final = 1_000_000_000
DAY_NS: Final = 86_400 * SECOND_NS

FIRST_NS: Final = 946_684_800 * SECOND_NS
LAST_NS: Final = 7_258_118_400 * SECOND_NS
"""2000-01-01 and 2200-01-01: the points in time a clock may show."""

_UNITS_NS: Final = {
    "w": 7 * DAY_NS,
    "d": DAY_NS,
    "h": 3_600 * SECOND_NS,
    "m": 60 * SECOND_NS,
    "s": SECOND_NS,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_PART: Final = re.compile(r"([0-9]{1,18})(ms|us|ns|[wdhms])")
_DURATION: Final = re.compile(f"(?:{_PART.pattern})+")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def parse_duration(text: str) -> int:
    """Nanoseconds of a duration: whole numbers with w, d, h, m, s, ms, us or ns, one or several.

    Raises `ValueError` for any other text.

    >>> parse_duration("90s"), parse_duration("1d12h") // SECOND_NS
    (90000000000, 129600)
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(
            f"{text!r} is no duration; give whole numbers with a unit (w, d, h, m, s, ms, us, ns), "
            "such as 90s, 1d or 1h30m"
        )
    return sum(int(number) * _UNITS_NS[unit] for number, unit in _PART.findall(text))


def duration_ns(duration: "str | timedelta") -> int:
    """Nanoseconds of a duration given as text or as `timedelta`; raises `ValueError`.

    >>> duration_ns(timedelta(minutes=1)) == duration_ns("1m")
    True
    """
    if isinstance(duration, timedelta):
        return duration // _MICROSECOND * 1_000
    return parse_duration(duration)


def duration_text(nanoseconds: int) -> str:
    """The shortest text that `parse_duration` reads as this duration; weeks stay days.

    >>> duration_text(129_600 * SECOND_NS), duration_text(90_500_000_000), duration_text(0)
    ('1d12h', '1m30s500ms', '0s')
    """
    text = ""
    for unit, unit_ns in _UNITS_NS.items():
        if unit != "w" and nanoseconds >= unit_ns:
            number, nanoseconds = divmod(nanoseconds, unit_ns)
            text += f"{number}{unit}"
    return text or "0s"


def parse_time(text: str) -> int:
    """Nanoseconds since the Unix epoch of an ISO 8601 date or time, to the microsecond.

    Raises `ValueError` for other text, and for a time before 2000 or after 2199.

    >>> parse_time("2030-01-02T00:00Z") - parse_time("2030-01-01") == DAY_NS
    True
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no time; give ISO 8601, such as 2030-01-02T00:00:00Z"
        ) from None
    return time_ns_of(found)


def time_ns_of(time: datetime) -> int:
    """Nanoseconds since the Unix epoch; a time without a zone is UTC. Raises `ValueError` for one
    before 2000 or after 2199."""
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    found_ns = (aware - _EPOCH) // _MICROSECOND * 1_000
    if not FIRST_NS <= found_ns < LAST_NS:
        raise ValueError(f"{time.isoformat()} is not within the years 2000 to 2199")
    return found_ns


def time_text(time_ns: int, decimals: int = 3) -> str:
    """ISO 8601 in UTC, cut to so many digits of a second, at most nine.

    >>> time_text(1_761_482_096_789_999_999)
    '2025-10-26T12:34:56.789Z'
    """
    seconds, rest = divmod(time_ns, SECOND_NS)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{rest:09d}"[: len(whole) + 1 + decimals] + "Z"
