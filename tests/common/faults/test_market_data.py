"""The kinds of market data: the messages that they concern, and the rules that make no sense."""

from typing import Any

import pytest

from crossbook.common.faults.face import ServerShutdown
from crossbook.common.faults.kinds import KINDS, FaultRuleError, rule_of
from crossbook.common.faults.market_data import (
    BookEmpty,
    FeedDrop,
    FeedFacts,
    FeedWrongChecksum,
    StreamDisconnect,
    StreamDrop,
    StreamFacts,
    StreamGap,
    StreamWrongChecksum,
)

L2 = FeedFacts("l2", "BTC-USDT")
UPDATE = StreamFacts("market-data", "BTC-USDT", "l2_update")


@pytest.mark.parametrize(
    ("selector", "value", "other"),
    [("channel", "l2", "trade"), ("symbol", "BTC-USDT", "ETH-USDT"), ("symbol", "BTC*", "ETH*")],
)
def test_a_selector_of_the_feed_concerns_its_value_and_no_other(
    selector: str, value: Any, other: Any
) -> None:
    assert FeedDrop(**{selector: value}).concerns(L2)
    assert not FeedDrop(**{selector: other}).concerns(L2)


@pytest.mark.parametrize(
    ("selector", "value", "other"),
    [
        ("stream", "market-data", "trades"),
        ("symbol", "BTC-USDT", "ETH-USDT"),
        ("type", "l2_update", "bbo"),
    ],
)
def test_a_selector_of_streams_concerns_its_value_and_no_other(
    selector: str, value: Any, other: Any
) -> None:
    assert StreamDrop(**{selector: value}).concerns(UPDATE)
    assert not StreamDrop(**{selector: other}).concerns(UPDATE)


def test_only_messages_with_a_checksum_may_have_a_wrong_one() -> None:
    assert FeedWrongChecksum().concerns(L2)
    assert not FeedWrongChecksum().concerns(FeedFacts("l3", "BTC-USDT"))
    assert StreamWrongChecksum().concerns(UPDATE)
    assert not StreamWrongChecksum().concerns(StreamFacts("market-data", "BTC-USDT", "bbo"))


def test_the_ticker_has_no_gaps() -> None:
    assert StreamGap().concerns(UPDATE)
    assert not StreamGap().concerns(StreamFacts("ticker", "BTC-USDT", "ticker"))


def test_a_gap_of_the_face_is_a_lost_change_of_a_book() -> None:
    assert StreamGap().concerns(StreamFacts("binance", "BTC-USDT", "depthUpdate"))
    assert not StreamGap().concerns(StreamFacts("binance", "BTC-USDT", "trade"))


def test_only_the_face_sends_that_it_stops() -> None:
    rule = ServerShutdown(seconds=1)
    assert rule.concerns(StreamFacts("binance", "BTC-USDT"))
    assert rule.concerns(StreamFacts("binance-api", ""))
    assert not rule.concerns(StreamFacts("trades", "BTC-USDT"))


def test_connections_have_no_type() -> None:
    connection = StreamFacts("ticker", "BTC-USDT")
    assert StreamDisconnect(seconds=1, stream="ticker").concerns(connection)
    assert not StreamDisconnect(seconds=1, stream="trades").concerns(connection)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"kind": "feed_wrong_checksum", "channel": "bbo"}, "channel=bbo: only l2 has checksums"),
        ({"kind": "stream_wrong_checksum", "type": "bbo"}, "type=bbo: only snapshot and l2_update"),
        ({"kind": "stream_gap", "stream": "ticker"}, "stream=ticker: it sends the latest only"),
        (
            {"kind": "server_shutdown", "seconds": 1, "stream": "trades"},
            "stream=trades: only the face sends serverShutdown",
        ),
        ({"kind": "book_empty", "next": 1}, "next=1: book_empty lasts until it is removed"),
        ({"kind": "feed_delay"}, "feed_delay needs it"),
        ({"kind": "feed_disconnect", "seconds": 0}, r"0: Expected `float` >= 0\.05"),
        ({"kind": "feed_drop", "channel": "l4"}, "'l4': Invalid enum value 'l4'"),
        ({"kind": "stream_delay", "milliseconds": 5, "milliseconds_max": 9}, "a constant delay"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(values: dict[str, Any], text: str) -> None:
    with pytest.raises(FaultRuleError, match=text):
        rule_of(values)


def test_the_publisher_applies_the_kinds_of_feed_and_book() -> None:
    for name, kind in KINDS.items():
        if name.startswith(("feed_", "book_")):
            assert kind.processes == ("publisher",)
        elif name.startswith("stream_"):
            assert kind.processes == ("gateway",)
    assert BookEmpty().side == "both"
