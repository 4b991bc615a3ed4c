"""The outbox: replies by address, each returned once, and the count of rejects."""

from crossbook.common.messages.entry import Pong, Reject, Reply
from crossbook.common.types import RejectReason
from crossbook.gateway.orders.outbox import Outbox

ANN, BOB = b"ann", b"bob"


def pong(request_seq: int) -> Pong:
    return Pong(request_seq=request_seq, seq=7, time_ns=5)


def test_replies_are_drained_once_by_address_and_in_order() -> None:
    outbox = Outbox()
    more: list[Reply] = [pong(3), pong(4)]
    outbox.add(ANN, pong(1))
    outbox.add(BOB, pong(2))
    outbox.extend(ANN, more)
    assert outbox
    assert outbox.drain() == {ANN: [pong(1), pong(3), pong(4)], BOB: [pong(2)]}
    assert not outbox
    assert outbox.drain() == {}


def test_the_message_to_an_address_without_replies_is_empty() -> None:
    outbox = Outbox()
    outbox.extend(ANN, ())
    assert outbox
    assert outbox.drain() == {ANN: []}


def test_a_reject_without_an_address_is_counted_too() -> None:
    outbox = Outbox()
    reject = Reject(request_seq=1, reason=RejectReason.BUSY, field="", text="full")
    outbox.refuse(ANN, reject)
    outbox.refuse(b"", reject)
    assert outbox.drain() == {ANN: [reject]}
    assert outbox.rejects == {RejectReason.BUSY: 2}
