"""The order flow: from a seed and the exchange's answers to the requests of the next tick.

Simulated time passes in ticks of a tenth of a second. `step` returns the requests of all agents in
the next tick; `receive` is given every answer and report of the exchange to them, before the next
`step`. So a flow is a function of its seed and of the answers, never of their times.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from crossbook.common.grid import parse_decimal
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Ack, Amend, Cancel, Execution, New, Reject
from crossbook.common.types import ExecutionKind, OrderStatus, RejectReason
from crossbook.simulator.agent import GTC, LIMIT, Action, Agent, Move, Place, Pull
from crossbook.simulator.batch import Answer, Batch, TradeRequest
from crossbook.simulator.chance import Chance
from crossbook.simulator.fundamental import TICKS_PER_SECOND, Fundamental
from crossbook.simulator.market import AgentMarket, OpenOrder
from crossbook.simulator.news import AgentNews
from crossbook.simulator.population import AgentChoice, AgentFailure, Engaged, Values, engage
from crossbook.simulator.statistics import SimulationStatistics

START_PRICES: Final = {"BTC": "65000", "ETH": "3200", "SOL": "150"}
"""Where prices begin, by base asset, in quote units; others begin at 100."""

_GRID_SHARE: Final = 100_000
_FILL: Final = int(ExecutionKind.FILL)
_OPEN: Final = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


class AgentFlow:
    """All agents in all instruments.

    `agents` is the number of agents of the built-in kinds, `kinds` values of their parameters by
    kind, and `own` adds further agents. Batches of a tick must reach the matcher in the order
    given, and `receive` must be given all that followed from them. `run` begins every client order
    id, so that no two runs share one.

    An agent that raises an exception trades no more: `failures` has it, its open orders are
    canceled, and the others go on. Raises `ConfigError` for agents that cannot be engaged.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        agents: int,
        seed: int,
        run: str = "",
        own: Sequence[AgentChoice] = (),
        kinds: Mapping[str, Values] = {},
    ) -> None:
        chance = Chance(seed)
        self.tick = 0
        self.markets: list[AgentMarket] = []
        self.fundamentals: list[Fundamental] = []
        for instrument in instruments:
            market = _market(instrument)
            start = float(market.start_ticks)
            self.markets.append(market)
            self.fundamentals.append(Fundamental(start, start / 3, start * 3, chance.fork()))
        self.engaged: list[Engaged] = engage(self.markets, agents, kinds, own, seed, chance)
        self.failures: list[AgentFailure] = []
        self.statistics = SimulationStatistics(self.markets, self.engaged)
        self._built_in = agents
        self._positions = [
            Chance.named(seed, f"{each.name} position") for each in self.engaged[agents:]
        ]
        self._names = [0] * (1 + len(self._positions))
        self._by_symbol = {market.symbol: index for index, market in enumerate(self.markets)}
        self._run = run
        self._chance = chance
        self._entered: dict[str, OpenOrder] = {}
        self._digest = sha256()
        self._news = AgentNews(self.engaged, self._fail)
        self._failed: set[int] = set()
        self._senders: dict[str, int] = {}

    @property
    def seconds(self) -> float:
        """Simulated seconds so far."""
        return self.tick / TICKS_PER_SECOND

    @property
    def deserted(self) -> bool:
        """Whether all agents failed."""
        return len(self._failed) == len(self.engaged)

    @property
    def news(self) -> int:
        """Jumps of the fundamentals so far."""
        return sum(fundamental.news for fundamental in self.fundamentals)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all requests so far but for the `run` in their client order ids."""
        return self._digest.hexdigest()

    def facts(self) -> dict[str, Any]:
        """What happened so far, for a summary."""
        return {
            "simulated_s": self.seconds,
            "flow_digest": self.digest,
            "news": self.news,
            **self.statistics.facts(),
            "failures": [failure.facts() for failure in self.failures],
        }

    def step(self) -> list[Batch]:
        """Advance one tick; returns the requests of the agents, agents in random order."""
        self.tick += 1
        common = self._chance.normal()
        for fundamental in self.fundamentals:
            fundamental.step(common)
        for market in self.markets:
            market.advance()
        batches = []
        for number in self._order():
            requests = self._requests(number)
            if requests:
                batches.append(Batch(number, requests))
                self._senders.update((each.client_order_id, number) for each in requests)
                self._digest.update(f"{self.tick} {number}\n".encode())
                self._digest.update("".join(map(self._line, requests)).encode())
        self.statistics.requested(batches)
        return batches

    def receive(
        self, answers: Sequence[Answer], executions: Iterable[tuple[int, Execution]]
    ) -> None:
        """Apply the answers to the requests, and the execution reports of each agent. Their order
        of arrival does not matter: the matcher's numbers decide."""
        received: list[tuple[tuple[int, int, int, int], Answer | tuple[int, Execution]]] = []
        for answer in answers:
            received.append(((answer[1].seq, 0, 0, 0), answer))
        for agent, report in executions:
            received.append(((report.seq, 1, report.trade_id, report.order_id), (agent, report)))
        for _, item in sorted(received, key=lambda each: each[0]):
            first, second = item
            if isinstance(first, int):
                assert isinstance(second, Execution)
                self._executed(first, second)
            else:
                assert isinstance(second, Ack | Reject)
                self._answered(first, second)
        self._entered.clear()
        self._senders.clear()
        self.statistics.ticked(self.tick)
        self._news.deliver(self._failed)

    def forget_orders(self) -> None:
        """Remove all orders of the agents, which the exchange ended without a report."""
        for market in self.markets:
            market.clear()

    def _order(self) -> list[int]:
        """The agents in random order. The built-in ones keep theirs, whoever is added."""
        order = list(range(self._built_in))
        self._chance.shuffle(order)
        for number, chance in enumerate(self._positions, self._built_in):
            order.insert(chance.below(len(order) + 1), number)
        return order

    def _requests(self, number: int) -> list[TradeRequest]:
        """The requests of one agent in this tick: after it failed, the cancels of its orders."""
        seats = self.engaged[number].seats
        if number not in self._failed:
            try:
                for seat, fundamental in zip(seats, self.fundamentals, strict=True):
                    seat.tick, seat.fundamental = self.tick, fundamental.value
                    seat.act()
                return [
                    self._request(seat, action)
                    for seat in seats
                    for action in seat.collect_actions()
                ]
            except Exception as error:
                self._fail(number, error)
        return [
            Cancel(0, seat.market.symbol, 0, name)
            for seat in seats
            for name in seat.market.of(number)
        ]

    def _fail(self, number: int, error: Exception) -> None:
        self._failed.add(number)
        self.failures.append(AgentFailure(self.engaged[number].name, self.tick, error))

    def _request(self, agent: Agent, action: Action) -> TradeRequest:
        symbol = agent.market.symbol
        if isinstance(action, Pull):
            return Cancel(0, symbol, 0, action.name)
        if isinstance(action, Move):
            return Amend(0, symbol, 0, action.name, 0, action.price_ticks)
        return self._new(agent, action)

    def _new(self, agent: Agent, place: Place) -> New:
        name = self._name(agent.number)
        if place.order_type == LIMIT and place.time_in_force == GTC:
            self._entered[name] = OpenOrder(
                name, agent.number, place.side, place.price_ticks, place.lots, place.slot,
                place.ends,
            )  # fmt: skip
        return New(
            0, agent.market.symbol, place.side, place.lots, place.price_ticks,
            place.order_type, place.time_in_force, name, post_only=place.post_only,
            prevention=agent.prevention,
        )  # fmt: skip

    def _name(self, number: int) -> str:
        """The next client order id. Those of the built-in agents have one series, and any other
        agent has its own."""
        series = max(0, number - self._built_in + 1)
        self._names[series] += 1
        prefix = f"{number}-" if series else ""
        return f"{self._run}{prefix}{self._names[series]}"

    def _line(self, request: TradeRequest) -> str:
        """A request as text for the digest: everything but the run and the request's number."""
        name = request.client_order_id.removeprefix(self._run)
        terms: tuple[int | str, ...] = ("cancel",)
        if isinstance(request, New):
            terms = (
                "new", request.side, request.quantity, request.price,
                request.order_type, request.time_in_force,
            )  # fmt: skip
            if request.post_only:
                terms = (*terms, "post_only")
        elif isinstance(request, Amend):
            terms = ("amend", request.quantity, request.price)
        return " ".join(map(str, (request.symbol, name, *terms))) + "\n"

    def _answered(self, request: TradeRequest, answer: Ack | Reject) -> None:
        index = self._by_symbol[request.symbol]
        market = self.markets[index]
        name = request.client_order_id
        self.statistics.answered(request, answer)
        if isinstance(answer, Reject):
            slot = self._slot(market, name)
            self._news.rejected(self._senders.get(name, -1), index, request, answer, slot)
            if answer.reason == RejectReason.UNKNOWN_ORDER:
                market.remove(name)
        elif isinstance(request, Cancel):
            market.remove(name)
        elif isinstance(request, Amend):
            assert isinstance(request.price, int)
            market.move(name, request.price)
            market.resize(name, answer.remaining_lots)
        elif name in self._entered and answer.status in _OPEN:
            order = self._entered[name]
            order.lots = answer.remaining_lots
            market.add(order)

    def _executed(self, agent: int, report: Execution) -> None:
        index = self._by_symbol.get(report.symbol)
        if index is None:
            return
        market = self.markets[index]
        if report.kind == _FILL:
            self.engaged[agent].seats[index].apply_fill(report)
            market.last_ticks = report.price_ticks
            self._news.filled(agent, index, report, self._slot(market, report.client_order_id))
            if self.statistics.filled(index, report):
                self._news.traded(index, report)
        market.resize(report.client_order_id, report.remaining_lots)

    def _slot(self, market: AgentMarket, name: str) -> int:
        """An order's mark of its owner, zero where it is gone or never rested."""
        order = self._entered.get(name) or market.orders.get(name)
        return order.slot if order is not None else 0


def _market(instrument: Instrument) -> AgentMarket:
    """A market at its plausible price, on a grid people would quote on."""
    text = START_PRICES.get(instrument.base, "100")
    axis = instrument.grid.price
    ticks = parse_decimal(text, axis.decimals) // axis.step
    start = max(100, min(ticks, instrument.max_price_ticks // 4))
    return AgentMarket(instrument, start, _grid(start))


def _grid(start: int) -> int:
    """The largest of 1, 2, 5, 10, 20... ticks that is at most a hundred-thousandth of the price.

    >>> _grid(6_500_000), _grid(320_000), _grid(15_000)
    (50, 2, 1)
    """
    grid, factors = 1, (2, 5, 10)
    while True:
        wider = [grid * factor for factor in factors if grid * factor * _GRID_SHARE <= start]
        if not wider:
            return grid
        if len(wider) < len(factors):
            return wider[-1]
        grid *= 10
