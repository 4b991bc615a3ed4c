"""One gateway's order entry to several matchers: requests to shards, one reply from many. No I/O.

Each matcher has a desk and a link of its own, which work as if it were the only one; the desks
share sessions and outbox. A request that names an instrument, an order or a number goes to the
desk of its shard. A request about the whole account goes to all desks, each time under a
request_seq below zero, which no client can have. The replies are held back until the last one has
arrived, and become one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import (
    Ack,
    Amend,
    Balances,
    Cancel,
    CancelAfter,
    CatchUp,
    Execution,
    MassCancel,
    New,
    OpenOrders,
    Pong,
    Query,
    QueryBalances,
    Reject,
    Reply,
    Request,
)
from crossbook.common.shards import shard_of
from crossbook.common.types import RejectReason
from crossbook.gateway.orders.desk import OrderDesk
from crossbook.gateway.orders.front_desk import FrontDesk
from crossbook.gateway.orders.joint_answer import ShardAnswer, joint_answer
from crossbook.gateway.orders.session import OrderSession


class _JointRequest:
    """A request that went to the desks of several shards, and the answers so far, by shard."""

    def __init__(self, session: OrderSession, request: Request, shards: Sequence[int]) -> None:
        self.session = session
        self.request = request
        self.shards = shards
        self.answers: dict[int, ShardAnswer] = {}


class ShardedDesk(FrontDesk):
    """Stands before the `desks` of all shards, in their order.

    `assignment` is the shard of each instrument, by id. An instrument that is added later is traded
    on the shard that added it, unless another shard has it already.
    """

    def __init__(
        self,
        desks: Sequence[OrderDesk],
        instruments: Iterable[Instrument],
        assignment: Mapping[int, int],
        gateway: int,
    ) -> None:
        first = desks[0]
        super().__init__(instruments, gateway, first.sessions, first.outbox)
        self._desks = desks
        self._joint: dict[int, tuple[_JointRequest, int]] = {}
        self._request_seq = 0
        self._by_symbol = {each.symbol: assignment[each.id] for each in self._instruments.values()}
        for shard, desk in enumerate(desks):
            desk.followers = self.followers
            desk.instrument_listeners.append(self._listener(shard))

    @property
    def is_accepting(self) -> bool:
        """Whether commands of every instrument are accepted and answered."""
        return all(desk.is_accepting for desk in self._desks)

    @property
    def commands_waiting(self) -> int:
        """Commands without a matcher's answer."""
        return sum(desk.commands_waiting for desk in self._desks)

    @property
    def turns_waiting(self) -> int:
        """Those of them that wait for the turn of their account."""
        return sum(desk.turns_waiting for desk in self._desks)

    @property
    def queries_waiting(self) -> int:
        """Queries without a matcher's answer."""
        return sum(desk.queries_waiting for desk in self._desks)

    def home_of(self, symbol: str) -> int:
        """The shard an instrument is traded on; the first for an unknown one."""
        return self._by_symbol.get(symbol, 0)

    @property
    def seqs(self) -> list[int]:
        """The last number received from the matcher of each shard."""
        return [desk.seq for desk in self._desks]

    @property
    def times_ns(self) -> list[int]:
        """The time of the last batch or heartbeat of the matcher of each shard."""
        return [desk.time_ns for desk in self._desks]

    def seq_of(self, shard: int) -> int:
        """The last number received from the matcher of a shard."""
        return self._desks[shard].seq

    def receive_request(self, session: OrderSession, request: Request) -> None:
        """Pass one valid request of a session to the desks of the shards it concerns."""
        if isinstance(request, New | Cancel | Amend):
            self._pass_by_symbol(session, request)
        elif isinstance(request, MassCancel):
            if request.symbol:
                self._pass_by_symbol(session, request)
            else:
                self._pass_to_all(session, request)
        elif isinstance(request, Query):
            self._pass_query(session, request)
        elif isinstance(request, CancelAfter | QueryBalances):
            self._pass_to_all(session, request)
        elif isinstance(request, CatchUp):
            self._pass_by_number(session, request, request.from_seq, "from_seq")
        else:
            self._answer_open(session.identity, request)

    def collect_replies(self) -> dict[bytes, list[Reply]]:
        """Remove and return the replies that are ready; those to a joint request are held back
        until the last one has arrived."""
        drained = super().collect_replies()
        if not self._joint:
            return drained
        ready: dict[bytes, list[Reply]] = {}
        for identity, replies in drained.items():
            if any(reply.request_seq < 0 for reply in replies):
                replies = self._joined(replies)
                if not replies:
                    continue
            ready[identity] = replies
        return ready

    @property
    def has_work(self) -> bool:
        """Whether `work` has something to do."""
        return any(desk.has_work for desk in self._desks)

    def work(self) -> None:
        """Have every desk take the requests whose turn it is, and send one of the sessions that
        catch up at it a few more executions."""
        for desk in self._desks:
            desk.work()

    def _joined(self, replies: Sequence[Reply]) -> list[Reply]:
        """The replies as the client gets them."""
        ready: list[Reply] = []
        ended: list[int] = []
        for reply in replies:
            found = self._joint.get(reply.request_seq) if reply.request_seq < 0 else None
            if found is None:
                ready.append(reply)
                continue
            joint, shard = found
            if isinstance(reply, Execution):
                # An execution that a request caused stands behind the answer, in the same list.
                ready.append(replace(reply, request_seq=joint.request.request_seq))
                continue
            assert isinstance(reply, Ack | Reject | OpenOrders | Balances), reply
            ended.append(reply.request_seq)
            joint.answers[shard] = reply
            if len(joint.answers) == len(joint.shards):
                ready.append(joint_answer(joint.request, joint.answers))
        for request_seq in ended:
            del self._joint[request_seq]
        return ready

    def _pass_to_all(
        self, session: OrderSession, request: Request, shards: Sequence[int] | None = None
    ) -> None:
        shards = range(len(self._desks)) if shards is None else shards
        joint = _JointRequest(session, request, shards)
        for shard in shards:
            self._request_seq -= 1
            self._joint[self._request_seq] = (joint, shard)
            of_shard = replace(request, request_seq=self._request_seq)
            self._desks[shard].receive_request(session, of_shard)

    def _pass_by_symbol(
        self, session: OrderSession, request: New | Cancel | Amend | MassCancel | Query
    ) -> None:
        shard = self._by_symbol.get(request.symbol)
        if shard is None:
            text = f"no instrument is called {request.symbol!r} here"
            self._refuse_one(session, request, RejectReason.UNKNOWN_SYMBOL, "symbol", text)
        else:
            self._desks[shard].receive_request(session, request)

    def _pass_query(self, session: OrderSession, request: Query) -> None:
        if request.symbol:
            self._pass_by_symbol(session, request)
        elif request.order_id:
            self._pass_by_number(session, request, request.order_id, "order_id")
        else:
            # Orders are listed by id, and so shard after shard.
            first = shard_of(request.after_order_id)
            shards = range(min(first, len(self._desks) - 1), len(self._desks))
            self._pass_to_all(session, request, shards)

    def _pass_by_number(
        self, session: OrderSession, request: Query | CatchUp, number: int, field: str
    ) -> None:
        shard = shard_of(number)
        if shard < len(self._desks):
            self._desks[shard].receive_request(session, request)
            return
        text = f"{number} is of shard {shard}, and there are {len(self._desks)}"
        self._refuse_one(session, request, RejectReason.MALFORMED, field, text)

    def _pongs(self, request_seq: int) -> list[Pong]:
        """A pong for every shard that was reached; the first shard's, the answer, is the last."""
        others = [Pong(0, desk.seq, desk.time_ns) for desk in self._desks[1:] if desk.was_reached]
        first = self._desks[0]
        return [*others, Pong(request_seq, first.seq, first.time_ns)]

    def _listener(self, shard: int) -> Callable[[Instrument], None]:
        def listen(instrument: Instrument) -> None:
            same_id = self._instruments.get(instrument.id, instrument)
            for symbol in (instrument.symbol, same_id.symbol):
                kept = self._by_symbol.get(symbol, shard)
                if kept != shard:
                    facts = {"instrument": instrument.id, "kept": kept, "ignored": shard}
                    self._notices.append(("instrument_on_two_shards", facts))
                    return
            self._by_symbol[instrument.symbol] = shard
            self._instruments[instrument.id] = instrument
            for listener in self.instrument_listeners:
                listener(instrument)

        return listen

    def _refuse_one(
        self, session: OrderSession, request: Any, reason: RejectReason, field: str, text: str
    ) -> None:
        coid = getattr(request, "client_order_id", "")
        reject = Reject(request.request_seq, reason, field, text, coid)
        self.outbox.refuse(session.identity, reject)
