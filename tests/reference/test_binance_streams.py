"""docs/reference/binance-streams.md has every event with its fields, every endpoint and limit."""

import json
import re
from typing import Final

from msgspec import StructMeta
from msgspec.structs import fields

from crossbook.gateway.binance.market import documents, queries
from crossbook.gateway.binance.market.intervals import INTERVALS
from crossbook.gateway.binance.streams import client, depth_log, events, klines, requests, trades
from crossbook.gateway.binance.streams.message import shutdown_frame
from crossbook.gateway.binance.streams.names import parse
from tests.reference.pages import page, rows, section

PAGE: Final = page("binance-streams")


def wire_fields(struct: type) -> list[str]:
    """The names of a struct's fields in JSON, its event type first."""
    config = struct.__struct_config__  # type: ignore[attr-defined]
    tag = ["e"] if config.tag is not None else []
    return tag + [each.encode_name for each in fields(struct)]


def listed() -> dict[str, list[str]]:
    """Event and fields of the rows of the table of events."""
    return {
        row[0].strip("`"): re.findall(r"`(\w+)`", row[1])
        for row in rows(section(PAGE, "Streams"))
        if len(row) == 3 and row[1].startswith("`") and ", `" in row[1]
    }


def test_every_event_is_listed_with_its_fields() -> None:
    found = {}
    for each in vars(events).values():
        if isinstance(each, StructMeta) and isinstance(each.__struct_config__.tag, str):
            found[each.__struct_config__.tag] = wire_fields(each)
    found["bookTicker"] = wire_fields(events.BookTickerEvent)
    found["partialDepth"] = wire_fields(documents.PartialDepth)
    found["serverShutdown"] = [*json.loads(shutdown_frame(0, 0)[2:])]
    assert listed() == found
    assert len(found) == 9
    (kline,) = re.findall(r"`k` has ([^;]*);", PAGE)
    assert re.findall(r"`(\w+)`", kline) == wire_fields(events.KlineFacts)


def test_every_stream_of_the_page_exists() -> None:
    names = {
        row[0].split("`")[1].replace("<symbol>", "btcusdt").replace("<interval>", "1m"): row
        for row in rows(section(PAGE, "Streams"))
        if "@" in row[0]
    }
    assert len(names) == 10
    assert all(parse(name) is not None for name in names)


def test_every_interval_is_listed() -> None:
    (line,) = re.findall(r"Intervals: ([^.]*),\s+all in UTC", section(PAGE, "Streams"))
    assert re.findall(r"`(\w+)`", line) == list(INTERVALS)


def test_every_endpoint_is_listed() -> None:
    paths = [row[0].strip("`") for row in rows(section(PAGE, "Endpoints"))]
    assert paths == list(queries.ENDPOINTS)


def test_every_request_is_listed() -> None:
    methods = re.findall(r'"method":"(\w+)"', section(PAGE, "Connections"))
    assert methods == list(requests.METHODS)


def test_limits_are_listed_as_they_are() -> None:
    text = section(PAGE, "Connections")
    assert f"| streams of a connection | {client.STREAMS_MAX:,} |" in text
    many, each = client.REQUESTS_AT_ONCE, client.REQUESTS_PER_S
    assert f"{many} at once, then {each} a second" in text
    slow = section(PAGE, "Slow clients")
    assert f"{depth_log.ENTRIES_KEPT} events, of {depth_log.PRICES_KEPT:,} levels" in slow
    assert f"held ({trades.TRADES_KEPT:,})" in slow
    assert f"held ({klines.FINALS_KEPT})" in slow
    assert f"{_WORDS[depth_log.CUTS_MAX]} snapshots within one pace" in PAGE
    endpoints = section(PAGE, "Endpoints")
    for default, most in (
        (queries.DEPTH_DEFAULT, queries.DEPTH_MOST),
        (queries.TRADES_DEFAULT, queries.TRADES_MOST),
        (queries.KLINES_DEFAULT, queries.KLINES_MOST),
    ):
        assert f"`limit` ({default}, at most {most:,})" in endpoints


_WORDS: Final = {8: "eight"}
