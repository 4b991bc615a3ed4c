"""Whole journeys of an order through the three processes, as bytes on a socket."""

from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pytest
import zmq

from crossbook.common.following.depth import BookChecksum, Depth, OrderDepth
from crossbook.common.instruments import Instrument
from crossbook.common.messages import codec, entry, feed
from crossbook.common.process import sockets
from crossbook.common.types import (
    ExecutionKind,
    Liquidity,
    OrderStatus,
    OrderType,
    RejectReason,
    Side,
)
from crossbook.common.types import TimeInForce as Tif
from tests.system.exchange import Exchange
from tests.system.feed_tap import FeedTap
from tests.system.session import RawSession

SYMBOL = "ETH-USDT"
"""Ticks of 0.01 USDT, lots of 0.0001 ETH; both assets have eight decimals."""

Traders = tuple[RawSession, RawSession]
_accounts = iter(range(1_000, 1_000_000))


@pytest.fixture
def traders(exchange: Exchange) -> Iterator[Traders]:
    """Two sessions of two fresh accounts on a book that is empty before and after."""
    accounts = next(_accounts), next(_accounts)
    with (
        RawSession(exchange.orders, accounts[0]) as one,
        RawSession(exchange.orders, accounts[1]) as two,
    ):
        yield one, two
        for session in (one, two):
            session.reply_to(entry.MassCancel(session.next_seq()))


@pytest.fixture
def tap(exchange: Exchange) -> Iterator[FeedTap]:
    """A subscriber of everything about `SYMBOL`."""
    topics = [feed.topic(channel, SYMBOL) for channel in ("trade", "bbo", "l2", "l3")]
    with FeedTap(exchange.feed, exchange.snapshots, topics) as made:
        yield made


def new(session: RawSession, side: Side, quantity: str, price: str, /, **more: object) -> entry.New:
    """A limit order with the next request sequence of `session`."""
    request = entry.New(
        request_seq=session.next_seq(), symbol=SYMBOL, side=side, quantity=quantity, price=price
    )
    return msgspec.structs.replace(request, **more)


def accepted(session: RawSession, request: entry.Request) -> entry.Ack:
    """The acknowledgement of a request that must not be refused."""
    reply = session.reply_to(request)
    assert isinstance(reply, entry.Ack), f"{request} answered with {reply}"
    return reply


def refused(session: RawSession, request: entry.Request) -> tuple[RejectReason, str]:
    """Reason and field of a request that must be refused."""
    reply = session.reply_to(request)
    assert isinstance(reply, entry.Reject), f"{request} answered with {reply}"
    return RejectReason(reply.reason), reply.field


def test_an_order_rests_is_filled_in_part_amended_and_canceled(
    traders: Traders, tap: FeedTap
) -> None:
    maker, taker = traders

    # Commands that meet in one batch show on the feed together: one at a time, each is seen.
    resting = accepted(maker, new(maker, Side.SELL, "0.5", "2000", client_order_id="m1"))
    assert (resting.status, resting.remaining_lots, resting.client_order_id) == (
        OrderStatus.NEW, 5_000, "m1",
    )  # fmt: skip
    assert resting.order_id == resting.seq

    tap.wait_heartbeat(resting.seq)
    taking = accepted(taker, new(taker, Side.BUY, "0.2", "2000.01"))
    tap.wait_heartbeat(taking.seq)
    assert taking.seq == resting.seq + 1
    trade_id = expect_fills(maker.execution(), taker.execution(), resting, taking)

    amended = accepted(
        maker, entry.Amend(maker.next_seq(), SYMBOL, client_order_id="m1", quantity="0.4")
    )
    assert (amended.order_id, amended.remaining_lots) == (resting.order_id, 2_000)

    tap.wait_heartbeat(amended.seq)
    listed = maker.reply_to(entry.Query(maker.next_seq()))
    assert isinstance(listed, entry.OpenOrders)
    (order,) = listed.orders
    assert (order.order_id, order.price_ticks) == (resting.order_id, 200_000)
    assert (order.quantity_lots, order.filled_lots, order.remaining_lots) == (4_000, 2_000, 2_000)

    bid = accepted(taker, new(taker, Side.BUY, "0.1", "1999"))
    book = tap.snapshot_at(bid.seq, SYMBOL)
    assert (book.bids, book.asks) == ([(199_900, 1_000)], [(200_000, 2_000)])
    assert book.bid_orders == [(bid.order_id, 199_900, 1_000)]
    assert book.ask_orders == [(resting.order_id, 200_000, 2_000)]

    gone = accepted(taker, entry.Cancel(taker.next_seq(), SYMBOL, bid.order_id))
    assert (gone.order_id, gone.status, gone.remaining_lots) == (
        bid.order_id,
        OrderStatus.CANCELED,
        0,
    )
    tap.wait_heartbeat(gone.seq)
    swept = accepted(maker, entry.MassCancel(maker.next_seq()))
    assert (swept.order_id, swept.count) == (0, 1)
    canceled = maker.execution()
    assert (canceled.order_id, canceled.kind, canceled.quantity_lots, canceled.filled_lots) == (
        resting.order_id, ExecutionKind.CANCELED, 2_000, 2_000,
    )  # fmt: skip
    assert maker.quiet()
    assert taker.quiet()
    expect_feed(tap, resting, taking, trade_id, swept.seq)


def expect_fills(
    passive: entry.Execution, active: entry.Execution, resting: entry.Ack, taking: entry.Ack
) -> int:
    """Both sides received a fill of 0.2 ETH at the maker's price; returns the trade's id.

    Fees in units of 1e-8: 0.1 % of 400 USDT for the maker, 0.2 % of 0.2 ETH for the taker.
    """
    maker = entry.Execution(
        request_seq=0,
        seq=taking.seq,
        symbol=SYMBOL,
        order_id=resting.order_id,
        client_order_id="m1",
        kind=ExecutionKind.FILL,
        status=OrderStatus.PARTIALLY_FILLED,
        side=Side.SELL,
        price_ticks=200_000,
        quantity_lots=2_000,
        filled_lots=2_000,
        remaining_lots=3_000,
        time_ns=taking.time_ns,
        trade_id=active.trade_id,
        liquidity=Liquidity.MAKER,
        fee_units=40_000_000,
        index=1,
    )
    taker = entry.Execution(
        request_seq=taking.request_seq,
        seq=taking.seq,
        symbol=SYMBOL,
        order_id=taking.order_id,
        client_order_id="",
        kind=ExecutionKind.FILL,
        status=OrderStatus.FILLED,
        side=Side.BUY,
        price_ticks=200_000,
        quantity_lots=2_000,
        filled_lots=2_000,
        remaining_lots=0,
        time_ns=taking.time_ns,
        trade_id=active.trade_id,
        liquidity=Liquidity.TAKER,
        fee_units=40_000,
        index=1,
    )
    assert (passive, active) == (maker, taker)
    return active.trade_id


def expect_feed(
    tap: FeedTap, resting: entry.Ack, taking: entry.Ack, trade_id: int, last_seq: int
) -> None:
    """Assert that the feed has exactly the journey above: one trade, and a book empty in the
    end."""
    messages = [tapped.message for tapped in tap.until(last_seq)]
    trades = [t for m in messages if isinstance(m, feed.Trades) for t in m.trades]
    assert [msgspec.structs.replace(t, time_ns=0) for t in trades] == [
        feed.Trade(
            seq=taking.seq,
            trade_id=trade_id,
            price_ticks=200_000,
            quantity_lots=2_000,
            aggressor_side=Side.BUY,
            maker_order_id=resting.order_id,
            taker_order_id=taking.order_id,
            time_ns=0,
        )
    ]
    offers = [(m.bid_ticks, m.bid_lots, m.ask_ticks, m.ask_lots)
              for m in messages if isinstance(m, feed.BestBidOffer)]  # fmt: skip
    assert offers == [
        (0, 0, 200_000, 5_000),
        (0, 0, 200_000, 3_000),
        (0, 0, 200_000, 2_000),
        (199_900, 1_000, 200_000, 2_000),
        (0, 0, 200_000, 2_000),
        (0, 0, 0, 0),
    ]
    updates = [m for m in messages if isinstance(m, feed.DepthUpdate)]
    assert [(m.bids, m.asks) for m in updates] == [
        ([], [(200_000, 5_000)]),
        ([], [(200_000, 3_000)]),
        ([], [(200_000, 2_000)]),
        ([(199_900, 1_000)], []),
        ([(199_900, 0)], []),
        ([], [(200_000, 0)]),
    ]
    assert all(b.prev_seq == a.seq for a, b in pairwise(updates))
    assert tap.snapshot(SYMBOL).asks == []


def test_the_feed_alone_keeps_equal_books(
    exchange: Exchange, traders: Traders, tap: FeedTap
) -> None:
    maker, taker = traders
    instrument = instruments(exchange)[SYMBOL]
    start = tap.snapshot(SYMBOL)
    orders, depth, checksum = OrderDepth(), Depth(), BookChecksum(instrument)
    assert not start.bids
    assert not start.asks
    acks = [
        accepted(maker, new(maker, Side.SELL, "0.1", f"{2000 + level}"))
        for level in range(12)
        for _ in range(2)
    ]
    accepted(taker, new(taker, Side.BUY, "0.55", "2002"))
    accepted(maker, entry.Amend(maker.next_seq(), SYMBOL, acks[10].order_id, price="2001.5"))
    last = accepted(taker, new(taker, Side.BUY, "0.01", "1990.01"))
    for tapped in tap.until(last.seq):
        if isinstance(tapped.message, feed.OrdersUpdate):
            for change in tapped.message.changes:
                orders.apply(change)
        elif isinstance(tapped.message, feed.DepthUpdate):
            for side, levels in ((Side.BUY, tapped.message.bids), (Side.SELL, tapped.message.asks)):
                for price, lots in levels:
                    depth.set_level(side, price, lots)
            assert checksum.of(depth) == tapped.message.checksum
    end = tap.snapshot(SYMBOL)
    assert depth == orders.depth
    assert depth.levels(Side.BUY) == end.bids == [(199_001, 100)]
    assert depth.levels(Side.SELL) == end.asks
    assert list(orders.orders(Side.SELL)) == end.ask_orders
    assert checksum.of(depth) == end.checksum


def instruments(exchange: Exchange) -> dict[str, Instrument]:
    """The gateway's instruments by symbol, requested without a session."""
    with RawSession(exchange.orders, log_on=False) as stranger:
        reply = stranger.reply_to(entry.ListInstruments(stranger.next_seq()))
        assert isinstance(reply, entry.Instruments)
        return {instrument.symbol: instrument for instrument in reply.instruments}


def test_immediate_orders_expire_by_their_reason(traders: Traders) -> None:
    maker, taker = traders
    accepted(maker, new(maker, Side.SELL, "0.1", "2000"))
    for more, filled, reason in (
        ({"time_in_force": Tif.FOK}, 0, RejectReason.FILL_OR_KILL),
        ({"time_in_force": Tif.IOC}, 1_000, RejectReason.IMMEDIATE_OR_CANCEL),
        ({"order_type": OrderType.MARKET, "price": 0}, 0, RejectReason.INSUFFICIENT_LIQUIDITY),
    ):
        accepted(taker, new(taker, Side.BUY, "0.3", "2000", **more))
        if filled:
            assert taker.execution().quantity_lots == filled
        ended = taker.execution()
        assert (ended.kind, ended.status, ended.reason) == (
            ExecutionKind.EXPIRED, OrderStatus.EXPIRED, reason,
        )  # fmt: skip
        assert (ended.quantity_lots, ended.filled_lots) == (3_000 - filled, filled)


def test_a_market_order_by_quote_amount_reports_its_end(traders: Traders) -> None:
    maker, taker = traders
    accepted(maker, new(maker, Side.SELL, "1", "2000"))
    accepted(
        taker,
        entry.New(
            taker.next_seq(), SYMBOL, Side.BUY, order_type=OrderType.MARKET, quote_amount="100.1"
        ),
    )
    fill, done = taker.receive_executions(2)
    assert (fill.kind, fill.quantity_lots) == (ExecutionKind.FILL, 500)
    assert (done.kind, done.filled_lots) == (ExecutionKind.COMPLETED, 500)


def test_a_frame_of_many_requests_is_answered_one_by_one(traders: Traders) -> None:
    maker, _ = traders
    requests = [new(maker, Side.BUY, "0.01", f"{1000 + n}") for n in range(20)]
    bad = new(maker, Side.BUY, "0.01", "1000.001")
    replies = maker.replies_to_all(*requests[:10], bad, *requests[10:])
    assert isinstance(replies.pop(10), entry.Reject)
    acks = [reply for reply in replies if isinstance(reply, entry.Ack)]
    assert [ack.request_seq for ack in acks] == [request.request_seq for request in requests]
    assert [ack.seq for ack in acks] == list(range(acks[0].seq, acks[0].seq + 20))


def test_two_sessions_of_one_account_receive_the_same_reports(
    exchange: Exchange, traders: Traders
) -> None:
    one, stranger = traders
    with RawSession(exchange.orders, one.account) as other:
        ack = accepted(one, new(one, Side.BUY, "0.1", "1500", client_order_id="shared"))
        report = other.execution()
        assert (report.kind, report.order_id, report.client_order_id, report.request_seq) == (
            ExecutionKind.NEW, ack.order_id, "shared", 0,
        )  # fmt: skip
        accepted(other, entry.Amend(other.next_seq(), SYMBOL, ack.order_id, price="1501"))
        report = one.execution()
        assert (report.kind, report.price_ticks) == (ExecutionKind.AMENDED, 150_100)
        accepted(one, entry.Cancel(one.next_seq(), SYMBOL, client_order_id="shared"))
        assert other.execution().kind == ExecutionKind.CANCELED
        assert one.quiet()
        assert other.quiet()
    assert stranger.quiet()


def test_refusals_name_reason_and_field(traders: Traders) -> None:
    one, other = traders
    order = accepted(one, new(one, Side.BUY, "0.1", "1500", client_order_id="taken"))
    cases: list[tuple[entry.Request, tuple[RejectReason, str]]] = [
        (new(one, Side.BUY, "0.1", "1500", symbol="NO-SUCH"),
         (RejectReason.UNKNOWN_SYMBOL, "symbol")),
        (new(one, Side.BUY, "0.1", "1500.001"), (RejectReason.BAD_TICK, "price")),
        (new(one, Side.BUY, "0.00001", "1500"), (RejectReason.BAD_LOT, "quantity")),
        (new(one, Side.BUY, "1e3", "1500"), (RejectReason.MALFORMED, "quantity")),
        (new(one, Side.BUY, "0.0001", "1500"), (RejectReason.MIN_NOTIONAL, "quantity")),
        (new(one, Side.BUY, "100000", "1500"), (RejectReason.EXCEEDS_LIMIT, "quantity")),
        (new(one, Side.BUY, "0.1", "1501", client_order_id="taken"),
         (RejectReason.DUPLICATE_CLIENT_ORDER_ID, "client_order_id")),
        (entry.Cancel(one.next_seq(), SYMBOL, 2**62), (RejectReason.UNKNOWN_ORDER, "order_id")),
        (entry.Cancel(one.next_seq(), SYMBOL, client_order_id="never"),
         (RejectReason.UNKNOWN_ORDER, "client_order_id")),
    ]  # fmt: skip
    for request, expected in cases:
        assert refused(one, request) == expected, request
    theirs = entry.Cancel(other.next_seq(), SYMBOL, order.order_id)
    assert refused(other, theirs) == (RejectReason.UNKNOWN_ORDER, "order_id")


def test_a_wrong_token_is_refused_and_costs_the_owner_nothing(
    exchange: Exchange, traders: Traders
) -> None:
    owner, _ = traders
    with RawSession(exchange.orders, owner.account, log_on=False) as stranger:
        for token in (0, 1, 2**64 - 1, owner.token ^ 1):
            stranger.token = token
            request = new(stranger, Side.BUY, "0.1", "1500")
            assert refused(stranger, request) == (RejectReason.NOT_LOGGED_ON, "token")
    listed = owner.reply_to(entry.Query(owner.next_seq()))
    assert isinstance(listed, entry.OpenOrders)
    assert listed.orders == []


def test_a_peer_that_takes_anothers_identity_cannot_act_for_it(
    exchange: Exchange, traders: Traders
) -> None:
    _, counterparty = traders
    account = next(_accounts)
    name = f"client-{account}".encode()
    with RawSession(exchange.orders, account, identity=name) as owner, zmq.Context() as context:
        order = accepted(owner, new(owner, Side.BUY, "0.1", "1500"))
        with sockets.orders_dealer(context, exchange.orders) as thief:
            thief.disconnect(exchange.orders)
            thief.setsockopt(zmq.ROUTING_ID, name)
            thief.connect(exchange.orders)
            for token in (0, owner.token ^ 1):
                body = codec.encode(entry.Cancel(1, SYMBOL, order.order_id))
                thief.send(token.to_bytes(entry.TOKEN_BYTES, "big") + body)
            # An order through the counterparty orders the thief's frames before what follows.
            accepted(counterparty, new(counterparty, Side.SELL, "0.04", "1500"))
            fill = owner.execution()
            assert (fill.order_id, fill.remaining_lots) == (order.order_id, 600)
            while thief.poll(0):
                replies = codec.decode_replies(thief.recv())
                assert all(isinstance(reply, entry.Reject) for reply in replies)
        gone = accepted(owner, entry.Cancel(owner.next_seq(), SYMBOL, order.order_id))
        assert gone.status == OrderStatus.CANCELED


def test_a_client_that_reconnects_keeps_its_session(exchange: Exchange) -> None:
    with RawSession(exchange.orders, next(_accounts)) as session:
        order = accepted(session, new(session, Side.BUY, "0.1", "1500"))
        session.socket.disconnect(exchange.orders)
        session.socket.connect(exchange.orders)
        gone = accepted(session, entry.Cancel(session.next_seq(), SYMBOL, order.order_id))
        assert gone.status == OrderStatus.CANCELED
