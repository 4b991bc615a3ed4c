"""One gateway's order entry to several matchers: who is asked what, and one answer from many. No
I/O.

Each matcher has a desk and a link of its own, which work as if it were the only one; they share
sessions and outbox. What names an instrument, an order or a number goes to the desk it belongs to.
What concerns the whole account is asked of all, under a request number no client can have; its
answers are held back until all are there, and one is told.
"""

from collections import Counter
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
from crossbook.gateway.orders.joint_answer import Answer, joint_answer
from crossbook.gateway.orders.session import Session


class _Asked:
    """What was asked of several desks; `answers` are there by shard."""

    def __init__(self, session: Session, request: Request, shards: Sequence[int]) -> None:
        self.session = session
        self.request = request
        self.shards = shards
        self.answers: dict[int, Answer] = {}


class ShardedDesk(FrontDesk):
    """Stands before the `desks` of all shards, in their order.

    `assignment` says the shard of each instrument, by id. One that is added while everything runs
    is traded where it was added, unless another shard has it already.
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
        self._asked: dict[int, tuple[_Asked, int]] = {}
        self._number = 0
        self._by_symbol = {each.symbol: assignment[each.id] for each in self._instruments.values()}
        for shard, desk in enumerate(desks):
            desk.learners.append(self._learner(shard))

    @property
    def taking(self) -> bool:
        """Whether commands of every instrument are taken and answered."""
        return all(desk.taking for desk in self._desks)

    @property
    def refusals(self) -> Counter[int]:
        """How many requests were refused since the start, by reason."""
        return sum((desk.refusals for desk in self._desks), self._rejects.copy())

    @property
    def queries_waiting(self) -> int:
        """Queries without a matcher's answer."""
        return sum(desk.queries_waiting for desk in self._desks)

    def home_of(self, symbol: str) -> int:
        """The shard an instrument is traded on; the first where nobody knows it."""
        return self._by_symbol.get(symbol, 0)

    @property
    def seqs(self) -> list[int]:
        """The last number heard of from each shard's matcher."""
        return [desk.seq for desk in self._desks]

    def seq_of(self, shard: int) -> int:
        """The last number heard of from the matcher of a shard."""
        return self._desks[shard].seq

    def take_request(self, session: Session, request: Request) -> None:
        """Take one sound request of a session."""
        if isinstance(request, New | Cancel | Amend):
            self._take_by_symbol(session, request)
        elif isinstance(request, MassCancel):
            if request.symbol:
                self._take_by_symbol(session, request)
            else:
                self._ask_all(session, request)
        elif isinstance(request, Query):
            self._take_query(session, request)
        elif isinstance(request, CancelAfter | QueryBalances):
            self._ask_all(session, request)
        elif isinstance(request, CatchUp):
            self._take_by_number(session, request, request.from_seq, "from_seq")
        else:
            self._take_open(session.identity, request)

    def gather(self) -> None:
        """Hold answers back until all that belong together are there, and tell them as one."""
        if not self._asked:
            return
        for identity, replies in list(self.outbox.items()):
            if any(reply.request_seq < 0 for reply in replies):
                told = self._told(replies)
                if told:
                    self.outbox[identity] = told
                else:
                    del self.outbox[identity]

    def _told(self, replies: Sequence[Reply]) -> list[Reply]:
        """The replies as the client gets them."""
        told: list[Reply] = []
        ended: list[int] = []
        for reply in replies:
            found = self._asked.get(reply.request_seq) if reply.request_seq < 0 else None
            if found is None:
                told.append(reply)
                continue
            asked, shard = found
            if isinstance(reply, Execution):
                # What follows an answer stands behind it in the same list.
                told.append(replace(reply, request_seq=asked.request.request_seq))
                continue
            assert isinstance(reply, Ack | Reject | OpenOrders | Balances), reply
            ended.append(reply.request_seq)
            asked.answers[shard] = reply
            if len(asked.answers) == len(asked.shards):
                told.append(joint_answer(asked.request, asked.answers))
        for number in ended:
            del self._asked[number]
        return told

    def _ask_all(
        self, session: Session, request: Request, shards: Sequence[int] | None = None
    ) -> None:
        shards = range(len(self._desks)) if shards is None else shards
        asked = _Asked(session, request, shards)
        for shard in shards:
            self._number -= 1
            self._asked[self._number] = (asked, shard)
            self._desks[shard].take_request(session, replace(request, request_seq=self._number))

    def _take_by_symbol(
        self, session: Session, request: New | Cancel | Amend | MassCancel | Query
    ) -> None:
        shard = self._by_symbol.get(request.symbol)
        if shard is None:
            text = f"no instrument is called {request.symbol!r} here"
            self._refuse_one(session, request, RejectReason.UNKNOWN_SYMBOL, "symbol", text)
        else:
            self._desks[shard].take_request(session, request)

    def _take_query(self, session: Session, request: Query) -> None:
        if request.symbol:
            self._take_by_symbol(session, request)
        elif request.order_id:
            self._take_by_number(session, request, request.order_id, "order_id")
        else:
            # Orders are listed by id, and so shard after shard.
            first = shard_of(request.after_order_id)
            shards = range(min(first, len(self._desks) - 1), len(self._desks))
            self._ask_all(session, request, shards)

    def _take_by_number(
        self, session: Session, request: Query | CatchUp, number: int, field: str
    ) -> None:
        shard = shard_of(number)
        if shard < len(self._desks):
            self._desks[shard].take_request(session, request)
            return
        text = f"{number} is of shard {shard}, and there are {len(self._desks)}"
        self._refuse_one(session, request, RejectReason.MALFORMED, field, text)

    def _pongs(self, request_seq: int) -> list[Pong]:
        """What is known of every shard, the first one's last: that is the answer."""
        others = [Pong(0, desk.seq, desk.time_ns) for desk in self._desks[1:] if desk.number]
        first = self._desks[0]
        return [*others, Pong(request_seq, first.seq, first.time_ns)]

    def _learner(self, shard: int) -> Callable[[Instrument], None]:
        def learn(instrument: Instrument) -> None:
            same_id = self._instruments.get(instrument.id, instrument)
            for symbol in (instrument.symbol, same_id.symbol):
                kept = self._by_symbol.get(symbol, shard)
                if kept != shard:
                    facts = {"instrument": instrument.id, "kept": kept, "ignored": shard}
                    self.notices.append(("instrument_on_two_shards", facts))
                    return
            self._by_symbol[instrument.symbol] = shard
            self._instruments[instrument.id] = instrument
            for each in self.learners:
                each(instrument)

        return learn

    def _refuse_one(
        self, session: Session, request: Any, reason: RejectReason, field: str, text: str
    ) -> None:
        coid = getattr(request, "client_order_id", "")
        self._refuse(session.identity, Reject(request.request_seq, reason, field, text, coid))
