"""Commands in flight are bounded: beyond the bound a client gets BUSY at once, and no other
waits."""

import itertools
import signal
import time

from crossbook.common.messages import entry
from crossbook.common.types import RejectReason, Side
from tests.system.exchange import Exchange
from tests.system.session import RawSession

QUEUE = 4


def test_a_stopped_matcher_means_busy_and_then_everything_goes_on() -> None:
    with (
        Exchange(ORDER_QUEUE_SIZE=str(QUEUE)) as exchange,
        RawSession(exchange.orders, 1) as one,
        RawSession(exchange.orders, 2) as other,
    ):
        exchange.send_signal("matcher", signal.SIGSTOP)
        orders = [order(one) for _ in range(3 * QUEUE)]
        one.send(*orders)
        refused = [one.answer(request.request_seq) for request in orders[QUEUE:]]
        assert [busy(reply) for reply in refused] == [True] * (2 * QUEUE)
        assert busy(other.reply_to(order(other))), "the bound is the gateway's, not a client's"
        began = time.monotonic()
        for _ in range(200):
            assert isinstance(other.reply_to(entry.Ping(other.next_seq())), entry.Pong)
            assert busy(one.reply_to(order(one)))
        assert time.monotonic() - began < 5, "the gateway stalls while the matcher does"

        exchange.send_signal("matcher", signal.SIGCONT)
        late = [one.answer(request.request_seq) for request in orders[:QUEUE]]
        acks = [reply for reply in late if isinstance(reply, entry.Ack)]
        assert len(acks) == QUEUE, "requests accepted before are answered exactly once"
        assert [b.seq - a.seq for a, b in itertools.pairwise(acks)] == [1] * (QUEUE - 1)
        last = other.reply_to(order(other))
        assert isinstance(last, entry.Ack)
        assert last.seq == acks[-1].seq + 1, "refused requests never reached the matcher"
        assert one.quiet()


def test_without_a_matcher_commands_are_refused_and_the_rest_answered() -> None:
    with Exchange(ready=False) as exchange:
        exchange.start("gateway")
        exchange.wait_bound("gateway")
        with RawSession(exchange.orders, 1) as session:
            assert busy(session.reply_to(order(session)))
            assert busy(session.reply_to(entry.Query(session.next_seq())))
            assert isinstance(session.reply_to(entry.Ping(session.next_seq())), entry.Pong)


def order(session: RawSession) -> entry.New:
    """A small buy order far below any seller."""
    return entry.New(
        request_seq=session.next_seq(),
        symbol="BTC-USDT",
        side=Side.BUY,
        quantity="0.001",
        price="10000",
    )


def busy(reply: entry.Reply) -> bool:
    """Whether a reply refuses a request for lack of room, before sequencing."""
    return isinstance(reply, entry.Reject) and reply.reason == RejectReason.BUSY and reply.seq == 0
