"""The face's streams of klines against those that the trades give one by one."""

import random
from typing import Any

import pytest

from crossbook.common.following.candles import SECOND_NS, CandleSeries
from crossbook.common.messages.feed import Candles, Heartbeat, Snapshot, Trade, Trades
from crossbook.common.messages.history_queries import Candle
from crossbook.gateway.binance.market.intervals import INTERVALS, Interval
from crossbook.gateway.binance.streams.klines import FINALS_KEPT
from tests.gateway.binance.market.plain_market import begin_of, plain_klines
from tests.worlds.face_stream_world import FaceStreamWorld
from tests.worlds.feed_source import SYMBOL
from tests.worlds.plain_recorder import plain_candles, trade
from tests.worlds.stream_world import FakeConnection

DAY_NS = 86_400 * SECOND_NS
BEGIN_NS = 1_761_482_096 * SECOND_NS
"""2025-10-26T12:34:56Z, a Sunday."""


class Tape(FaceStreamWorld):
    """A market whose trades the test makes; `now` is the exchange's time."""

    def __init__(self) -> None:
        super().__init__()
        self.trades: list[Trade] = []
        self.series = CandleSeries()
        self.now = BEGIN_NS
        self.follower = _Market()  # type: ignore[assignment]
        self.streams.apply(
            [
                Snapshot(
                    request_id=1, symbol=SYMBOL, seq=10**6, topics={}, bids=[], asks=[],
                    checksum=0, time_ns=self.now, last_trade_id=0,
                )
            ]
        )  # fmt: skip

    def candles(self, symbol: str) -> dict[int, Candle]:
        """The latest candles that were published."""
        return dict(self.follower.latest)  # type: ignore[attr-defined]

    def ticker(self, symbol: str) -> None:
        """None."""

    def book(self, symbol: str) -> None:
        """None."""

    def trade(self, after_ns: int, price: int = 500, lots: int = 1) -> None:
        """One trade, and the candles with it."""
        self.pass_time(after_ns, beat=False)
        made = trade(len(self.trades) + 1, price, lots, self.now)
        self.trades.append(made)
        notional = self.instrument.notional_per_tick_lot
        self.series.add(
            price, lots, price * lots * notional, made.trade_id, made.seq, made.time_ns,
            made.aggressor_side,
        )  # fmt: skip
        self.streams.apply([Trades(SYMBOL, [made])])

    def publish(self) -> None:
        """Publish the candles of the trades."""
        changed = {(c.interval_s, c.open_ns): c for c in self.series.drain_changed()}
        changed |= {(c.interval_s, c.open_ns): c for c in self.series.latest()}
        candles = [changed[key] for key in sorted(changed)]
        self.follower.latest = {c.interval_s: c for c in candles}  # type: ignore[attr-defined]
        self.streams.apply([Candles(SYMBOL, 1, candles, self.now)])
        self.advance(300)

    def pass_time(self, time_ns: int, *, beat: bool = True) -> None:
        """Let the exchange's time pass."""
        self.now += time_ns
        if beat:
            self.streams.apply([Heartbeat(1, self.now, 0, {f"trade.{SYMBOL}|": 1})])
            self.advance(300)

    def expected(self, interval: str) -> dict[int, list[Any]]:
        """The rows of REST, by their beginning."""
        rows = plain_klines(self.instrument, self.trades, interval, self.now)
        return {row[0]: row for row in rows}


class _Market:
    """The candles that were published."""

    def __init__(self) -> None:
        self.latest: dict[int, Candle] = {}
        self.instruments: dict[str, Any] = {}

    def on_time(self, now_ns: int) -> None:
        """Nothing waits."""


def row_of(event: dict[str, Any]) -> list[Any]:
    k = event["k"]
    return [
        k["t"], k["o"], k["h"], k["l"], k["c"], k["v"], k["T"], k["q"], k["n"], k["V"], k["Q"],
        k["B"],
    ]  # fmt: skip


def kline_client(tape: Tape, interval: str) -> FakeConnection:
    return tape.connect(f"/ws/btcusdt@kline_{interval}")


STEPS_NS = {
    "s": SECOND_NS // 3, "m": 25 * SECOND_NS, "h": 1_500 * SECOND_NS, "d": DAY_NS // 3,
    "w": 2 * DAY_NS, "M": 9 * DAY_NS,
}  # fmt: skip


@pytest.mark.parametrize("interval", INTERVALS)
def test_every_interval_ends_once_in_order_as_the_trades_give_it(interval: str) -> None:
    draw, tape = random.Random(5), Tape()
    tape.trade(0)
    tape.publish()
    client = kline_client(tape, interval)
    step_ns = STEPS_NS[interval[-1]] * max(1, int(interval[:-1]) // 3)
    for _ in range(120):
        wait_ns = draw.randrange(2 * step_ns) * draw.choice((1, 1, 1, 1, 1, 9))
        if draw.random() < 0.6:
            tape.trade(wait_ns, 500 + draw.randint(-9, 9), draw.randint(1, 9))
            tape.publish()
        else:
            tape.pass_time(wait_ns)
    expected = tape.expected(interval)
    events = client.pop_messages()
    finals = [row_of(event) for event in events if event["k"]["x"]]
    assert len(finals) > 10
    assert any(not row[8] for row in finals), "no interval without trades in this test"
    begun = [row[0] for row in finals]
    assert begun == sorted(expected)[: len(begun)]
    assert finals == [expected[begin] for begin in begun]
    assert row_of(events[-1]) == expected[max(expected)]
    assert not tape.asked


def test_an_event_has_the_documented_fields() -> None:
    tape = Tape()
    tape.trade(0, 500, 3)
    tape.publish()
    (event,) = kline_client(tape, "1m").pop_messages()
    assert list(event) == ["e", "E", "s", "k"]
    assert "".join(event["k"]) == "tTsifLochlvnxqVQB"
    assert (event["e"], event["s"], event["k"]["i"]) == ("kline", "BTCUSDT", "1m")
    assert (event["k"]["f"], event["k"]["L"], event["k"]["x"]) == (1, 1, False)
    tape.pass_time(61 * SECOND_NS)
    ended, running = kline_events(tape, "1m")
    assert (ended, running["k"]["f"], running["k"]["L"]) == ([], -1, -1)


def kline_events(tape: Tape, interval: str) -> tuple[list[Any], Any]:
    """The events of a new client: those that ended, and the running one."""
    *ended, running = kline_client(tape, interval).pop_messages()
    return ended, running


@pytest.mark.parametrize("interval", ["3m", "2h", "12h", "3d", "1w", "1M"])
def test_a_stream_that_begins_within_an_interval_reads_its_beginning_from_the_record(
    interval: str,
) -> None:
    draw, tape = random.Random(2), Tape()
    step_ns = STEPS_NS[interval[-1]] * max(1, int(interval[:-1]) // 3)
    for _ in range(40):
        tape.trade(draw.randrange(step_ns), 500 + draw.randint(-9, 9))
    while begin_of(interval, tape.now) == begin_of(interval, tape.trades[-3].time_ns):
        tape.trade(step_ns // 5, 500 + draw.randint(-9, 9))
    for _ in range(4):
        tape.trade(step_ns // 5, 500 + draw.randint(-9, 9))
    tape.publish()

    def past(asked: Interval, begin_ns: int, end_ns: int) -> list[Candle]:
        notional = tape.instrument.notional_per_tick_lot
        found = plain_candles(tape.trades, asked.candle_s, notional)
        return [candle for candle in found if begin_ns <= candle.open_ns <= end_ns]

    tape.past = past
    client = kline_client(tape, interval)
    (event,) = client.pop_messages()
    expected = tape.expected(interval)
    assert row_of(event) == expected[max(expected)]
    tape.trade(step_ns // 9, 600)
    tape.publish()
    expected = tape.expected(interval)
    assert row_of(client.pop_messages()[-1]) == expected[max(expected)]


def test_nothing_is_sent_before_the_record_answers_and_it_is_asked_again() -> None:
    tape = Tape()
    tape.now = begin_of("3m", BEGIN_NS) + 70 * SECOND_NS
    tape.trade(0, 500)
    tape.trade(61 * SECOND_NS, 510)
    tape.publish()
    tape.past = lambda *_: None
    client = kline_client(tape, "3m")
    tape.pass_time(SECOND_NS)
    assert client.writes == []
    assert len(tape.asked) == 1
    notional = tape.instrument.notional_per_tick_lot
    tape.past = lambda *_: plain_candles(tape.trades, 60, notional)
    tape.pass_time(6 * SECOND_NS)
    assert len(tape.asked) == 2
    event = client.pop_messages()[-1]
    assert (event["k"]["o"], event["k"]["n"]) == ("5.00000000", 2)


def test_candles_that_the_feed_missed_are_read_from_the_record() -> None:
    tape = Tape()
    tape.now = begin_of("3d", BEGIN_NS)
    tape.trade(SECOND_NS, 500)
    tape.publish()
    client = kline_client(tape, "3d")
    client.pop_messages()
    tape.trade(DAY_NS, 510)
    tape.series.drain_changed()
    tape.trade(DAY_NS, 520)
    tape.follower.latest = {}  # type: ignore[attr-defined]
    # The candle of the second day is not in the message of the third.
    tape.publish()
    assert len(tape.asked) == 1
    assert tape.expected("3d")


def test_after_a_pause_the_last_intervals_are_sent() -> None:
    tape = Tape()
    tape.trade(0)
    tape.publish()
    client = kline_client(tape, "1s")
    client.pop_messages()
    tape.pass_time(DAY_NS)
    events = client.pop_messages()
    assert FINALS_KEPT - 1 <= len(events) <= FINALS_KEPT + 2
    assert events[-1]["k"]["t"] == begin_of("1s", tape.now) // 10**6


def test_an_interval_ends_only_when_the_candles_of_its_trades_have_come() -> None:
    tape = Tape()
    tape.trade(0)
    tape.publish()
    client = kline_client(tape, "1m")
    client.pop_messages()
    tape.trade(SECOND_NS, 777)
    tape.pass_time(60 * SECOND_NS)
    assert client.pop_messages() == []
    tape.publish()
    ended = next(event for event in client.pop_messages() if event["k"]["x"])
    assert ended["k"]["c"] == "7.77000000"


def test_a_market_without_trades_sends_nothing_until_the_first() -> None:
    tape = Tape()
    client = kline_client(tape, "1h")
    tape.pass_time(4_000 * SECOND_NS)
    assert client.writes == []
    tape.trade(0)
    tape.publish()
    (event,) = client.pop_messages()
    assert event["k"]["n"] == 1


def test_a_full_client_gets_the_klines_that_ended_meanwhile() -> None:
    tape = Tape()
    tape.trade(0)
    tape.publish()
    client, other = kline_client(tape, "1m"), kline_client(tape, "1m")
    client.pop_messages()
    other.pop_messages()
    client.full = True
    for _ in range(5):
        tape.trade(61 * SECOND_NS, 400 + len(tape.trades))
        tape.publish()
    client.drain()
    finals = [event for event in other.pop_messages() if event["k"]["x"]]
    assert [event for event in client.pop_messages() if event["k"]["x"]] == finals
    assert len(finals) == 6
