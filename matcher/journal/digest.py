"""The digest of a journal: equal for two runs that decided the same, however the bytes were cut.

It covers every applied command with its number and time, and every event, in the order of numbers.
It does not depend on the parts of a journal that differ from run to run without a decision: the
borders of batches, commands sent again, segments, the incarnation, and the epochs that gateways
number their commands by, of which only the order counts.

Times belong to a decision. So two runs agree where their clock is manual (`CLOCK=manual`).
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from crossbook.common.errors import BAD_BYTES
from crossbook.common.messages.codec import decode_commands, decode_events, encode
from crossbook.common.messages.commands import AdvanceTime, Command
from crossbook.common.messages.events import Event, TimeAdvanced
from crossbook.common.sequence import COUNT_MASK, epoch_of, first_of
from crossbook.matcher.journal.disk import Disk, FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.journal.record import Record

_seq: Final = attrgetter("seq")


class JournalDigest(Struct, frozen=True):
    """`digest` is of the numbers `first_seq` to `last_seq`, which the journal holds: `commands`
    that gateways and administrators sent, and `events`. `time_ns` is the time of the last one."""

    digest: str
    first_seq: int
    last_seq: int
    commands: int
    events: int
    time_ns: int


class Decision(Struct, frozen=True):
    """One number: the command, without one where time alone caused it, and its events."""

    seq: int
    time_ns: int
    command: Command | None
    events: list[Event]


def journal_digest(directory: Path) -> JournalDigest:
    """The digest of the journal in a data directory; the matcher may be running.

    Costs a pass over the journal. Raises `JournalDamaged`, and `OSError` where there is no such
    directory.
    """
    return digest_of(FileDisk(directory, read_only=True))


def digest_of(disk: Disk) -> JournalDigest:
    """The digest of the journal on a disk; raises `JournalDamaged`."""
    journal = Journal.open(disk, 0, b"", 0, read_only=True)
    hashed = sha256()
    commands = events = time_ns = 0
    for decision in decisions(record for _, record in journal.read(journal.first_seq)):
        # A message encodes as the array of its tag and fields.
        hashed.update(encode([decision.seq, decision.time_ns, decision.command, decision.events]))
        commands += decision.command is not None
        events += len(decision.events)
        time_ns = decision.time_ns
    return JournalDigest(
        hashed.hexdigest(), journal.first_seq, journal.last_seq, commands, events, time_ns
    )


def decisions(records: Iterable[Record]) -> Iterator[Decision]:
    """Every number of these records, in order, with epochs counted from 1 for each gateway."""
    epochs: dict[int, dict[int, int]] = {}
    for record in records:
        received = _commands(record.payloads)
        by_origin = {(each.gateway, each.request_seq): each for each in received if each.gateway}
        # Gateway zero's commands are applied in their order, each under a number of its own.
        own = iter([each for each in received if not each.gateway])
        for seq, group in groupby(decode_events(record.events).events, _seq):
            events = list(group)
            command = _command_of(events[0], by_origin, own)
            if command is not None and command.gateway:
                numbers = epochs.setdefault(command.gateway, {})
                command = _renumbered(command, numbers)
                events = [_renumbered(event, numbers) for event in events]
            yield Decision(seq, record.time_ns, command, events)


def _commands(payloads: Iterable[bytes]) -> list[Command]:
    found: list[Command] = []
    for payload in payloads:
        try:
            found += decode_commands(payload)
        except BAD_BYTES:
            # It changed nothing.
            continue
    return found


def _command_of(
    answer: Event, by_origin: dict[tuple[int, int], Command], own: Iterator[Command]
) -> Command | None:
    """The command that an event answers; None where time alone caused it."""
    if isinstance(answer, TimeAdvanced):
        return None
    gateway: int = getattr(answer, "gateway", 0)
    if gateway:
        return by_origin[gateway, getattr(answer, "request_seq", 0)]
    return next(each for each in own if not isinstance(each, AdvanceTime))


def _renumbered(message: Any, numbers: dict[int, int]) -> Any:
    """A command or event whose request number is that of the gateway's first, second, ... epoch."""
    request_seq = getattr(message, "request_seq", 0)
    if not request_seq:
        return message
    epoch = numbers.setdefault(epoch_of(request_seq), len(numbers) + 1)
    return replace(message, request_seq=first_of(epoch) - 1 + (request_seq & COUNT_MASK))
