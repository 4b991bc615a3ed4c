"""The feed of a publisher behind fault rules. No socket and no clock.

Messages are numbered and kept for resends as ever; a fault is between the number and the wire.
"""

from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

from msgspec.structs import replace

from crossbook.common.faults.clock import shift_ns
from crossbook.common.faults.market_data import (
    FeedConnectionFault,
    FeedDelay,
    FeedDrop,
    FeedDuplicate,
    FeedFacts,
    FeedFault,
    FeedGap,
    FeedHeartbeatStopped,
    FeedReorder,
    FeedStandstill,
    FeedWrongChecksum,
)
from crossbook.common.faults.table import FaultTable
from crossbook.common.faults.venue import ClockFault
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_feed, encode
from crossbook.common.messages.feed import DepthUpdate, Heartbeat, Snapshot, Trades
from crossbook.publisher.faults.book import BookCut
from crossbook.publisher.feed import Feed
from crossbook.publisher.resend_buffer import Frames

HELD_NS: Final = 1_000_000_000
"""How long a message waits for the one that is to overtake it."""

LOST_MAX: Final = 100_000
"""Most messages that resends are to leave out; the oldest are forgotten."""


class FaultyFeed(Feed):
    """A feed whose messages pass the rules of `table` on their way out.

    `turns` counts calls of `publish_statistics`, which comes once a round of the loop: what a rule
    changed before has been undone or done once two more are over.
    """

    def __init__(
        self, instruments: Iterable[Instrument], base: int, resend_count: int, table: FaultTable
    ) -> None:
        super().__init__(instruments, base, resend_count)
        self.turns = 0
        self._table = table
        self.cut = BookCut(self, table)
        self._now_ns = 0
        self._order = count()
        self._late: list[tuple[int, int, Frames]] = []
        self._held: dict[bytes, tuple[int, Frames]] = {}
        self._lost: deque[tuple[str, int]] = deque(maxlen=LOST_MAX)
        # Topic -> the last number before it stood still.
        self._still: dict[bytes, int] = {}

    def publish(self) -> list[Frames]:
        """As `Feed.publish`, with the faults of these messages."""
        true_ns, shift = self.time_ns, self._shift_ns()
        self.time_ns += shift
        messages = super().publish()
        self.time_ns = true_ns
        if shift:
            messages = [_shifted(frames, shift) for frames in messages]
        return self._through(self.cut.shown(messages))

    def publish_statistics(self, now_ns: int, *, at_once: bool = False) -> list[Frames]:
        """As `Feed.publish_statistics`, and whatever is due since a rule held it back."""
        self._now_ns = now_ns
        sent = self._through(self.cut.changed())
        true_ns = self.time_ns
        self.time_ns += self._shift_ns()
        messages = super().publish_statistics(now_ns, at_once=at_once)
        self.time_ns = true_ns
        sent += self._through(self.cut.shown(messages))
        sent += self._due(now_ns)
        self.turns += 1
        return sent

    def heartbeat(self, stale_ns: int) -> Frames:
        """As `Feed.heartbeat`; it does not count the messages of topics that stand still."""
        frames = super().heartbeat(stale_ns)
        self._release_still()
        if not self._still:
            return frames
        beat = decode_feed(frames[2])
        assert isinstance(beat, Heartbeat)
        still = {name.decode(): seq for name, seq in self._still.items()}
        return (*frames[:2], encode(replace(beat, topics={**beat.topics, **still})))

    def heartbeat_is_due(self) -> bool:
        """Whether no rule stops the present heartbeat."""
        return not any(
            isinstance(each.rule, FeedHeartbeatStopped) and self._table.applies(each)
            for each in self._table.in_force(FeedConnectionFault)
        )

    def is_lost(self, topic: str, from_seq: int, to_seq: int) -> bool:
        """Whether a resend of these messages includes one that is gone for good."""
        return (
            bool(self._lost)
            and self._table.has(FeedGap)
            and any(name == topic and from_seq <= seq <= to_seq for name, seq in self._lost)
        )

    def shown(self, snapshot: Snapshot) -> Snapshot:
        """A snapshot as it is to be sent."""
        time_ns = snapshot.time_ns + self._shift_ns()
        return self.cut.snapshot(replace(snapshot, time_ns=time_ns))

    def _shift_ns(self) -> int:
        return shift_ns(self._table) if self._table.has(ClockFault) else 0

    def _through(self, messages: list[Frames]) -> list[Frames]:
        """The messages to send now."""
        if not self._table.has(FeedFault) and not self._held:
            return messages
        sent: list[Frames] = []
        for frames in messages:
            self._pass(frames, sent)
        return sent

    def _pass(self, frames: Frames, sent: list[Frames]) -> None:
        name, number = frames[0], int.from_bytes(frames[1], "big")
        delay_s, times, is_held = 0.0, 1, False
        for each in self._table.due(FeedFault, facts_of(name)):
            rule = each.rule
            if isinstance(rule, FeedDelay):
                delay_s += each.draw_delay_s()
            elif isinstance(rule, FeedDuplicate):
                times += 1
            elif isinstance(rule, FeedReorder):
                is_held = name not in self._held
            elif isinstance(rule, FeedWrongChecksum):
                frames = _with_wrong_checksum(frames)
            elif isinstance(rule, FeedStandstill):
                self._still.setdefault(name, number - 1)
                return
            else:
                assert isinstance(rule, FeedDrop | FeedGap)
                if isinstance(rule, FeedGap):
                    self._lost.append((name.decode(), number))
                return
        self._still.pop(name, None)
        if delay_s:
            due_ns = self._now_ns + int(delay_s * 1e9)
            for _ in range(times):
                heappush(self._late, (due_ns, next(self._order), frames))
        elif is_held:
            self._held[name] = (self._now_ns + HELD_NS, frames)
        else:
            sent += [frames] * times
            if name in self._held:
                sent.append(self._held.pop(name)[1])

    def _due(self, now_ns: int) -> list[Frames]:
        """The late and held messages whose time has come."""
        sent: list[Frames] = []
        while self._late and self._late[0][0] <= now_ns:
            sent.append(heappop(self._late)[2])
        for name in [name for name, (until_ns, _) in self._held.items() if until_ns <= now_ns]:
            sent.append(self._held.pop(name)[1])
        return sent

    def _release_still(self) -> None:
        """Let heartbeats count the topics again whose rule is removed."""
        for name in [
            name
            for name in self._still
            if not self._table.may_concern(FeedStandstill, facts_of(name))
        ]:
            del self._still[name]


def facts_of(name: bytes) -> FeedFacts:
    """The facts of a topic.

    >>> facts_of(b"l2.BTC-USDT|")
    FeedFacts(channel='l2', symbol='BTC-USDT')
    """
    channel, _, symbol = name.decode().partition(".")
    return FeedFacts(channel, symbol.removesuffix("|"))


def _shifted(frames: Frames, shift: int) -> Frames:
    """The message with the times of its trades shifted; that of the others is already."""
    if not frames[0].startswith(b"trade."):
        return frames
    message = decode_feed(frames[2])
    assert isinstance(message, Trades)
    trades = [replace(each, time_ns=each.time_ns + shift) for each in message.trades]
    return (*frames[:2], encode(replace(message, trades=trades)))


def _with_wrong_checksum(frames: Frames) -> Frames:
    update: Any = decode_feed(frames[2])
    assert isinstance(update, DepthUpdate)
    return (*frames[:2], encode(replace(update, checksum=update.checksum ^ 1)))
