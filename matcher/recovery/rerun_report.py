"""The report of a rerun: what the same commands led to before and now."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from crossbook.common.grid import format_decimal
from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import Administer, Command
from crossbook.common.messages.events import CommandRejected, Event, OrderAccepted, TradeExecuted
from crossbook.common.types import RejectReason, Side

DIFFERENCES_MAX: Final = 20
"""Most differences described; all are counted."""

_OF_ONE_RUN: Final = frozenset({"seq", "trade_id", "gateway", "request_seq"})
"""Fields whose numbers count commands and trades, and so mean nothing in the other run."""

_ORDER_IDS: Final = frozenset({"order_id", "maker_order_id", "taker_order_id"})
_FEES: Final = frozenset({"maker_fee", "taker_fee"})

_BUY: Final = int(Side.BUY)


class Totals(Struct):
    """What one run led to: numbers by instrument id, fees in the smallest unit of an asset."""

    accepted: int
    rejected: Counter[str]
    trades: Counter[int]
    volume_lots: Counter[int]
    notional: Counter[int]
    fees: Counter[str]

    @classmethod
    def empty(cls) -> "Totals":
        """Those of nothing yet."""
        return cls(0, Counter(), Counter(), Counter(), Counter(), Counter())

    def add(self, events: Sequence[Event], instrument: Callable[[int], Instrument]) -> None:
        """Count the events of a command."""
        for event in events:
            if type(event) is TradeExecuted:
                self._add_trade(event, instrument(event.instrument))
            elif type(event) is OrderAccepted:
                self.accepted += 1
            elif type(event) is CommandRejected:
                self.rejected[RejectReason(event.reason).name] += 1

    def _add_trade(self, event: TradeExecuted, instrument: Instrument) -> None:
        number, lots = instrument.id, event.quantity_lots
        self.trades[number] += 1
        self.volume_lots[number] += lots
        self.notional[number] += event.price_ticks * lots * instrument.notional_per_tick_lot
        # A fee is in the asset received.
        takes_base = event.aggressor_side == _BUY
        self.fees[instrument.base if takes_base else instrument.quote] += event.taker_fee
        self.fees[instrument.quote if takes_base else instrument.base] += event.maker_fee


class Differences(Struct):
    """Commands whose events differ, by what differs first: their answer (accepted, or refused and
    why), their trades, their fees alone, or other consequences."""

    by_kind: Counter[str]
    described: list[str]

    @classmethod
    def empty(cls) -> "Differences":
        """None yet."""
        return cls(Counter(), [])

    def compare(
        self,
        seq: int,
        command: Command,
        before: Sequence[Event],
        now: Sequence[Event],
        now_ids: Mapping[int, int],
    ) -> None:
        """Compare the events of command `seq`; `now_ids` are the orders' ids in the other run."""
        then = [_comparable(event, now_ids) for event in before]
        found = [_comparable(event, {}) for event in now]
        if then == found:
            return
        kind = _kind(then, found)
        self.by_kind[kind] += 1
        if len(self.described) < DIFFERENCES_MAX:
            name = type(command.act if isinstance(command, Administer) else command).__name__
            self.described.append(
                f"command {seq} ({name} of account {command.account}), {kind}: "
                f"{_summary(before)} before, {_summary(now)} now"
            )


def _comparable(event: Event, now_ids: Mapping[int, int]) -> tuple[Any, ...]:
    values: dict[str, Any] = {}
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if name in _ORDER_IDS:
            value = now_ids.get(value, value)
        if name not in _OF_ONE_RUN:
            values[name] = value
    return (type(event).__name__, values)


def _kind(then: list[tuple[Any, ...]], found: list[tuple[Any, ...]]) -> str:
    def answers(events: list[tuple[Any, ...]]) -> list[tuple[str, Any]]:
        kinds = ("OrderAccepted", "CommandRejected", "OrderAmended", "OrderRepeated")
        return [(name, values.get("reason")) for name, values in events if name in kinds]

    def trades(events: list[tuple[Any, ...]], fees: bool) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in values.items() if fees or key not in _FEES}
            for name, values in events
            if name == "TradeExecuted"
        ]

    if answers(then) != answers(found):
        return "answer"
    if trades(then, fees=False) != trades(found, fees=False):
        return "trades"
    if trades(then, fees=True) != trades(found, fees=True):
        return "fees"
    return "consequences"


def _summary(events: Sequence[Event]) -> str:
    """The events of a command in a few words."""
    refused = [RejectReason(e.reason).name for e in events if type(e) is CommandRejected]
    if refused:
        return f"rejected {refused[0]}"
    traded = [event for event in events if type(event) is TradeExecuted]
    if traded:
        lots = sum(event.quantity_lots for event in traded)
        return f"{len(traded)} trades of {lots} lots up to {traded[-1].price_ticks} ticks"
    others = [type(event).__name__ for event in events]
    return others[-1] if others else "nothing"


class Report(Struct):
    """The result of a rerun: (before, now) of everything counted."""

    commands: int
    left_out: int
    before: Totals
    now: Totals
    differences: Differences
    balances: list[tuple[int, str, int, int]]
    """Account, asset and its total before and now, where they differ."""
    first_seq: int
    last_seq: int


def facts(report: Report, instruments: Mapping[int, Instrument]) -> dict[str, Any]:
    """The report for programs; decimals are text."""
    before, now = report.before, report.now
    decimals = {each.base: each.base_decimals for each in instruments.values()}
    decimals |= {each.quote: each.quote_decimals for each in instruments.values()}

    def pair(name: str, number: Any, text: Any = int) -> list[Any]:
        return [text(getattr(each, name)[number]) for each in (before, now)]

    def money(name: str, asset: str) -> list[str]:
        places = decimals.get(asset, 0)
        return [format_decimal(getattr(each, name)[asset], places) for each in (before, now)]

    return {
        "commands": report.commands,
        "left_out": report.left_out,
        "journal": [report.first_seq, report.last_seq],
        "different": {
            "commands": sum(report.differences.by_kind.values()),
            **dict(sorted(report.differences.by_kind.items())),
        },
        "accepted": [before.accepted, now.accepted],
        "rejected": {
            name: pair("rejected", name) for name in sorted({*before.rejected, *now.rejected})
        },
        "instruments": {
            instruments[number].symbol: {
                "trades": pair("trades", number),
                "volume": pair("volume_lots", number, instruments[number].grid.quantity.text),
                "notional": pair("notional", number, instruments[number].grid.quote.text),
            }
            for number in sorted({*before.trades, *now.trades})
        },
        "fees": {asset: money("fees", asset) for asset in sorted({*before.fees, *now.fees})},
        "balances": [
            {
                "account": account,
                "asset": asset,
                "total": [format_decimal(units, decimals.get(asset, 0)) for units in totals],
            }
            for account, asset, *totals in report.balances
        ],
        "differences": report.differences.described,
    }


def text(found: Mapping[str, Any]) -> str:
    """Those facts as text."""
    different = found["different"]
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in different.items() if kind != "commands")
    lines = [
        f"commands    {found['commands']:,} of {found['journal'][0]} to {found['journal'][1]}"
        + (f", {found['left_out']:,} left out" if found["left_out"] else ""),
        f"different   {different['commands']:,}" + (f": {kinds}" if kinds else ""),
        f"accepted    {_arrow(found['accepted'])}",
    ]
    lines += [f"rejected    {name} {_arrow(pair)}" for name, pair in found["rejected"].items()]
    for symbol, figures in found["instruments"].items():
        told = ", ".join(f"{name} {_arrow(pair)}" for name, pair in figures.items())
        lines.append(f"{symbol:<11} {told}")
    lines += [f"fees        {asset} {_arrow(pair)}" for asset, pair in found["fees"].items()]
    balances = found["balances"]
    lines += [
        f"balance     account {each['account']}: {each['asset']} {_arrow(each['total'])}"
        for each in balances[:DIFFERENCES_MAX]
    ]
    if len(balances) > DIFFERENCES_MAX:
        lines.append(f"            and {len(balances) - DIFFERENCES_MAX:,} more")
    lines += [f"differs     {line}" for line in found["differences"]]
    return "\n".join(lines)


def _arrow(pair: Sequence[Any]) -> str:
    before, now = (f"{each:,}" if isinstance(each, int) else str(each) for each in pair)
    return before if before == now else f"{before} -> {now}"
