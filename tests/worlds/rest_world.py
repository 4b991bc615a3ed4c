"""The API in front of a desk and a real engine on one event loop, without a server.

async with RestWorld() as world:
    answer = await world.client.post("/api/v1/orders", json=limit("buy", "1", "50000"))
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from crossbook.common.following.local_book import LocalBook
from crossbook.common.messages.events import Event, EventBatch
from crossbook.common.messages.feed import MarketState, Snapshot, Ticker
from crossbook.common.messages.matcher_queries import AccountBalances, BalancesRequest, Orders
from crossbook.common.process.clock import FakeClock
from crossbook.common.rules import NO_RULES, Rules
from crossbook.gateway.api.exchange_time import ExchangeTime
from crossbook.gateway.api.lookup import Lookup
from crossbook.gateway.api.render import Renderer
from crossbook.gateway.api.rest import make_app
from crossbook.gateway.api.trading import Trading
from crossbook.gateway.auth.access import Access, AnyAccount
from crossbook.gateway.history.link import HistoryLink
from crossbook.gateway.history.queries import HistoryQueries
from crossbook.gateway.limits.account_limits import UNLIMITED, AccountLimits
from crossbook.gateway.operations.readiness import Part
from crossbook.gateway.orders.desk import OrderDesk
from crossbook.gateway.orders.local_sessions import LocalSessions
from crossbook.gateway.orders.session import SessionTable
from crossbook.gateway.web.entrance import AsgiApp
from crossbook.gateway.web.hosts import AllowedHosts
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.engine.queries import balances
from tests.worlds.desk_world import GATEWAY, INSTRUMENTS

NOW_NS = 1_761_482_096_789_000_000
"""2025-10-26T12:34:56.789Z."""


def limit(side: str, quantity: str, price: str, **more: str) -> dict[str, str]:
    """The body of a limit order of BTC-USDT."""
    return {
        "symbol": "BTC-USDT",
        "order_type": "limit",
        "side": side,
        "quantity": quantity,
        "price": price,
        **more,
    }


async def metrics_text() -> str:
    """A fixed answer of /metrics."""
    return "# TYPE crossbook_up gauge\n"


class PlainMarket:
    """Books as the engine has them; no ticker until one is set."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.stale = self.lags = False
        self.reached_ns = 0
        self.tickers: dict[str, Ticker] = {}
        self.states: dict[str, MarketState] = {}

    def book(self, symbol: str) -> LocalBook | None:
        """The book of an instrument."""
        if self.stale:
            return None
        instrument = next(each for each in INSTRUMENTS if each.symbol == symbol)
        state = self._engine.book_state(instrument.id)
        book = LocalBook(symbol)
        book.describe(instrument)
        levels: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for side, orders in zip(levels, (state.bids, state.asks), strict=True):
            for order in orders:
                side[order.price_ticks] = side.get(order.price_ticks, 0) + order.shown_lots
        bids, asks = (list(side.items()) for side in levels)
        book.load(
            Snapshot(
                request_id=0,
                symbol=symbol,
                seq=self._engine.seq,
                topics={},
                bids=bids,
                asks=asks,
                checksum=0,
                time_ns=NOW_NS,
                last_trade_id=0,
            )
        )
        return book

    def time_ns(self, shard: int) -> int:
        """The time it was set to."""
        return self.reached_ns

    async def wait_for(self, symbol: str, seq: int) -> bool:
        """Whether the engine has reached the number, unless the market lags."""
        return not self.lags and self._engine.seq >= seq

    def state(self, symbol: str) -> MarketState | None:
        """The state as the engine has it, with no auction."""
        book = self._engine.books[next(each.id for each in INSTRUMENTS if each.symbol == symbol)]
        until_ns = book.until[0] if book.until is not None else 0
        state = MarketState(
            symbol=symbol,
            seq=self._engine.seq,
            state=book.state,
            until_ns=until_ns,
            indicative_ticks=0,
            indicative_lots=0,
            surplus_lots=0,
            time_ns=NOW_NS,
        )
        return None if self.stale else self.states.get(symbol, state)

    def ticker(self, symbol: str) -> Ticker | None:
        """The ticker that was set."""
        return None if self.stale else self.tickers.get(symbol)


class RestWorld:
    """A client of the API.

    Commands are applied at `time_ns`. With `matcher_answers` false commands stay in flight, and
    `held` is set when there is one. There is no recorder until a test replaces `answer_questions`.
    """

    def __init__(
        self,
        queue_size: int = 100,
        rules: Rules | None = None,
        hosts: AllowedHosts | None = None,
        origins: tuple[str, ...] = (),
        access: Access | None = None,
        limits: AccountLimits = UNLIMITED,
    ) -> None:
        self.engine = Engine(INSTRUMENTS, rules)
        tokens = iter(range(1001, 100_000))
        self.desk = OrderDesk(
            INSTRUMENTS,
            GATEWAY,
            queue_size,
            SessionTable(100, lambda: next(tokens)),
            rules=NO_RULES if rules is None else rules,
        )
        self.desk.in_flight.begin(0)
        self.desk.begin(0)
        self.matcher_answers = True
        self.time_ns = NOW_NS
        self.faults_told: dict[Part, str] = {"clock": "", "recorder": ""}
        self.held = asyncio.Event()
        self.history = HistoryLink()
        self.answer_questions = self.refuse_questions
        self.sessions = LocalSessions(self.desk, self.settle)
        self.market = PlainMarket(self.engine)
        self.clock = FakeClock(NOW_NS)
        self.queries = HistoryQueries(
            self.sessions, [self.history], lambda: self.answer_questions()
        )
        render = Renderer(INSTRUMENTS)
        self.time = ExchangeTime(
            self.sessions, self.market, self.queries, self.clock, render.instruments
        )
        self.lookup = Lookup(
            self.sessions, self.queries, self.market, self.time, render, self.process_faults
        )
        self.trading = Trading(self.sessions, self.lookup, self.lookup.render, limits)
        self.access = access or AnyAccount(1)
        self.app: AsgiApp = make_app(
            self.trading, self.lookup, metrics_text, self.access, "test", hosts, origins, limits
        )
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://localhost"
        )

    async def process_faults(self) -> Mapping[Part, str]:
        """The faults by the metrics of the processes."""
        return self.faults_told

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.client.aclose()

    async def enter(self, body: dict[str, Any], account: int = 1) -> httpx.Response:
        """Enter an order for an account."""
        headers = {"X-Account": str(account)}
        return await self.client.post("/api/v1/orders", json=body, headers=headers)

    def settle(self) -> None:
        """Let the matcher apply waiting commands, and deliver the answers to the sessions."""
        in_flight, queries = self.desk.in_flight, self.desk.queries
        if in_flight.unsent and not self.matcher_answers:
            self.held.set()
        elif in_flight.unsent:
            first_seq = self.engine.seq + 1
            events: list[Event] = []
            for command in in_flight.collect():
                events += self.engine.apply(command, self.time_ns)
            self.desk.apply(
                EventBatch(
                    incarnation=1,
                    first_seq=first_seq,
                    last_seq=self.engine.seq,
                    time_ns=self.time_ns,
                    events=events,
                )
            )
        for query in queries.collect():
            if isinstance(query, BalancesRequest):
                found = balances(self.engine, query.account)
                queries.receive(AccountBalances(query.request_id, self.engine.seq, found))
                continue
            orders, more = self.engine.open_orders(
                query.account,
                query.instrument,
                query.order_id,
                query.client_order_id,
                limit=query.limit,
            )
            queries.receive(
                Orders(request_id=query.request_id, seq=self.engine.seq, orders=orders, more=more)
            )
        for identity, replies in self.desk.collect_replies().items():
            self.sessions.deliver(identity, replies)

    def refuse_questions(self) -> None:
        """Refuse every question, as without a recorder."""
        self.history.send(lambda _: False)
