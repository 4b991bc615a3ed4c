"""The order-entry desk of one matcher: requests of sessions in, replies out. No I/O.

A request becomes a command or a query, which waits in a table for the matcher's answer:

    requests ──> OrderDesk ──> Turns ──> CommandsInFlight ──> MatcherLink ──> matcher
                     │    ──> QueriesInFlight  ──>      │
                     │    ──> CatchUps         ──>      │
    replies <── Outbox <── Reporter <── OrderDesk <─────┘ events

The link (gateway/orders/matcher_link.py) sends what the tables collect. It hands the answers of
queries and catch-ups to their tables, and the events to `apply`. The desk does not use the link.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import MassCancelOrders
from crossbook.common.messages.entry import (
    CatchUp,
    ListInstruments,
    Logon,
    Ping,
    Pong,
    Query,
    QueryBalances,
    Reject,
    Request,
)
from crossbook.common.messages.events import EventBatch, FeesChanged, InstrumentAdded
from crossbook.common.messages.matcher_queries import BalancesRequest, OrdersRequest
from crossbook.common.rules import NO_RULES, Rules
from crossbook.common.types import MAX_INT, RejectReason
from crossbook.gateway.orders.catch_up import CatchUps
from crossbook.gateway.orders.commands_in_flight import CommandsInFlight, Origin
from crossbook.gateway.orders.front_desk import FrontDesk
from crossbook.gateway.orders.outbox import Outbox
from crossbook.gateway.orders.queries_in_flight import QueriesInFlight, SessionQuery
from crossbook.gateway.orders.reports import ListenedEvent, Reporter
from crossbook.gateway.orders.session import OrderSession, SessionTable
from crossbook.gateway.orders.translate import FieldError, Translator
from crossbook.gateway.orders.turns import CALM, Turns

_GATEWAY_ITSELF: Final = OrderSession(b"", 0, b"")
"""The session of commands that the gateway makes by itself; replies to it go nowhere."""


class OrderDesk(FrontDesk):
    """One gateway's order entry to one matcher.

    `in_flight`, `queries` and `catch_ups` hold what waits for the matcher, `turns` the requests
    that others come before; past their limits a client gets `BUSY` at once. `seq` and `time_ns` are
    those of the last batch of events.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        gateway: int,
        queue_size: int,
        sessions: SessionTable,
        outbox: Outbox | None = None,
        rules: Rules = NO_RULES,
    ) -> None:
        super().__init__(instruments, gateway, sessions, outbox)
        self.in_flight = CommandsInFlight(queue_size)
        self.turns = Turns(self.in_flight)
        self._crowded_room = max(0, queue_size - CALM)
        self._calm_room = self._crowded_room
        self.queries = QueriesInFlight(self.outbox)
        self.catch_ups = CatchUps(self._instruments.values(), self.outbox)
        self.seq = 0
        self.time_ns = 0
        self.was_reached = False
        self._matcher_is_silent = False
        self._deserted = sessions.add_deserted_queue()
        self._translator = Translator(self._instruments.values(), gateway)
        self._reporter = Reporter(
            self._instruments.values(), gateway, sessions.by_account, self.in_flight,
            self.outbox, rules,
        )  # fmt: skip

    @property
    def commands_waiting(self) -> int:
        """Commands without the matcher's answer."""
        return len(self.in_flight) + self.turns.waiting

    @property
    def turns_waiting(self) -> int:
        """Those of them that wait for the turn of their account."""
        return self.turns.waiting

    @property
    def queries_waiting(self) -> int:
        """Queries without the matcher's answer."""
        return len(self.queries)

    @property
    def is_accepting(self) -> bool:
        """Whether commands are accepted and answered: the matcher's incarnation is known and not
        in doubt, and the matcher is not silent."""
        return self.in_flight.is_open and not self._matcher_is_silent

    def home_of(self, symbol: str) -> int:
        """The only shard."""
        return 0

    @property
    def seqs(self) -> list[int]:
        """The last number received from the only shard's matcher."""
        return [self.seq]

    @property
    def times_ns(self) -> list[int]:
        """The time of the last batch or heartbeat of the only shard's matcher."""
        return [self.time_ns]

    def seq_of(self, shard: int) -> int:
        """The last number received from the matcher."""
        return self.seq

    def begin(self, seq: int, time_ns: int = 0) -> None:
        """Stand at `seq` of a new incarnation of the matcher, at its time.

        When the matcher is reached for the first time, sessions that were opened before get a
        `Pong`: from its number on they receive everything.
        """
        self.time_ns = max(self.time_ns, time_ns)
        if not self.was_reached:
            self.was_reached = True
            for session in self.sessions.by_token.values():
                self.outbox.add(session.identity, Pong(0, seq, self.time_ns))
        else:
            for follower in self.followers:
                follower.lose()
        self.seq = seq
        # It has answered this moment; the next tick counts from the events behind the answer.
        self._matcher_is_silent = False

    def receive_request(self, session: OrderSession, request: Request) -> None:
        """Accept or refuse one valid request of a session."""
        self.receive_requests(session, (request,))

    def receive_requests(self, session: OrderSession, requests: Sequence[Request]) -> None:
        """Accept or refuse valid requests of a session, in order."""
        if self._deserted:
            # Orders to be canceled are canceled before anything new, which stays.
            self._cancel_deserted()
        in_flight, translations = self.in_flight, self._translator.translations
        account, room = session.account, in_flight.room()
        if room - len(requests) < self._calm_room:
            self._receive_in_crowd(session, requests)
            return
        for request in requests:
            translate = translations.get(type(request))
            if translate is None:
                self._receive_other(session, request)
                continue
            if room <= 0:
                self.outbox.refuse(session.identity, _busy(request, in_flight.why_busy))
                continue
            try:
                command = translate(request, account, in_flight.number + 1)
            except FieldError as error:
                coid = getattr(request, "client_order_id", "")
                self.outbox.refuse(session.identity, error.reject(request.request_seq, coid))
                continue
            in_flight.add(session, request.request_seq, command)
            room -= 1

    def _receive_in_crowd(self, session: OrderSession, requests: Sequence[Request]) -> None:
        """Accept or refuse requests of a session while much is in flight: commands beyond the
        account's share wait for their turn."""
        turns = self.turns
        if turns.lets_pass(session.account, len(requests)):
            before = self.in_flight.number
            self._enter(session, requests)
            turns.passed(session.account, self.in_flight.number - before)
            return
        if not turns.waiting and (calm := self.in_flight.room() - self._crowded_room) > 0:
            self._enter(session, requests[:calm])
            requests = requests[calm:]
        translations = self._translator.translations
        if not translations.keys() >= set(map(type, requests)):
            others = [each for each in requests if type(each) not in translations]
            requests = [each for each in requests if type(each) in translations]
            for request in others:
                self._receive_other(session, request)
        room = turns.room(session.account)
        if room < len(requests):
            why = self._why_busy()
            for request in requests[room:]:
                self.outbox.refuse(session.identity, _busy(request, why))
            requests = requests[:room]
        if requests:
            turns.add(session, requests)
            self._calm_room = MAX_INT

    def _enter(self, session: OrderSession, requests: Sequence[Request]) -> None:
        """Translate requests of a session whose turn it is, as far as there is room in flight."""
        self._calm_room = -MAX_INT
        self.receive_requests(session, requests)
        self._calm_room = MAX_INT if self.turns.waiting else self._crowded_room

    def _why_busy(self) -> str:
        in_flight = self.in_flight
        if in_flight.is_open and self.turns.waiting:
            return (
                f"{self.turns.waiting} requests wait for their turn, and this account may add no "
                "more to them (ORDER_QUEUE_SIZE)"
            )
        return in_flight.why_busy

    def apply(self, batch: EventBatch) -> None:
        """Apply a batch of events, which must be the next in order."""
        self.seq = batch.last_seq
        self.time_ns = batch.time_ns
        if batch.events:
            if self.turns.waiting:
                self.turns.has_work = True
            reporter = self._reporter
            reporter.report(batch)
            if reporter.changes:
                self._apply_changes(reporter.collect_changes())
            for follower in self.followers:
                follower.follow(batch)

    def listen(self, kind: type[ListenedEvent], listener: Callable[[ListenedEvent], None]) -> None:
        """Have events of a kind that concerns no session passed to `listener`, in order."""
        self._reporter.listen(kind, listener)

    def set_instrument(self, instrument: Instrument) -> None:
        """Add or replace an instrument."""
        self._instruments[instrument.id] = instrument
        self._translator.set_instrument(instrument)
        self._reporter.set_instrument(instrument)
        self.catch_ups.set_instrument(instrument)
        for listener in self.instrument_listeners:
            listener(instrument)

    def refuse_waiting(self, text: str) -> None:
        """Reject with `BUSY` all requests that wait for their turn."""
        self._refuse_waiting(self.turns.withdraw_all(), text)

    def _refuse_waiting(self, waiting: Iterable[tuple[OrderSession, Request]], text: str) -> None:
        for session, request in waiting:
            self.outbox.refuse(session.identity, _busy(request, text))
        if not self.turns.waiting:
            self._calm_room = self._crowded_room

    def refuse(self, origins: Iterable[Origin], reason: RejectReason, text: str) -> None:
        """Reject commands that are no longer in flight and have no answer: `BUSY` when they were
        not sent, `OUTCOME_UNKNOWN` when they were.

        A mass cancel of the gateway itself comes due again. One that was sent may have been
        applied; a second one does no harm as long as the account has no connection.
        """
        self.turns.settle()
        for session, request_seq, command in origins:
            account = command.account
            if session is _GATEWAY_ITSELF and (
                reason == RejectReason.BUSY or not self.sessions.is_connected(account)
            ):
                self._deserted[account] = None
            coid = getattr(command, "client_order_id", "")
            self.outbox.refuse(session.identity, Reject(request_seq, reason, "", text, coid))

    def tick(self, now_ns: int, matcher_is_silent: bool = False) -> None:
        """Let time pass: end queries that have waited too long, cancel the orders of deserted
        accounts."""
        self._matcher_is_silent = matcher_is_silent
        self.turns.tick(now_ns)
        self.queries.tick(now_ns)
        self._cancel_deserted()

    @property
    def has_work(self) -> bool:
        """Whether `work` has something to do."""
        return self.turns.has_work or self.catch_ups.has_work

    def work(self) -> None:
        """Take the requests whose turn it is, and send a session that catches up a few more
        executions."""
        if self.turns.has_work:
            for session, requests in self.turns.take():
                self._enter(session, requests)
        if self.catch_ups.has_work:
            self.catch_ups.work(self.sessions.by_token)

    def _apply_changes(self, changes: Iterable[InstrumentAdded | FeesChanged]) -> None:
        for change in changes:
            if isinstance(change, InstrumentAdded):
                instrument = change.definition
            else:
                instrument = replace(
                    self._instruments[change.instrument],
                    maker_fee_rate=change.maker_fee_rate,
                    taker_fee_rate=change.taker_fee_rate,
                )
            self.set_instrument(instrument)

    def _receive_other(self, session: OrderSession, request: Request) -> None:
        """Accept or refuse a request that is no command."""
        if isinstance(request, Query | QueryBalances):
            self._receive_query(session, request)
        elif isinstance(request, CatchUp):
            self._receive_catch_up(session, request)
        elif isinstance(request, Logon | Ping | ListInstruments):
            self._answer_open(session.identity, request)

    def _receive_catch_up(self, session: OrderSession, request: CatchUp) -> None:
        if self.in_flight.is_open:
            self.catch_ups.start(session, request.request_seq, request.from_seq, self.seq)
        else:
            self.outbox.refuse(session.identity, _busy(request, self.in_flight.why_busy))

    def _receive_query(self, session: OrderSession, request: Query | QueryBalances) -> None:
        if not self.queries.has_room(session.account):
            text = (
                f"{len(self.queries)} queries wait for an answer, and this account may add no more"
            )
            self.outbox.refuse(session.identity, _busy(request, text))
            return

        def make_query(query_id: int) -> SessionQuery:
            if isinstance(request, QueryBalances):
                return BalancesRequest(query_id, session.account)
            symbol = request.symbol
            return OrdersRequest(
                query_id,
                session.account,
                self._translator.instruments[symbol].id if symbol else 0,
                request.order_id,
                request.client_order_id,
                request.after_order_id,
                request.limit,
            )

        try:
            self.queries.add(session, request.request_seq, make_query)
        except FieldError as error:
            self.outbox.refuse(session.identity, error.reject(request.request_seq))

    def _cancel_deserted(self) -> None:
        """Cancel the orders of deserted accounts, as far as there is room; the others wait."""
        deserted, in_flight = self._deserted, self.in_flight
        while deserted and in_flight.room() > 0:
            account = next(iter(deserted))
            del deserted[account]
            self._refuse_waiting(self.turns.withdraw(account), "the client is gone")
            command = MassCancelOrders(
                self._gateway, in_flight.number + 1, account, reason=RejectReason.DISCONNECTED
            )
            in_flight.add(_GATEWAY_ITSELF, 0, command)

    def _pongs(self, request_seq: int) -> list[Pong]:
        return [Pong(request_seq, self.seq, self.time_ns)]


def _busy(request: Request, text: str) -> Reject:
    coid = getattr(request, "client_order_id", "")
    return Reject(request.request_seq, RejectReason.BUSY, "", text, coid)
