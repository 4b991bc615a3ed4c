"""The fills, trades, rejections and books that agents receive after a tick."""

from collections.abc import Callable, Sequence, Set
from typing import Final

from crossbook.common.messages.entry import Cancel, Execution, New, Reject
from crossbook.common.types import Liquidity, RejectReason, Side
from crossbook.simulator.agent import Agent, Fill, MarketTrade, Rejection
from crossbook.simulator.batch import TradeRequest
from crossbook.simulator.population import Engaged

_REASONS: Final = frozenset(RejectReason)


class _NewsListener:
    """One agent in one instrument that overrides a method of `Agent`, and its news of this tick."""

    __slots__ = ("changes_seen", "fills", "index", "number", "rejections", "seat", "sees_book")

    def __init__(self, number: int, index: int, seat: Agent) -> None:
        self.number = number
        self.index = index
        self.seat = seat
        self.sees_book = type(seat).on_book is not Agent.on_book
        self.changes_seen = seat.market.changes
        self.fills: list[Fill] = []
        self.rejections: list[Rejection] = []


class AgentNews:
    """Collects the news of a tick and delivers them behind it, agent by agent.

    News have no times and no numbers of the exchange: these differ between two runs of one seed.
    `fail` receives an agent's number and the exception that one of its methods raised. Agents that
    override none of the methods cost nothing.
    """

    def __init__(self, engaged: Sequence[Engaged], fail: Callable[[int, Exception], None]) -> None:
        self._fail = fail
        self._listeners = [
            _NewsListener(number, index, seat)
            for number, agent in enumerate(engaged)
            for index, seat in enumerate(agent.seats)
            if _listens(type(seat))
        ]
        self._by_seat = {(each.number, each.index): each for each in self._listeners}
        self._trades: dict[int, list[MarketTrade]] = {each.index: [] for each in self._listeners}

    def filled(self, number: int, index: int, report: Execution, slot: int) -> None:
        """An order of agent `number` was filled in the market of this index."""
        listener = self._by_seat.get((number, index))
        if listener is not None:
            listener.fills.append(
                Fill(
                    Side(report.side), report.price_ticks, report.quantity_lots,
                    Liquidity(report.liquidity), report.fee_units, slot, report.remaining_lots,
                )
            )  # fmt: skip

    def traded(self, index: int, report: Execution) -> None:
        """One trade in the market of this index, as one of its two sides reports it."""
        trades = self._trades.get(index)
        if trades is not None:
            is_taker = report.liquidity == Liquidity.TAKER
            aggressor = report.side if is_taker else Side.BUY + Side.SELL - report.side
            trades.append(MarketTrade(report.price_ticks, report.quantity_lots, Side(aggressor)))

    def rejected(
        self, number: int, index: int, request: TradeRequest, answer: Reject, slot: int
    ) -> None:
        """A request of agent `number` was refused."""
        listener = self._by_seat.get((number, index))
        if listener is not None:
            kind = type(request)
            word = "new" if kind is New else "cancel" if kind is Cancel else "amend"
            known = answer.reason in _REASONS
            reason = RejectReason(answer.reason) if known else RejectReason.MALFORMED
            listener.rejections.append(Rejection(word, reason, answer.field, slot))

    def deliver(self, failed: Set[int]) -> None:
        """Call the methods of the agents, those in `failed` left out, which grows meanwhile."""
        for listener in self._listeners:
            if listener.number not in failed:
                try:
                    self._deliver(listener)
                except Exception as error:
                    self._fail(listener.number, error)
            listener.fills.clear()
            listener.rejections.clear()
        for trades in self._trades.values():
            trades.clear()

    def _deliver(self, listener: _NewsListener) -> None:
        seat = listener.seat
        for fill in listener.fills:
            seat.on_fill(fill)
        for trade in self._trades[listener.index]:
            seat.on_trade(trade)
        for rejection in listener.rejections:
            seat.on_reject(rejection)
        market = seat.market
        if listener.sees_book and market.changes != listener.changes_seen:
            listener.changes_seen = market.changes
            seat.on_book(market)


def _listens(kind: type[Agent]) -> bool:
    return any(
        getattr(kind, name) is not getattr(Agent, name)
        for name in ("on_fill", "on_trade", "on_reject", "on_book")
    )
