"""The order-entry desk: frames of clients in, commands out; events in, replies out. No I/O.

The service around it hands frames in (see gateway/orders/front_desk.py) and sends `outbox` out; the
link (gateway/orders/matcher_link.py) takes `commands` and `questions` to the matcher and brings its
events. At most `queue_size` commands are in flight between here and the matcher's answer: past that
a client hears `BUSY` at once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import Command, MassCancelOrders
from crossbook.common.messages.entry import (
    Balances,
    CatchUp,
    ListInstruments,
    Logon,
    OpenOrders,
    Ping,
    Pong,
    Query,
    QueryBalances,
    Reject,
    Reply,
    Request,
)
from crossbook.common.messages.events import EventBatch, InstrumentAdded
from crossbook.common.messages.matcher_queries import (
    AccountBalances,
    BalancesRequest,
    Orders,
    OrdersRequest,
)
from crossbook.common.types import RejectReason
from crossbook.gateway.orders.catch_up import CatchUps
from crossbook.gateway.orders.front_desk import FrontDesk, Outbox
from crossbook.gateway.orders.reports import Pending, Reporter
from crossbook.gateway.orders.session import Session, SessionTable
from crossbook.gateway.orders.translate import FieldError, Translator

QUESTIONS_MAX = 10_000
"""Most queries waiting for the matcher's answer."""

QUESTION_NS = 5_000_000_000
"""Nanoseconds after which a query is given up."""


_NOBODY: Final = Session(b"", 0, b"")
"""Who asks for what the gateway does by itself: answers to it go nowhere."""


class OrderDesk(FrontDesk):
    """One gateway's order entry to one matcher.

    It takes no commands before `begin`, nor after `suspend`: clients hear `BUSY`. `in_flight`
    holds every command handed on that has no answer, oldest first; `number` is the last one's.
    `seq` and `time_ns` are the last the matcher was heard to say.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        gateway: int,
        queue_size: int,
        sessions: SessionTable,
        outbox: Outbox | None = None,
        max_open_orders: int = 0,
    ) -> None:
        super().__init__(instruments, gateway, sessions, outbox)
        self._queue_size = queue_size
        self._room = 0
        self._why_busy = "the matcher has not been reached yet"
        self._translator = Translator(self._instruments.values(), gateway)
        self._asked: dict[int, tuple[Session, int, int]] = {}
        self._question_id = 0
        self._now_ns = 0
        self.matcher_is_silent = False
        self._deserted = sessions.watch_deserted()
        self.number = 0
        self.in_flight: Pending = {}
        self.commands: list[Command] = []
        self.questions: list[OrdersRequest | BalancesRequest] = []
        self.catch_ups = CatchUps(self._instruments.values(), self.outbox)
        self.seq = 0
        self.time_ns = 0
        self._reporter = Reporter(
            self._instruments.values(), gateway, sessions.by_account, self.in_flight, self.outbox,
            max_open_orders,
        )  # fmt: skip

    @property
    def taken_over(self) -> bool:
        """Whether the matcher answered a number that this desk has not used yet: another gateway
        has the same id."""
        return self._reporter.stray > self.number

    @property
    def refusals(self) -> Counter[int]:
        """How many requests were refused since the start, here or by the matcher, by reason."""
        return self._rejects + self._reporter.rejects

    @property
    def queries_waiting(self) -> int:
        """Queries without the matcher's answer."""
        return len(self._asked)

    @property
    def taking(self) -> bool:
        """Whether commands are taken and answered: the matcher is known, not suspected of
        anything, and was heard of lately."""
        return self._room > 0 and not self.matcher_is_silent

    def home_of(self, symbol: str) -> int:
        """Where there is one matcher, that one."""
        return 0

    @property
    def seqs(self) -> list[int]:
        """The last number heard of."""
        return [self.seq]

    def seq_of(self, shard: int) -> int:
        """The last number heard of from this matcher."""
        return self.seq

    def begin(self, number: int, seq: int) -> None:
        """Take commands, the next one as number `number + 1`, standing at `seq`.

        Sessions opened before the matcher was first reached hear from where on they are told
        everything.
        """
        if not self.number:
            for session in self.sessions.by_token.values():
                self._reply(session.identity, Pong(0, seq, self.time_ns))
        self.number = number
        self.seq = seq
        self.resume()

    def suspend(self, why: str) -> None:
        """Take no commands until `resume` or `begin`."""
        self._room = 0
        self._why_busy = why

    def resume(self) -> None:
        """Take commands again."""
        self._room = self._queue_size
        self._why_busy = (
            f"as many commands are in flight as this gateway takes, {self._queue_size} "
            "(ORDER_QUEUE_SIZE)"
        )

    def take_request(self, session: Session, request: Request) -> None:
        """Take one sound request of a session; what it is answered goes to its address."""
        self.take_requests(session, (request,))

    def take_requests(self, session: Session, requests: Sequence[Request]) -> None:
        """Take sound requests of a session; what they are answered goes to its address."""
        if self._deserted:
            # What was to be canceled is canceled before anything new, which stays.
            self._cancel_deserted()
        kinds, in_flight = self._translator.kinds, self.in_flight
        account = session.account
        for request in requests:
            translate = kinds.get(type(request))
            if translate is None:
                self._take_question(session, request)
                continue
            if len(in_flight) >= self._room:
                self._refuse(session.identity, _busy(request, self._why_busy))
                continue
            number = self.number + 1
            try:
                command = translate(request, account, number)
            except FieldError as error:
                coid = getattr(request, "client_order_id", "")
                self._refuse(session.identity, error.reject(request.request_seq, coid))
                continue
            self.number = number
            in_flight[number] = (session, request.request_seq, command)
            self.commands.append(command)

    def _take_question(self, session: Session, request: Request) -> None:
        """Take a request that is no command."""
        if isinstance(request, Query | QueryBalances):
            self._take_query(session, request)
        elif isinstance(request, CatchUp):
            self._take_catch_up(session, request)
        elif isinstance(request, Logon | Ping | ListInstruments):
            self._take_open(session.identity, request)

    def take_back(self, commands: Sequence[Command], text: str) -> None:
        """These, the last taken, never left: their senders hear `BUSY`, and their numbers are
        used again."""
        for command in commands:
            session, request_seq, _ = self.in_flight.pop(command.request_seq)
            if session is _NOBODY:
                self._deserted[command.account] = None
            coid = getattr(command, "client_order_id", "")
            self._refuse(session.identity, Reject(request_seq, RejectReason.BUSY, "", text, coid))
        self.number -= len(commands)

    def refuse_question(self, question: OrdersRequest | BalancesRequest, text: str) -> None:
        """This query could not be asked."""
        session, request_seq, _ = self._asked.pop(question.request_id)
        self._refuse(session.identity, Reject(request_seq, RejectReason.BUSY, "", text))

    def take_events(self, batch: EventBatch) -> None:
        """Report a batch of events, which must be the next in order."""
        self.seq = batch.last_seq
        self.time_ns = batch.time_ns
        if batch.events:
            reporter = self._reporter
            reporter.report(batch)
            for news in reporter.news:
                if isinstance(news, InstrumentAdded):
                    self.learn(news.definition)
                else:
                    known = self._instruments[news.instrument]
                    self.learn(
                        replace(
                            known,
                            maker_fee_rate=news.maker_fee_rate,
                            taker_fee_rate=news.taker_fee_rate,
                        )
                    )
            reporter.news.clear()

    def learn(self, instrument: Instrument) -> None:
        """This instrument is traded too, or has changed."""
        self._instruments[instrument.id] = instrument
        self._translator.learn(instrument)
        self._reporter.learn(instrument)
        self.catch_ups.learn(instrument)
        for learn in self.learners:
            learn(instrument)

    def lose(self, last_number: int, text: str) -> None:
        """Nobody will say what became of the commands up to `last_number`."""
        for number in [number for number in self.in_flight if number <= last_number]:
            session, request_seq, command = self.in_flight.pop(number)
            if session is _NOBODY and not self.sessions.is_connected(command.account):
                # Done twice it does no more than once, as long as nobody is there.
                self._deserted[command.account] = None
            coid = getattr(command, "client_order_id", "")
            self._refuse(
                session.identity, Reject(request_seq, RejectReason.OUTCOME_UNKNOWN, "", text, coid)
            )

    def take_answer(self, answer: Orders | AccountBalances) -> None:
        """The matcher answered a query."""
        asked = self._asked.pop(answer.request_id, None)
        if asked is None:
            return
        session, request_seq, _ = asked
        if isinstance(answer, Orders):
            reply: Reply = OpenOrders(request_seq, answer.seq, answer.orders, answer.more)
        else:
            reply = Balances(request_seq, answer.seq, answer.balances)
        self._reply(session.identity, reply)

    def tick(self, now_ns: int) -> None:
        """Call now and then: queries not answered for `QUESTION_NS` get a `BUSY`."""
        self._now_ns = now_ns
        for question_id, (session, request_seq, asked_ns) in list(self._asked.items()):
            if now_ns - asked_ns < QUESTION_NS:
                break
            del self._asked[question_id]
            text = "the matcher did not answer in time"
            self._refuse(session.identity, Reject(request_seq, RejectReason.BUSY, "", text))
        self._cancel_deserted()

    def _cancel_deserted(self) -> None:
        """Cancel the orders of accounts whose connections asked for it and are all gone; those
        there is no room for have their turn later."""
        deserted = self._deserted
        while deserted and len(self.in_flight) < self._room:
            account = next(iter(deserted))
            del deserted[account]
            self.number = number = self.number + 1
            command = MassCancelOrders(
                self._gateway, number, account, reason=RejectReason.DISCONNECTED
            )
            self.in_flight[number] = (_NOBODY, 0, command)
            self.commands.append(command)

    def gather(self) -> None:
        """Nothing is held back: there is one answer to each request."""

    def _pongs(self, request_seq: int) -> list[Pong]:
        return [Pong(request_seq, self.seq, self.time_ns)]

    def _take_catch_up(self, session: Session, request: CatchUp) -> None:
        if not self._room:
            self._refuse(session.identity, _busy(request, self._why_busy))
            return
        self.catch_ups.start(session, request.request_seq, request.from_seq, self.seq)

    def _take_query(self, session: Session, request: Query | QueryBalances) -> None:
        if len(self._asked) >= QUESTIONS_MAX:
            self._refuse(
                session.identity,
                _busy(request, f"{QUESTIONS_MAX} queries are waiting, and no more may"),
            )
            return
        if isinstance(request, QueryBalances):
            self._question_id += 1
            self._asked[self._question_id] = (session, request.request_seq, self._now_ns)
            self.questions.append(BalancesRequest(self._question_id, session.account))
            return
        try:
            instrument = self._translator.instrument(request.symbol).id if request.symbol else 0
        except FieldError as error:
            self._refuse(session.identity, error.reject(request.request_seq))
            return
        self._question_id += 1
        self._asked[self._question_id] = (session, request.request_seq, self._now_ns)
        self.questions.append(
            OrdersRequest(
                self._question_id,
                session.account,
                instrument,
                request.order_id,
                request.client_order_id,
                request.after_order_id,
                request.limit,
            )
        )


def _busy(request: Request, text: str) -> Reject:
    coid = getattr(request, "client_order_id", "")
    return Reject(request.request_seq, RejectReason.BUSY, "", text, coid)
