"""The order flow: from a seed and the exchange's answers to the requests of the next tick.

Simulated time passes in ticks of a tenth of a second. `step` returns the requests of all agents in
the next tick; `receive` is given every answer and report of the exchange to them, before the next
`step`. So a flow is a function of its seed and of the answers, never of their times.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

from crossbook.common.grid import parse_decimal
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Ack, Amend, Cancel, Execution, New, Reject
from crossbook.common.types import ExecutionKind, OrderStatus, RejectReason
from crossbook.simulator.batch import Answer, Batch, TradeRequest
from crossbook.simulator.chance import Chance
from crossbook.simulator.fundamental import TICKS_PER_SECOND, Fundamental
from crossbook.simulator.makers import MarketMaker
from crossbook.simulator.market import AgentMarket, OpenOrder
from crossbook.simulator.statistics import SimulationStatistics
from crossbook.simulator.strategy import GTC, LIMIT, Action, Move, Place, Pull, Strategy
from crossbook.simulator.traders import MeanReverter, MomentumTrader, NoiseTrader

AGENTS_MOST: Final = 200

KINDS: Final = (
    MarketMaker, NoiseTrader, MarketMaker, NoiseTrader, MomentumTrader, MeanReverter,
)  # fmt: skip
"""The kinds of agents in the order they are engaged, over and over."""

START_PRICES: Final = {"BTC": "65000", "ETH": "3200", "SOL": "150"}
"""Where prices begin, by base asset, in quote units; others begin at 100."""

_GRID_SHARE: Final = 100_000
_FILL: Final = int(ExecutionKind.FILL)
_OPEN: Final = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


class AgentFlow:
    """All agents in all instruments.

    Batches of a tick must reach the matcher in the order given, and `receive` must be given all
    that followed from them. `run` begins every client order id, so that no two runs share one.
    """

    def __init__(
        self, instruments: Iterable[Instrument], agents: int, seed: int, run: str = ""
    ) -> None:
        if not 1 <= agents <= AGENTS_MOST:
            raise ValueError(f"agents: {agents} is not within 1 to {AGENTS_MOST}")
        chance = Chance(seed)
        self.tick = 0
        self.agents = agents
        self.markets: list[AgentMarket] = []
        self.fundamentals: list[Fundamental] = []
        for instrument in instruments:
            market = _market(instrument)
            start = float(market.start)
            self.markets.append(market)
            self.fundamentals.append(Fundamental(start, start / 3, start * 3, chance.fork()))
        self.strategies: list[list[Strategy]] = [
            [KINDS[agent % len(KINDS)](agent, market, chance.fork()) for market in self.markets]
            for agent in range(agents)
        ]
        self.statistics = SimulationStatistics(self.markets, self.strategies)
        self._by_symbol = {market.symbol: index for index, market in enumerate(self.markets)}
        self._run = run
        self._names = 0
        self._chance = chance
        self._entered: dict[str, OpenOrder] = {}
        self._digest = sha256()

    @property
    def seconds(self) -> float:
        """Simulated seconds so far."""
        return self.tick / TICKS_PER_SECOND

    @property
    def news(self) -> int:
        """Jumps of the fundamentals so far."""
        return sum(fundamental.news for fundamental in self.fundamentals)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all requests so far but for the `run` in their client order ids."""
        return self._digest.hexdigest()

    def step(self) -> list[Batch]:
        """Advance one tick; returns the requests of the agents, agents in random order."""
        self.tick += 1
        common = self._chance.normal()
        for fundamental in self.fundamentals:
            fundamental.step(common)
        for market in self.markets:
            market.advance()
        order = list(range(self.agents))
        self._chance.shuffle(order)
        batches = []
        for agent in order:
            requests = [
                self._request(strategy, action)
                for strategy, fundamental in zip(
                    self.strategies[agent], self.fundamentals, strict=True
                )
                for action in strategy.act(self.tick, fundamental.value)
            ]
            if requests:
                batches.append(Batch(agent, requests))
                self._digest.update(f"{self.tick} {agent}\n".encode())
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
        self.statistics.ticked(self.tick)

    def forget_orders(self) -> None:
        """Remove all orders of the agents, which the exchange ended without a report."""
        for market in self.markets:
            market.clear()

    def _request(self, strategy: Strategy, action: Action) -> TradeRequest:
        market = strategy.market
        if isinstance(action, Pull):
            return Cancel(0, market.symbol, 0, action.name)
        if isinstance(action, Move):
            return Amend(0, market.symbol, 0, action.name, 0, action.price)
        return self._new(strategy, action)

    def _new(self, strategy: Strategy, place: Place) -> New:
        self._names += 1
        name = f"{self._run}{self._names}"
        if place.order_type == LIMIT and place.time_in_force == GTC:
            self._entered[name] = OpenOrder(
                name, strategy.agent, place.side, place.price, place.lots, place.slot, place.ends
            )
        return New(
            0, strategy.market.symbol, place.side, place.lots, place.price,
            place.order_type, place.time_in_force, name, prevention=0,
        )  # fmt: skip

    def _line(self, request: TradeRequest) -> str:
        """A request as text for the digest: everything but the run and the request's number."""
        name = request.client_order_id.removeprefix(self._run)
        terms: tuple[int | str, ...] = ("cancel",)
        if isinstance(request, New):
            terms = (
                "new", request.side, request.quantity, request.price,
                request.order_type, request.time_in_force,
            )  # fmt: skip
        elif isinstance(request, Amend):
            terms = ("amend", request.quantity, request.price)
        return " ".join(map(str, (request.symbol, name, *terms))) + "\n"

    def _answered(self, request: TradeRequest, answer: Ack | Reject) -> None:
        market = self.markets[self._by_symbol[request.symbol]]
        name = request.client_order_id
        self.statistics.answered(request, answer)
        if isinstance(answer, Reject):
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
            self.strategies[agent][index].filled(
                report.side, report.price_ticks, report.quantity_lots
            )
            market.last_price = report.price_ticks
            self.statistics.filled(index, report)
        market.resize(report.client_order_id, report.remaining_lots)


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
