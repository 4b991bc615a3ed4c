"""The true history: every batch that left the matcher, and the sender of every command."""

from itertools import pairwise
from typing import Any

from msgspec import Struct

from crossbook.common.messages.codec import decode_events
from crossbook.common.messages.commands import Command
from crossbook.common.messages.events import Event, TimeAdvanced, TradeExecuted
from crossbook.common.sequence import epoch_of
from tests.simulation.world import require


class Handed(Struct, frozen=True):
    """One command that a gateway sent to the network, and its request."""

    command: Command
    token: bytes
    request_seq: int


class Archive:
    """The event stream as it was published, which no fault may change afterwards."""

    def __init__(self) -> None:
        self.incarnation = 0
        self.last_seq = 0
        self.incarnations: list[int] = []
        self.events: list[Event] = []
        self.handed: dict[tuple[int, int], Handed] = {}
        self.offered: dict[tuple[int, int], Handed] = {}
        self.fences: list[str] = []
        self._reported: dict[int, bytes] = {}
        self._ends: dict[int, int] = {}
        self._last_time_ns = 0

    def keep(self, encoded: bytes, how: str) -> None:
        """Record a batch that was published or found again: the known batch of its number, or the
        next one."""
        batch = decode_events(encoded)
        known = self._reported.get(batch.first_seq)
        if known is not None:
            require(known == encoded, f"batch {batch.first_seq} was {how} with other content")
            return
        require(
            batch.first_seq == self.last_seq + 1,
            f"batch {batch.first_seq} was {how} after {self.last_seq}",
        )
        require(batch.time_ns >= self._last_time_ns, f"time went back in {batch.first_seq}")
        require(
            not self.incarnation or batch.incarnation == self.incarnation, "the incarnation changed"
        )
        self.incarnation = batch.incarnation
        self._reported[batch.first_seq] = encoded
        self.last_seq = batch.last_seq
        self._last_time_ns = batch.time_ns
        self.events += batch.events

    def require_known(self, encoded: bytes) -> None:
        """Fail unless this batch, found on a disk, was published or found before, or was never
        sent."""
        first_seq = decode_events(encoded).first_seq
        known = self._reported.get(first_seq)
        is_news = known is None and first_seq > self.last_seq
        require(is_news or known == encoded, f"batch {first_seq} is not the one that was published")

    def recovered(self, incarnation: int, seq: int) -> None:
        """A matcher started at `seq`. Fail unless it has all batches that it ever sent."""
        require(seq == self.last_seq, f"recovered {seq}, but {self.last_seq} was published")
        require(
            not self.last_seq or incarnation == self.incarnation, "recovered another incarnation"
        )
        if incarnation not in self.incarnations:
            self.incarnations.append(incarnation)

    def hands_over(self, command: Command, token: bytes, request_seq: int) -> None:
        """A gateway is about to send a command."""
        key = (command.gateway, command.request_seq)
        offer = Handed(command, token, request_seq)
        before = self.handed.get(key)
        require(before is None or before == offer, f"number {key} was sent with other content")
        self.offered[key] = offer

    def handed_over(self, command: Command) -> None:
        """The network accepted the command."""
        key = (command.gateway, command.request_seq)
        self.handed[key] = self.offered.pop(key)

    def fenced(self, name: str) -> None:
        """Record that another gateway has taken the place of this one, which has ended."""
        self.fences.append(name)

    def answers(self) -> list[Any]:
        """The first event of each number: index is the number less one."""
        first: list[Any] = []
        for event in self.events:
            if event.seq == len(first) + 1:
                first.append(event)
            require(event.seq == len(first), f"number {event.seq} follows {len(first)}")
        require(len(first) == self.last_seq, f"{len(first)} answers to {self.last_seq} commands")
        require(all(not isinstance(event, TradeExecuted) for event in first), "no answer first")
        return first

    def check_origins(self) -> dict[int, Handed]:
        """The request behind each command, by number. Fails when a command was applied twice or
        came from nowhere."""
        origins: dict[int, Handed] = {}
        used: dict[tuple[int, int], int] = {}
        for event in self.answers():
            if isinstance(event, TimeAdvanced):
                continue
            key = (event.gateway, event.request_seq)
            handed = self.handed.get(key)
            require(handed is not None, f"{key} was applied but never handed over")
            assert handed is not None
            require(key not in used, f"{key} was applied as {used.get(key)} and {event.seq}")
            require(handed.command.account == event.account, f"{event.seq} is of another account")
            used[key] = event.seq
            origins[event.seq] = handed
        for gateway in {key[0] for key in used}:
            numbers = [key[1] for key in used if key[0] == gateway]
            require(numbers == sorted(numbers), f"gateway {gateway}: applied out of order")
            for before, after in pairwise(numbers):
                require(
                    after == before + 1 or epoch_of(after) > epoch_of(before),
                    f"gateway {gateway}: {after} was applied after {before}",
                )
        return origins
