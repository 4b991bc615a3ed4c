"""Traders beside the bot of a test, each in a thread of its own: a simulated market, and recorded
order flow."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from crossbook.client.client import Client
from crossbook.client.exchange_clock import ExchangeClock
from crossbook.client.market_data import MarketData
from crossbook.common.instruments import Instrument
from crossbook.replay.check import ReplayCheck
from crossbook.replay.recording import Recording
from crossbook.replay.reference import reference_of
from crossbook.replay.replay import CHANNELS, Replay, ReplayPace
from crossbook.replay.report import ReplayReport
from crossbook.replay.requests import symbol_of
from crossbook.replay.venue import needed
from crossbook.simulator.flow import AgentFlow
from crossbook.simulator.fundamental import TICKS_PER_SECOND
from crossbook.simulator.runner import Runner, SimulationPlan, Stopped
from crossbook.testing.processes import ExchangeError

SPEED_MAX: Final = 1_000_000
"""Fastest replay in recorded time."""

STOP_S: Final = 10.0
"""Longest end of a background: its orders are canceled first."""

FLOW_ACCOUNT: Final = 2_000_000_002
"""The account of recorded order flow."""

AGENTS_ACCOUNT: Final = 2_000_001_001
"""The account of the first agent; the others have the next ones."""


class Background:
    """Something that trades until `stop`, or until it is done. An error of it is raised by the
    next call of the test."""

    def __init__(self, name: str) -> None:
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run_caught, name=name, daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def is_running(self) -> bool:
        """Whether it trades."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End it; its open orders are canceled. Raises the error that ended it, if any."""
        self._request_stop()
        self._thread.join(STOP_S)
        if self.is_running:
            raise ExchangeError(f"{self._thread.name} did not end within {STOP_S:g} s")
        self._raise_error()

    def end(self) -> None:
        """End it with the exchange, whatever became of it."""
        self._request_stop()
        self._thread.join(STOP_S)

    def wait(self, timeout_s: float = 60.0) -> None:
        """Return once it is done; raises `ExchangeError` when it is not in time."""
        self._thread.join(timeout_s)
        self._raise_error()
        if self.is_running:
            raise ExchangeError(f"{self._thread.name}: not done within {timeout_s:g} s")

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _wait_until(self, what: str, condition: Callable[[], bool], timeout_s: float) -> None:
        with self._changed:
            in_time = self._changed.wait_for(
                lambda: condition() or self._error is not None or not self.is_running, timeout_s
            )
        self._raise_error()
        if not in_time:
            raise ExchangeError(f"{self._thread.name}: {what} not within {timeout_s:g} s")

    def _note_change(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _run_caught(self) -> None:
        try:
            self._run()
        except Stopped:
            pass
        except BaseException as error:
            self._error = error
        finally:
            self._note_change()

    def _run(self) -> None:
        raise NotImplementedError

    def _request_stop(self) -> None:
        raise NotImplementedError


class LivingMarket(Background):
    """A simulated market: the same requests in the same order for the same seed, while no other
    account trades with it.

    `ticks` are the tenths of a simulated second that have passed. A market that is `stepped` trades
    in `step` only, and then moves the exchange's time where `clock` makes clients of a manual one.
    """

    def __init__(
        self,
        plan: SimulationPlan,
        *,
        stepped: bool = False,
        clock: Callable[[], ExchangeClock] | None = None,
    ) -> None:
        super().__init__("the simulated market")
        self._plan = plan
        self._stepped = stepped
        self._clock = clock if stepped else None
        self._turns = asyncio.Semaphore(0)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: Runner | None = None
        self.ticks = 0
        self._thread.start()
        self._wait_until("the first orders", lambda: self.ticks > 0, plan.wait_s)

    def wait_for_ticks(self, count: int, timeout_s: float = 60.0) -> None:
        """Return once so many more ticks have passed."""
        until = self.ticks + count
        self._wait_until(f"tick {until}", lambda: self.ticks >= until, timeout_s)

    def step(self, seconds: float = 1.0, timeout_s: float = 60.0) -> None:
        """Trade for so many simulated seconds, a tenth at least.

        Everything in them is answered when this returns, and shown where the clock is manual.
        Raises `ValueError` for a market that trades by itself.
        """
        if not self._stepped:
            raise ValueError("this market trades by itself; market(..., stepped=True) waits for it")
        count = round(seconds * TICKS_PER_SECOND)
        if count < 1:
            raise ValueError(f"seconds={seconds}: is less than a tick of {1 / TICKS_PER_SECOND} s")
        until = self.ticks + count
        assert self._loop is not None, "the first tick has passed"
        self._loop.call_soon_threadsafe(self._begin_ticks, count)
        self._wait_until(f"tick {until}", lambda: self.ticks >= until, timeout_s)
        if self._clock is not None:
            with self._clock() as clock:
                clock.wait_for(clock.now_ns())

    def _begin_ticks(self, count: int) -> None:
        for _ in range(count):
            self._turns.release()

    def _run(self) -> None:
        asyncio.run(self._trade())

    async def _trade(self) -> None:
        self._loop = asyncio.get_running_loop()
        turn = self._turns.acquire if self._stepped else None
        with ExitStack() as stack:
            clock = None
            if self._clock is not None:
                clock = stack.enter_context(self._clock())
            self._runner = Runner(self._plan, clock, turn)
            await self._runner.run(self._note_tick)

    def _note_tick(self, runner: Runner, flow: AgentFlow) -> None:
        if flow.failures:
            failure = flow.failures[0]
            raise ExchangeError(f"agent {failure.name} failed in tick {failure.tick}") from (
                failure.error
            )
        self.ticks = flow.tick
        self._note_change()

    def _request_stop(self) -> None:
        if self._loop is not None and self._runner is not None and self.is_running:
            self._loop.call_soon_threadsafe(self._runner.stop)


class RecordedFlow(Background):
    """Recorded order flow, traded by one account. `sent` counts its commands so far.

    `among_others` nothing is compared. Otherwise every fill and book must be the recorded one, as
    `crossbook replay` compares them: `wait` raises `AssertionError` with the differences.
    """

    def __init__(
        self,
        recording: Recording,
        symbol: str,
        orders_address: str,
        market_data: tuple[str, str] | None,
        pace: ReplayPace,
        prefix: str,
    ) -> None:
        super().__init__(f"the flow of {recording.name}")
        self._recording = recording
        self._symbol = symbol
        self._orders_address = orders_address
        self._market_data = market_data
        self._pace = pace
        self._prefix = prefix
        self._stopping = False
        self.report: ReplayReport | None = None
        self.sent = 0
        self._thread.start()

    @property
    def total(self) -> int:
        """The commands of the recording."""
        return len(self._recording.commands)

    def wait_for_commands(self, count: int, timeout_s: float = 60.0) -> None:
        """Return once so many more commands were sent, or the last one was."""
        until = min(self.sent + count, self.total)
        self._wait_until(f"command {until}", lambda: self.sent >= until, timeout_s)

    def _run(self) -> None:
        with ExitStack() as stack:
            client = stack.enter_context(Client(self._orders_address, FLOW_ACCOUNT))
            market = check = None
            if self._market_data is not None:
                market = stack.enter_context(
                    MarketData(*self._market_data, [self._symbol], CHANNELS)
                )
                market.wait_ready()
                check = ReplayCheck(self._recording, reference_of(self._recording))
            stack.callback(client.mass_cancel, self._symbol)
            replay = Replay(
                self._recording, client, market, check, self._symbol, self._pace,
                prefix=self._prefix,
            )  # fmt: skip
            self.report = replay.run(self._note_progress)
        if self.report.result is not None and not self.report.equal:
            differences = "\n".join(self.report.result.differences)
            raise AssertionError(f"{self._recording.name} ({self.report.cause}):\n{differences}")

    def _note_progress(self, replay: Replay) -> None:
        if replay.sent != self.sent:
            self.sent = replay.sent
            self._note_change()
        if self._stopping:
            raise Stopped("stopped")

    def _request_stop(self) -> None:
        self._stopping = True


def pace_of(speed: float | None) -> ReplayPace:
    """So many times the recorded speed, or as fast as answers come; raises `ValueError`."""
    if speed is not None and not 0 < speed <= SPEED_MAX:
        raise ValueError(f"speed={speed!r}: is not above 0 and at most {SPEED_MAX:,}")
    return ReplayPace(speed)


def symbol_for(path: Path, symbol: str | None, instruments: Mapping[str, Instrument]) -> str:
    """The instrument to trade a recording on: the one named, or the one in the file's name.

    Raises `ValueError`.
    """
    found = symbol or symbol_of(path.name, tuple(instruments.values()))
    if found not in instruments:
        known = ", ".join(instruments)
        what = f"symbol={symbol!r}: is not traded here" if symbol else f"{path.name}: name a symbol"
        raise ValueError(f"{what}, but {known}" if symbol else f"{what}, one of {known}")
    return found


def money_for(
    recording: Recording, instrument: Instrument, *, among_others: bool
) -> list[tuple[str, int]]:
    """What recorded flow spends at most, by asset in its smallest unit.

    Others may take what its orders traded with: then they rest, and hold more at a time.
    """
    factor = 2 if among_others else 1
    return [
        (asset, factor * units)
        for asset, _, units in needed(instrument, reference_of(recording).needs)
    ]
