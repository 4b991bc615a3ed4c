"""The codec: sound frames come back whole, unsound ones get one reject per request."""

from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from crossbook.common.errors import CodecError
from crossbook.common.messages import admin, codec, entry, events, feed, matcher_queries
from crossbook.common.messages.history_queries import (
    Candle,
    CandleRecords,
    MarketRecord,
    OrderRecord,
    OrderRecords,
)
from crossbook.common.types import MAX_CLIENT_ORDER_ID, MAX_INT, RejectReason, Side
from tests.common.messages.test_messages import Filling
from tests.worlds.given import given

NEW = entry.New(
    request_seq=7,
    symbol="BTC-USDT",
    side=Side.BUY,
    quantity="0.5",
    price="50000.01",
    client_order_id="mine",
)
CANCEL = entry.Cancel(request_seq=8, symbol="BTC-USDT", order_id=42)


def raw(*parts: object) -> bytes:
    """Msgpack of any values, sound or not."""
    return msgspec.msgpack.encode(list(parts))


def test_a_single_request_decodes() -> None:
    assert codec.decode_requests(codec.encode(NEW)) == ((NEW,), [])


def test_a_list_of_requests_decodes_in_order() -> None:
    assert codec.decode_requests(codec.encode([NEW, CANCEL])) == ([NEW, CANCEL], [])


@pytest.mark.parametrize("count", [1, 15, 16, codec.MAX_REQUESTS])
def test_every_length_of_list_header_is_read(count: int) -> None:
    pings = [entry.Ping(n) for n in range(count)]
    assert codec.decode_requests(codec.encode(pings)) == (pings, [])


def test_fields_left_out_take_their_defaults() -> None:
    assert codec.decode_requests(raw(5, 3)) == ((entry.MassCancel(3),), [])


def test_a_field_appended_by_a_newer_client_is_ignored() -> None:
    assert codec.decode_requests(raw(6, 3, "from the future")) == ((entry.Ping(3),), [])


def test_each_unsound_request_of_a_list_has_its_own_reject() -> None:
    frame = msgspec.msgpack.encode([NEW, [3, 9, "BTC-USDT", -1], CANCEL, [99, 10]])
    requests, rejects = codec.decode_requests(frame)
    assert list(requests) == [NEW, CANCEL]
    assert [(r.request_seq, r.reason, r.field) for r in rejects] == [
        (9, RejectReason.MALFORMED, "order_id"),
        (10, RejectReason.MALFORMED, "tag"),
    ]


@pytest.mark.parametrize(
    ("body", "request_seq", "field"),
    [
        (raw(2, 5, "BTC-USDT", 3, 1, 1), 5, "side"),
        (raw(2, 5, "BTC-USDT", 1, -1, 1), 5, "quantity"),
        (raw(2, 5, "BTC-USDT", 1, 1, 1.5), 5, "price"),
        (raw(2, 5, "BTC-USDT", 1, 1, float("nan")), 5, "price"),
        (raw(2, 5, "BTC-USDT", 1, MAX_INT + 1, 1), 5, "quantity"),
        (raw(2, 5, "B" * 21, 1, 1, 1), 5, "symbol"),
        (raw(2, 5, None, 1, 1, 1), 5, "symbol"),
        (raw(2, 5, "BTC-USDT", 1, 1, 1, 9), 5, "order_type"),
        (raw(2, 5, "BTC-USDT", 1, 1, 1, 1, 0), 5, "time_in_force"),
        (raw(2, 5, "BTC-USDT", 1, 1, 1, 1, 1, "x" * (MAX_CLIENT_ORDER_ID + 1)), 5,
         "client_order_id"),
        (raw(1, 5, 0), 5, "account"),
        (raw(7, 5, "", 0, "", 0, 1001), 5, "limit"),
        (raw(2, -5, "BTC-USDT", 1), 0, "request_seq"),
        (raw(2, 2**63, "BTC-USDT", 1), 0, "request_seq"),
        (raw(2, True, "BTC-USDT", 1), 0, "request_seq"),
        (raw(99, 5), 5, "tag"),
        (raw("New", 5), 5, "tag"),
        (raw(None), 0, "tag"),
        (raw(2), 0, "frame"),
        (msgspec.msgpack.encode({"tag": 2}), 0, "frame"),
        (msgspec.msgpack.encode("New"), 0, "frame"),
        (b"", 0, "frame"),
        (b"\xc1", 0, "frame"),
        (codec.encode(NEW)[:-3], 0, "frame"),
        (codec.encode(NEW) + b"\x00", 0, "frame"),
        (codec.encode([NEW, CANCEL])[:-1], 0, "frame"),
        (b"\x92\x06\x05\xa5", 0, "frame"),
        (b"\x93\x03\x05\xa2\xff\xfe", 5, "frame"),
        (b"\x93\x03\x05\xa2\xff", 0, "frame"),
        (b"\x93\x03\x05\xa2\xff\xfe\x00", 0, "frame"),
        (b"\xdc\x00\x03\x03\x05\xa2\xff\xfe", 5, "frame"),
        (b"\x93\x03\xa1\xff\xa2\xff\xfe", 0, "request_seq"),
        (b"\x93\xa1\xff\x05\xa1x", 5, "tag"),
        (b"\x94\x03\x05\xa1x\x81\x90\x01", 5, "order_id"),
        (b"\x94\x03\x05\xa1x\xc7\x0c\xff" + b"\xff" * 12, 5, "order_id"),
        (b"\x91" * 5000, 0, "frame"),
    ],
)  # fmt: skip
def test_an_unsound_frame_has_one_reject_with_the_field(
    body: bytes, request_seq: int, field: str
) -> None:
    requests, rejects = codec.decode_requests(body)
    assert not requests
    assert [(r.request_seq, r.reason, r.field) for r in rejects] == [
        (request_seq, RejectReason.MALFORMED, field)
    ]
    assert rejects[0].text


@pytest.mark.parametrize(
    "error",
    [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), msgspec.DecodeError("Invalid UTF-8")],
    ids=["msgspec 0.22", "msgspec 0.23"],
)
def test_a_frame_with_bad_text_keeps_its_number_whichever_error_msgspec_raises(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(_: bytes) -> None:
        raise error

    monkeypatch.setattr(codec, "_decode_request", refuse)
    monkeypatch.setattr(codec, "_decode_request_list", refuse)
    bad = b"\x93\x03\x05\xa2\xff\xfe"
    for frame, count in ((bad, 1), (b"\x92" + bad + bad, 2)):
        _, rejects = codec.decode_requests(frame)
        assert [(r.request_seq, r.field) for r in rejects] == [(5, "frame")] * count
        assert all(reject.text.startswith("not msgpack: ") for reject in rejects)


EDGES = (2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1, 2**64, 10**40)


def filled(kind: type[Struct], **fields: Any) -> Any:
    """A message with distinct values in all fields but the given ones."""
    return replace(Filling().message(kind), **fields)


def with_sums(total: int) -> list[tuple[Any, Any]]:
    """Every kind of message with a sum in it, and its decoder."""
    candle = filled(
        Candle,
        volume_lots=total,
        quote_volume=total + 1,
        taker_buy_lots=total,
        taker_buy_quote_volume=total + 1,
    )
    ticker = filled(
        feed.Ticker, volume_lots=total, quote_volume=total, bid_lots=total, ask_lots=total
    )
    levels = [(5, total), (4, 1)]
    uncrossed = filled(events.AuctionUncrossed, quantity_lots=total, surplus_lots=-total)
    balance = filled(entry.Balance, total_units=total)
    return [
        (filled(feed.Candles, candles=[candle]), codec.decode_feed),
        (ticker, codec.decode_feed),
        (filled(feed.DepthUpdate, bids=levels, asks=levels), codec.decode_feed),
        (filled(feed.BestBidOffer, bid_lots=total, ask_lots=total), codec.decode_feed),
        (
            filled(feed.Snapshot, bids=levels, asks=levels, ticker=ticker, candles=[candle]),
            codec.decode_feed_reply,
        ),
        (
            filled(OrderRecords, orders=[filled(OrderRecord, filled_notional=total)]),
            codec.decode_history_answer,
        ),
        (filled(CandleRecords, candles=[candle]), codec.decode_history_answer),
        (filled(MarketRecord, latest=[candle], minutes=[candle]), codec.decode_history_answer),
        (filled(events.EventBatch, events=[uncrossed]), codec.decode_events),
        ([filled(entry.Balances, balances=[balance])], codec.decode_replies),
        (
            filled(matcher_queries.AccountBalances, balances=[balance]),
            codec.decode_matcher_reply,
        ),
        (filled(admin.AdminDone, answer=uncrossed), codec.decode_admin_reply),
    ]


@pytest.mark.parametrize("total", EDGES)
def test_a_sum_of_any_size_survives_its_encoding(total: int) -> None:
    for message, decode in with_sums(total):
        assert decode(codec.encode(message)) == message


@pytest.mark.parametrize("total", EDGES)
def test_a_sum_is_an_integer_while_msgpack_has_one_and_decimal_text_beyond(total: int) -> None:
    ticker = with_sums(total)[1][0]
    expected = total if total < 2**64 else str(total)
    assert msgspec.msgpack.decode(codec.encode(ticker))[8] == expected


def test_a_request_never_turns_a_number_into_text() -> None:
    frame = codec.encode(
        entry.New(request_seq=7, symbol="BTC-USDT", side=Side.BUY, quantity=2**64 - 1, price=1)
    )
    assert [reject.field for reject in codec.decode_requests(frame)[1]] == ["quantity"]
    with pytest.raises(OverflowError, match="beyond 64 bits"):
        codec.encode(
            [entry.New(request_seq=7, symbol="BTC-USDT", side=Side.BUY, quantity=2**64, price=1)]
        )
    _, rejects = codec.decode_requests(raw(3, 8, "BTC-USDT", str(2**64)))
    assert [reject.field for reject in rejects] == ["order_id"]


def test_an_empty_list_is_refused() -> None:
    assert codec.decode_requests(raw())[1][0].field == "frame"


def test_a_frame_over_the_limit_is_refused_without_decoding_it() -> None:
    size = codec.MAX_CLIENT_FRAME
    text = f"frame has {size + 1} bytes, at most {size} are taken"
    refused = entry.Reject(0, RejectReason.TOO_LARGE, "frame", text)
    assert codec.decode_requests(bytes(size + 1)) == ((), [refused])
    assert [r.reason for r in codec.decode_requests(bytes(size))[1]] == [RejectReason.MALFORMED]


def test_too_many_requests_are_each_refused() -> None:
    pings = [entry.Ping(n) for n in range(codec.MAX_REQUESTS + 1)]
    requests, rejects = codec.decode_requests(codec.encode(pings))
    assert not requests
    assert [r.request_seq for r in rejects] == [ping.request_seq for ping in pings]
    assert {r.reason for r in rejects} == {RejectReason.TOO_LARGE}


def test_too_many_requests_with_an_unsound_one_are_refused_once() -> None:
    frame = msgspec.msgpack.encode([[99, 1]] * (codec.MAX_REQUESTS + 1))
    text = f"{codec.MAX_REQUESTS + 1} requests in one frame, at most {codec.MAX_REQUESTS} are taken"
    refused = entry.Reject(0, RejectReason.TOO_LARGE, "frame", text)
    assert codec.decode_requests(frame) == ((), [refused])
    as_many = msgspec.msgpack.encode([[99, 1]] * codec.MAX_REQUESTS)
    assert {r.reason for r in codec.decode_requests(as_many)[1]} == {RejectReason.MALFORMED}


def test_bad_bytes_from_outside_become_a_codec_error() -> None:
    for bad in (b"", b"\xc1", raw(9, 9), b"\x93\x01\x05\xa2\xff\xfe", b"\x91" * 100_000):
        with pytest.raises(CodecError, match="not a message"):
            codec.decoded(codec.decode_feed_request, bad)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_request_decoder_raise(body: bytes) -> None:
    requests, rejects = codec.decode_requests(body)
    assert requests or rejects


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats()
                    | st.text(max_size=5) | st.binary(max_size=5),
                    lambda inner: st.lists(inner, max_size=6)))  # fmt: skip
def test_no_msgpack_value_makes_the_request_decoder_raise(value: object) -> None:
    requests, rejects = codec.decode_requests(msgspec.msgpack.encode(value))
    assert requests or rejects


def test_a_candle_of_a_process_that_does_not_count_taker_buys_has_none() -> None:
    sent = [104, 1, 7, [[60, 120, 5, 9, 4, 6, 10, 50, 3, 7, 9, 3]], False]
    answer = codec.decode_history_answer(msgspec.msgpack.encode(sent))
    assert isinstance(answer, CandleRecords)
    assert answer.candles == [Candle(60, 120, 5, 9, 4, 6, 10, 50, 3, 7, 9, 3, 0, 0)]
