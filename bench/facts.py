"""Stylised facts of the simulated market and a recorded one, compared.

Both run through the engine in this process and are measured from its events. The simulation is
`crossbook simulate`'s own order flow; only the sockets and the journal are missing.
"""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from bench import machine
from bench.stylised import (
    autocorrelation,
    deviation,
    excess_kurtosis,
    log_returns,
    mean,
    quantile,
)
from bench.tape import Tape
from crossbook.common.instruments import Instrument
from crossbook.common.instruments_file import load_instruments
from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command, NewOrder
from crossbook.common.messages.events import Event
from crossbook.common.types import OrderType, Side, TimeInForce
from crossbook.matcher.engine.engine import Engine
from crossbook.replay.recording import RecordedCommand
from crossbook.replay.recording_files import read_recording
from crossbook.simulator.flow import AgentFlow
from crossbook.simulator.fundamental import TICKS_PER_SECOND
from crossbook.simulator.venue import LocalVenue

ROOT = Path(__file__).resolve().parents[1]
INSTRUMENTS = ROOT / "instruments.toml"
RECORDING = ROOT.parent / "shared" / "data" / "bitstamp_BTCUSD.cmd.csv.gz"
RECORDED_SYMBOL = "BTC-USD"
SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
AGENTS = 12

SIMULATED_SAMPLE_S = 1
RECORDED_SAMPLE_S = 30
"""The recording is some twenty times slower: at this distance about as many commands lie between
two samples."""

LAGS = (1, 5, 10, 20)
_TICK_NS = 1_000_000_000 // TICKS_PER_SECOND


class FlowFacts(Struct, frozen=True):
    """The facts of one flow in one instrument, by name, in the order they are printed."""

    name: str
    sample_s: int
    values: dict[str, float]


class FactsReport(Struct, frozen=True):
    """Result of `python -m bench facts`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str | int | float]
    flows: list[FlowFacts]


def run(seed: int, minutes: float, recording: Path | None, picture: Path) -> FactsReport:
    """Simulate, replay the recording if there is one, compare, and draw."""
    tapes = {f"simulated {SYMBOLS[0]}": simulated(seed, minutes)[0]}
    if recording is not None:
        tapes[f"recorded {recording.name.partition('.')[0]}"] = recorded(recording)
    from bench import facts_plot

    facts_plot.draw(picture, f"stylised facts, seed {seed}, {minutes:g} simulated minutes", tapes)
    method: dict[str, str | int | float] = {
        "seed": seed,
        "simulated_minutes": minutes,
        "agents": AGENTS,
        "instruments": ", ".join(SYMBOLS),
        "recording": str(recording.name) if recording is not None else "none",
    }
    flows = [measure(name, tape) for name, tape in tapes.items()]
    return FactsReport("facts", machine.describe(), method, flows)


def simulated(seed: int, minutes: float, agents: int = AGENTS) -> list[Tape]:
    """The tapes of a simulation, one for each of `SYMBOLS`."""
    instruments = _instruments(SYMBOLS)
    flow = AgentFlow(instruments, agents, seed)
    venue = LocalVenue(instruments, agents)
    tapes = [Tape(each.id, SIMULATED_SAMPLE_S * 1_000_000_000) for each in instruments]

    def watch(time_ns: int, events: Sequence[Event]) -> None:
        for tape in tapes:
            tape.watch(time_ns, events)

    for _ in range(int(minutes * 60 * TICKS_PER_SECOND)):
        batches = flow.step()
        flow.receive(*venue.apply(batches, flow.tick * _TICK_NS, watch))
    return tapes


def recorded(path: Path, sample_s: int = RECORDED_SAMPLE_S) -> Tape:
    """The tape of a recording, replayed through an engine."""
    [instrument] = _instruments((RECORDED_SYMBOL,))
    engine = Engine([instrument])
    tape = Tape(instrument.id, sample_s * 1_000_000_000)
    ids: dict[int, int] = {}
    totals: dict[int, int] = {}
    for each in read_recording(path).commands:
        command = _command(each, instrument, ids, totals)
        events = engine.apply(command, each.time_ns)
        if each.op in ("new", "exec"):
            ids[each.order_id] = engine.seq
            totals[each.order_id] = each.quantity_lots
        tape.watch(each.time_ns, events)
    return tape


def measure(name: str, tape: Tape) -> FlowFacts:
    """The facts of one tape. Rates are per second of its own time, returns over one sample."""
    seconds = max(1e-9, (tape.ended_ns - tape.began_ns) / 1e9)
    returns = log_returns(tape.middles, 1)
    scale = deviation(returns)
    sizes = tape.trade_lots
    depth = [sum(profile) for profile in zip(*tape.depth, strict=True)]
    total = sum(depth)
    values = {
        "new orders per s": tape.orders / seconds,
        "new orders per trade": tape.orders / max(1, len(sizes)),
        "share of orders canceled": tape.cancels / max(1, tape.orders),
        "spread bp, median": quantile(tape.spreads_bps, 0.5),
        "spread bp, 95 %": quantile(tape.spreads_bps, 0.95),
        "depth within 10 bp of 100 bp": sum(depth[:10]) / total if total else 0.0,
        "depth within 25 bp of 100 bp": sum(depth[:25]) / total if total else 0.0,
        "depth within 50 bp of 100 bp": sum(depth[:50]) / total if total else 0.0,
        "depth in 10 bp / mean trade": sum(depth[:10]) / max(1, len(tape.depth))
        / max(1.0, mean(sizes)),
        "lifetime s, 25 %": quantile(tape.lifetimes_s, 0.25),
        "lifetime s, median": quantile(tape.lifetimes_s, 0.5),
        "lifetime s, 95 %": quantile(tape.lifetimes_s, 0.95),
        "lifetime 95 % / median": quantile(tape.lifetimes_s, 0.95)
        / max(1e-9, quantile(tape.lifetimes_s, 0.5)),
        "trade size mean / median": mean(sizes) / max(1, quantile(sizes, 0.5)),
        "trade size 99 % / median": quantile(sizes, 0.99) / max(1, quantile(sizes, 0.5)),
        "return deviation, bp": 10_000 * scale,
        "return excess kurtosis": excess_kurtosis(returns),
        "largest return / deviation": max(map(abs, returns), default=0.0) / scale if scale else 0.0,
        "autocorrelation of returns, 1": autocorrelation(returns, 1),
        **{
            f"autocorrelation of |returns|, {lag}": autocorrelation([*map(abs, returns)], lag)
            for lag in LAGS
        },
        "autocorrelation of trade signs, 1": autocorrelation(tape.trade_signs, 1),
    }  # fmt: skip
    return FlowFacts(name, tape.sample_ns // 1_000_000_000, values)


def show(report: FactsReport) -> None:
    """Print the report for a person."""
    print(f"facts: the simulated market beside a recorded one\n{machine.line(report.machine)}")
    print("method: " + ", ".join(f"{name} {value}" for name, value in report.method.items()))
    print(f"\n{'':<36}" + "".join(f"{flow.name:>30}" for flow in report.flows))
    print(f"{'returns over':<36}" + "".join(f"{f'{f.sample_s} s':>30}" for f in report.flows))
    for name in report.flows[0].values:
        cells = "".join(f"{flow.values[name]:>30,.3f}" for flow in report.flows)
        print(f"{name:<36}{cells}")


def _instruments(symbols: Sequence[str]) -> list[Instrument]:
    known = {each.symbol: each for each in load_instruments(INSTRUMENTS)}
    return [known[symbol] for symbol in symbols]


def _command(
    recorded: RecordedCommand, instrument: Instrument, ids: dict[int, int], totals: dict[int, int]
) -> Command:
    """A recorded command for the engine; `ids` and `totals` are by the recording's own ids."""
    order_id = ids.get(recorded.order_id, 0)
    if recorded.op == "cancel":
        return CancelOrder(0, 0, 1, instrument.id, order_id)
    if recorded.op == "reduce":
        totals[recorded.order_id] -= recorded.quantity_lots
        return AmendOrder(0, 0, 1, instrument.id, order_id, 0, totals[recorded.order_id])
    tif = TimeInForce.IOC if recorded.op == "exec" else TimeInForce.GTC
    return NewOrder(
        0, 0, 1, instrument.id, int(Side(recorded.side)), int(OrderType.LIMIT), int(tif),
        recorded.price_ticks, recorded.quantity_lots,
    )  # fmt: skip
