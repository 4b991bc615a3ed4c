"""Counts of a simulation so far, from its requests, answers and reports."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from crossbook.common.grid import power_of_ten
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Ack, Amend, Cancel, Execution, New, Reject
from crossbook.common.types import Liquidity, RejectReason
from crossbook.simulator.batch import Batch
from crossbook.simulator.market import BUY, SELL, AgentMarket
from crossbook.simulator.population import Engaged

_WORDS: Final = {New: "new", Cancel: "cancel", Amend: "amend"}
_DEPTH_LEVELS: Final = 10


class TradeTotals:
    """The trades of one instrument."""

    def __init__(self) -> None:
        self.trades = 0
        self.lots = 0
        self.notional = 0
        self.high = 0
        self.low = 0
        self.ticks = 0
        self.spread_sum = 0.0
        self.one_sided = 0
        self.last_trade_id = 0

    def trade(self, trade_id: int, price: int, lots: int) -> bool:
        """Add one trade, which both sides may report; return whether it is a new one."""
        if trade_id <= self.last_trade_id:
            return False
        self.last_trade_id = trade_id
        self.trades += 1
        self.lots += lots
        self.notional += lots * price
        self.high = max(self.high, price)
        self.low = min(self.low or price, price)
        return True

    def quote(self, bid: int, ask: int) -> None:
        """The best prices at the end of a tick."""
        self.ticks += 1
        if bid and ask:
            self.spread_sum += 2 * (ask - bid) / (ask + bid)
        else:
            self.one_sided += 1

    @property
    def spread_bps(self) -> float:
        """Mean spread in basis points over the ticks with both sides."""
        two_sided = self.ticks - self.one_sided
        return 10_000 * self.spread_sum / two_sided if two_sided else 0.0


class SimulationStatistics:
    """Counts of requests, answers and trades, and what the agents hold."""

    def __init__(self, markets: Sequence[AgentMarket], agents: Sequence[Engaged]) -> None:
        self._markets = markets
        self._agents = agents
        self.tapes = [TradeTotals() for _ in markets]
        self.requests: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.acknowledged = 0

    @property
    def requested_total(self) -> int:
        """Requests of all kinds."""
        return self.requests.total()

    def requested(self, batches: Iterable[Batch]) -> None:
        """Count requests that are sent."""
        for batch in batches:
            self.requests.update(_WORDS[type(request)] for request in batch.requests)

    def answered(self, request: New | Cancel | Amend, answer: Ack | Reject) -> None:
        """Count an answer."""
        if isinstance(answer, Ack):
            self.acknowledged += 1
        else:
            self.rejects[_reason(answer.reason)] += 1

    def filled(self, index: int, report: Execution) -> bool:
        """An order was filled in the market of this index; return whether the trade is a new one,
        which the other side did not report before."""
        if report.liquidity not in (Liquidity.MAKER, Liquidity.TAKER):
            return False
        return self.tapes[index].trade(report.trade_id, report.price_ticks, report.quantity_lots)

    def ticked(self, tick: int) -> None:
        """A tick is over."""
        for market, tape in zip(self._markets, self.tapes, strict=True):
            tape.quote(market.bid_ticks, market.ask_ticks)

    def symbols(self) -> list[dict[str, Any]]:
        """Every instrument: prices and quantities as decimal text, the spread in basis points."""
        return [
            _symbol_facts(market, tape)
            for market, tape in zip(self._markets, self.tapes, strict=True)
        ]

    def kinds(self) -> list[dict[str, Any]]:
        """Every name of agents: their number, their inventory by instrument, and their profit in
        quote units, fees left out. Built-in agents have the name of their kind."""
        rows: dict[str, dict[str, Any]] = {}
        for agent in self._agents:
            row = rows.setdefault(
                agent.name, {"kind": agent.name, "agents": 0, "profit": 0.0, "inventory": {}}
            )
            row["agents"] += 1
            held = row["inventory"]
            for seat in agent.seats:
                symbol = seat.market.symbol
                row["profit"] += seat.profit_tick_lots * _quote_per_tick_lot(seat.market.instrument)
                held[symbol] = held.get(symbol, 0) + seat.position_lots
        instruments = {market.symbol: market.instrument for market in self._markets}
        for row in rows.values():
            row["profit"] = f"{row['profit']:.2f}"
            row["inventory"] = {
                symbol: instruments[symbol].quantity_text(lots)
                for symbol, lots in row["inventory"].items()
            }
        return list(rows.values())

    def limited(self) -> dict[str, int]:
        """Requests that the limits of an agent left out, by its name; agents without are absent."""
        counts: Counter[str] = Counter()
        for agent in self._agents:
            counts[agent.name] += sum(seat.limited for seat in agent.seats)
        return {name: count for name, count in sorted(counts.items()) if count}

    def facts(self) -> dict[str, Any]:
        """All of it, for `--json`."""
        return {
            "requests": dict(sorted(self.requests.items())),
            "acknowledged": self.acknowledged,
            "rejects": dict(sorted(self.rejects.items())),
            "symbols": self.symbols(),
            "agents": self.kinds(),
            "limited": self.limited(),
        }


def _symbol_facts(market: AgentMarket, tape: TradeTotals) -> dict[str, Any]:
    instrument = market.instrument

    def price(ticks: int) -> str | None:
        return instrument.price_text(ticks) if ticks else None

    def quantity(lots: int) -> str:
        return instrument.quantity_text(lots)

    return {
        "symbol": market.symbol,
        "bid": price(market.bid_ticks),
        "ask": price(market.ask_ticks),
        "last": price(market.last_ticks) if tape.trades else None,
        "high": price(tape.high),
        "low": price(tape.low),
        "spread_bps": round(tape.spread_bps, 3),
        "one_sided_ticks": tape.one_sided,
        "orders": len(market.orders),
        "bid_depth": quantity(market.lots_near(BUY, _DEPTH_LEVELS)),
        "ask_depth": quantity(market.lots_near(SELL, _DEPTH_LEVELS)),
        "trades": tape.trades,
        "volume": quantity(tape.lots),
    }


def _quote_per_tick_lot(instrument: Instrument) -> float:
    return instrument.notional_per_tick_lot / power_of_ten(instrument.quote_decimals)


def _reason(number: int) -> str:
    try:
        return RejectReason(number).name
    except ValueError:
        return f"REASON_{number}"
