"""An order that meets hundreds of thousands of makers stops early, and no batch exceeds its limit.

Measured without the limits: one IOC order with 500,000 fills was one batch of 35 MB, whose first
frame left after four seconds.
"""

from crossbook.common.instruments_file import MAX_FILLS
from crossbook.common.messages.codec import decode_events, encode
from crossbook.common.messages.commands import Instructions, MassCancelOrders, NewOrder
from crossbook.common.messages.events import OrderCanceled, OrderExpired, TradeExecuted
from crossbook.common.rules import Rules
from crossbook.common.types import RejectReason, TimeInForce
from crossbook.matcher.batch import EVENTS_MAX
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from tests.worlds.forgetful_log import ForgetfulLog
from tests.worlds.venue import ALICE, BOB, BTC, BUY, SELL, limit

ICEBERGS = 1_000
SLICES = 100
EVENTS_MOST = EVENTS_MAX + 3 * MAX_FILLS
MEGABYTE = 1_000_000


def batches_of(sequencer: Sequencer, payloads: list[bytes]) -> list[bytes]:
    """What the matcher sends for these payloads."""
    sent = [sequencer.apply(payloads, 1)]
    while sequencer.has_more:
        sent.append(sequencer.apply([], 1))
    return [batch for batch in sent if batch is not None]


def matcher() -> Sequencer:
    engine = Engine([BTC], Rules(max_fills=MAX_FILLS))
    return Sequencer(engine, ForgetfulLog(7), EventResendBuffer(0))


def test_an_order_stops_and_no_batch_is_large() -> None:
    sequencer = matcher()
    shows = Instructions(display_lots=1)
    iceberg = NewOrder(
        gateway=0,
        request_seq=0,
        account=BOB,
        instrument=BTC.id,
        side=SELL,
        order_type=1,
        time_in_force=1,
        price_ticks=100,
        quantity_lots=SLICES,
        client_order_id="",
        quote_amount=0,
        prevention=0,
        instructions=shows,
    )
    batches_of(sequencer, [encode([iceberg] * ICEBERGS)])
    taker = limit(ALICE, BUY, 100, ICEBERGS * SLICES, time_in_force=TimeInForce.IOC)
    batches = batches_of(sequencer, [encode([taker, taker, limit(ALICE, BUY, 50, 1)])])
    assert len(batches) == 3
    assert max(len(batch) for batch in batches) < 20 * MEGABYTE
    events = [decode_events(batch).events for batch in batches]
    assert max(len(each) for each in events) <= EVENTS_MOST
    stopped = events[0][-1]
    assert isinstance(stopped, OrderExpired)
    assert stopped.reason == RejectReason.TOO_MANY_FILLS
    fills = [sum(isinstance(each, TradeExecuted) for each in batch) for batch in events]
    assert fills == [MAX_FILLS, ICEBERGS * SLICES - MAX_FILLS, 0]


def test_a_sweep_of_fifty_thousand_makers_is_one_event_of_one_order() -> None:
    sequencer = matcher()
    batches_of(sequencer, [encode([limit(BOB, SELL, 100, 1)] * 50_000)])
    (batch,) = batches_of(sequencer, [encode([limit(ALICE, BUY, 100, 50_000)])])
    assert len(decode_events(batch).events) == 50_001


def test_a_mass_cancel_of_many_orders_is_several_batches() -> None:
    sequencer = matcher()
    batches_of(sequencer, [encode([limit(BOB, SELL, 100, 1)] * 70_000)])
    batches = batches_of(sequencer, [encode([MassCancelOrders(0, 0, BOB)])])
    canceled = [
        sum(isinstance(each, OrderCanceled) for each in decode_events(batch).events)
        for batch in batches
    ]
    assert canceled == [MAX_FILLS, 70_000 - MAX_FILLS]
