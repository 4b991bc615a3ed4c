"""The beat of the streams on a fake clock: one in each second, however often and late the loop
runs."""

import asyncio
from typing import Any

import pytest

from crossbook.common.process.clock import FakeClock
from crossbook.gateway.streams.loop import StreamLoop

MS = 1_000_000


class FakeFeed:
    """A feed without instruments."""

    def __init__(self) -> None:
        self.instruments: dict[str, Any] = {}
        self.on_updates: Any = None
        self.on_tick: Any = None


class FakeStreams:
    """Streams that record the times of their beats."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.sending = False
        self.waits_until_ns: int | None = None
        self.beats_ms: list[int] = []

    def beat(self) -> None:
        """Record the beat."""
        self.beats_ms.append(self._clock.monotonic_ns() // MS)

    def work(self, _: int) -> bool:
        """Send nothing."""
        return False

    def due_ns(self) -> int | None:
        """The time set by the test; none unless it is set."""
        return self.waits_until_ns


def beats(looks_ms: list[int]) -> list[int]:
    """The times of beats in a loop that ran at these times."""

    async def main() -> list[int]:
        clock, feed = FakeClock(), FakeFeed()
        streams: Any = FakeStreams(clock)
        some_feed: Any = feed
        StreamLoop(some_feed, streams, clock, processor_ns=lambda: 0)
        for look_ms in looks_ms:
            clock.advance_ns(look_ms * MS - clock.monotonic_ns())
            feed.on_tick()
        found: list[int] = streams.beats_ms
        return found

    return asyncio.run(main())


@pytest.mark.parametrize("look_ms", [1, 10, 100, 250])
def test_there_is_a_beat_every_second(look_ms: int) -> None:
    assert beats(list(range(0, 10_001, look_ms))) == [n * 1_000 for n in range(1, 11)]


def test_beats_keep_their_second_though_each_is_late() -> None:
    assert beats(list(range(0, 20_000, 130))) == [
        next(ms for ms in range(0, 20_000, 130) if ms >= 1_000 * n) for n in range(1, 20)
    ]


def test_a_loop_that_stood_still_beats_once_and_then_on_the_second() -> None:
    assert beats([999, 1_000, 1_001, 4_600, 4_700, 4_999, 5_000, 5_999, 6_000]) == [
        1_000, 4_600, 5_000, 6_000,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("until_ns", "wait_ms"),
    [(-5 * MS, 1), (0, 1), (1, 1), (MS, 1), (MS + 1, 2), (40 * MS, 40), (40 * MS + 999_999, 41)],
)
def test_the_loop_runs_again_in_the_millisecond_after_the_due_time(
    until_ns: int, wait_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        clock, feed = FakeClock(), FakeFeed()
        clock.advance_ns(1_000 * MS)
        streams = FakeStreams(clock)
        streams.waits_until_ns = clock.monotonic_ns() + until_ns
        some_feed: Any = feed
        some_streams: Any = streams
        loop = asyncio.get_running_loop()
        waits: list[float] = []
        set_timer = loop.call_later

        def call_later(delay: float, callback: Any) -> asyncio.TimerHandle:
            waits.append(delay)
            return set_timer(delay, callback)

        monkeypatch.setattr(loop, "call_later", call_later)
        StreamLoop(some_feed, some_streams, clock, processor_ns=lambda: 0)
        feed.on_tick()
        assert waits == [wait_ms / 1_000]

    asyncio.run(main())
