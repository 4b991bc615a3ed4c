"""docs/reference/streams.md has every message of the WebSocket streams with its fields."""

import inspect
import re
from types import ModuleType
from typing import Any, Final

from msgspec import StructMeta

from crossbook.gateway.api import documents, order_stream
from crossbook.gateway.streams import base, conflated_book, frames, latest, trade_tape
from crossbook.gateway.web import websocket
from tests.reference.pages import page, rows, section

PAGE: Final = page("streams")


def fields_by_type(module: ModuleType) -> dict[str, list[str]]:
    """The fields of each message of a module, by its `type`."""
    structs = [each for each in vars(module).values() if isinstance(each, StructMeta)]
    return {
        each.__struct_config__.tag: list(each.__struct_fields__)
        for each in structs
        if isinstance(each.__struct_config__.tag, str)
    }


def listed(heading: str) -> dict[str, list[str]]:
    """Name and fields of the rows of the tables of three columns below a heading."""
    return {
        row[0].strip("`"): re.findall(r"`(\w+)`", row[1])
        for row in rows(section(PAGE, heading))
        if len(row) == 3
    }


def test_every_market_data_message_is_listed_with_its_fields() -> None:
    by_hand = {
        "heartbeat": ["symbol", "seq"],
        "status": ["symbol", "status", "reason"],
        "resync": ["symbol", "from_trade_id", "interval"],
        "error": ["error"],
    }
    assert listed("Market-data messages") == fields_by_type(frames) | by_hand


def test_every_message_of_orders_is_listed_with_its_fields() -> None:
    sent = fields_by_type(order_stream) | fields_by_type(documents)
    assert listed("`/ws/orders`") == sent


def test_every_method_of_orders_is_listed() -> None:
    methods = re.findall(r'"method":"(\w+)"', section(PAGE, "`/ws/orders`"))
    source = inspect.getsource(order_stream)
    assert sorted(methods) == sorted(set(re.findall(r'method == "(\w+)"', source)))


def test_limits_are_listed_as_they_are() -> None:
    limits = websocket.Limits()
    text = section(PAGE, "Limits")
    for name, value in {
        "message from a client": f"64 KB ({limits.message_max:,} bytes)",
        "messages to a market-data stream": f"{base.MESSAGES_MAX}",
        "requests of a connection without an answer": f"{order_stream.REQUESTS_MAX:,}",
        "unsent bytes of a client": f"256 KB ({limits.buffered_max:,} bytes)",
        "time that a client may be full": f"{limits.full_for_s} s",
        "updates of a book held for clients that are behind": (
            f"{conflated_book.FLUSHES_KEPT}, of {conflated_book.PRICES_KEPT:,} levels in all"
        ),
        "trades held for clients that are behind": f"{trade_tape.TRADES_KEPT:,}",
        "final candles held for clients that are behind": f"{latest.FINALS_KEPT}",
        "silence of a client": (
            f"{limits.ping_after_s} s until a ping, {limits.pong_within_s} s after it"
        ),
        "time to answer a close frame": f"{limits.close_within_s} s",
    }.items():
        assert f"| {name} | {value} |" in text
    assert limits.buffered_low == 64 * 1024


def test_the_book_of_the_example_follows_the_messages() -> None:
    scope: dict[str, Any] = {}
    exec(PAGE.partition("```python\n")[2].partition("```")[0], scope)
    book: dict[str, Any] = {"seq": None, "bids": {}, "asks": {}}
    snapshot = {"type": "snapshot", "seq": 5, "bids": [["2", "1"], ["1", "3"]], "asks": []}
    update = {"type": "l2_update", "seq": 7, "prev_seq": 5, "bids": [["2", "0"]],
              "asks": [["4", "1"]]}  # fmt: skip
    for message in (snapshot, {"type": "bbo", "seq": 6}, update):
        scope["apply"](book, message)
    assert book == {"seq": 7, "bids": {"1": "3"}, "asks": {"4": "1"}}
