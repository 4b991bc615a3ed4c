"""The instruments that a client has received."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from crossbook.client.answers import Ack, Reject
from crossbook.client.known_instruments import KnownInstruments
from crossbook.client.pending import Unanswered
from crossbook.client.request import new_order
from crossbook.common.instruments import example
from crossbook.common.messages import entry
from crossbook.common.types import RejectReason

BTC = "BTC-USDT"
ORDER = new_order(BTC, "buy", quantity_lots=1, price_ticks=100)


def test_a_list_adds_its_instruments_and_their_assets() -> None:
    known = KnownInstruments()
    assert (known.by_symbol, known.has(""), known.has(BTC)) == (None, False, False)
    known.receive(Unanswered(entry.ListInstruments(1), True, "late"))
    known.receive(entry.Reject(1, 16, "", "busy"))
    assert known.by_symbol is None
    known.receive(entry.Instruments(1, [example()]))
    assert (known.has(""), known.has(BTC), known.has("ETH-USDT")) == (True, True, False)
    assert known.by_symbol == {BTC: example()}
    assert known.balance(entry.Balance("BTC", 1, 0)).decimals == 8
    assert known.balance(entry.Balance("XRP", 1, 0)).decimals is None


def test_answers_of_a_batch_have_the_instrument_of_their_request() -> None:
    known = KnownInstruments()
    known.receive(entry.Instruments(1, [example()]))
    ack = known.answer(
        entry.Ack(
            request_seq=1,
            seq=2,
            order_id=2,
            status=1,
            client_order_id="",
            remaining_lots=1,
            time_ns=0,
        ),
        ORDER,
    )
    assert isinstance(ack, Ack)
    assert (ack.instrument, ack.request) == (example(), ORDER)
    assert isinstance(known.answer(entry.Reject(1, 10, "price", ""), ORDER), Reject)


BOUNDED = replace(
    example(), min_quantity_lots=2, max_quantity_lots=500, min_notional=10**8, max_notional=10**12,
    min_price_ticks=5, max_price_ticks=10**7,
)  # fmt: skip
LARGE = new_order(BTC, "buy", "0.1", "50000.00")


@pytest.mark.parametrize(
    ("reason", "field", "seq", "request_", "limit"),
    [
        (RejectReason.BAD_TICK, "price", 0, ORDER, "0.01"),
        (RejectReason.BAD_TICK, "price", 9, ORDER, "0.05"),
        (RejectReason.BAD_LOT, "quantity", 0, ORDER, "0.00001"),
        (RejectReason.BAD_LOT, "quantity", 9, ORDER, "0.00002"),
        (RejectReason.MIN_NOTIONAL, "quantity", 9, ORDER, "1"),
        (RejectReason.EXCEEDS_LIMIT, "price", 9, ORDER, "100000"),
        (RejectReason.EXCEEDS_LIMIT, "stop_price", 9, ORDER, "100000"),
        (RejectReason.EXCEEDS_LIMIT, "quantity", 9, LARGE, "0.005"),
        (RejectReason.EXCEEDS_LIMIT, "quantity", 9, ORDER, "10000"),
        (RejectReason.EXCEEDS_LIMIT, "quote_amount", 9, ORDER, "10000"),
        (RejectReason.EXCEEDS_LIMIT, "account", 9, ORDER, None),
        (RejectReason.UNKNOWN_ORDER, "order_id", 9, ORDER, None),
        (RejectReason.BAD_TICK, "price", 0, new_order("DOGE-USD", "buy", "1", "1"), None),
    ],
)
def test_a_refusal_has_the_limit_of_the_instrument_that_was_broken(
    reason: int, field: str, seq: int, request_: entry.Request, limit: str | None
) -> None:
    known = KnownInstruments()
    known.receive(entry.Instruments(1, [BOUNDED]))
    found = known.limit(
        entry.Reject(
            request_seq=1, reason=reason, field=field, text="", client_order_id="", seq=seq
        ),
        request_,
    )
    assert found == (None if limit is None else Decimal(limit))
