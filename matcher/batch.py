"""Batches of commands: the whole of one, as it was recorded, or as much as one batch may hold.

A batch is one record of the journal and one message. It ends after `EVENTS_MAX` events, or the work
of as many, with the command that comes to it. A command has at most `COMMAND_EVENTS_MAX` events, so
a batch has a largest size that every consumer can receive.
"""

from typing import Final

from msgspec import Struct

from crossbook.common.errors import BAD_BYTES
from crossbook.common.messages.codec import decode_commands, encode
from crossbook.common.messages.commands import AdvanceTime
from crossbook.common.messages.events import Event, EventBatch
from crossbook.matcher.engine.engine import Engine

EVENTS_MAX: Final = 16_384
"""Events after which a batch ends: some 20 ms of work."""

MAKERS_MAX: Final = 4 * EVENTS_MAX
"""Makers looked at by dry runs after which a batch ends: the work of as many events."""

EXPIRY: Final = [encode([AdvanceTime()])]
"""The payloads of a batch of what is due."""

_ADVANCE: Final = AdvanceTime()


class Applied(Struct, gc=False):
    """The outcome of a batch; nothing was applied when `encoded` is empty.

    `payloads` are those of the batch, `rest` those of the next ones.
    """

    first_seq: int
    last_seq: int
    encoded: bytes
    malformed: int
    events: int
    payloads: list[bytes]
    rest: list[bytes]


def apply_batch(engine: Engine, incarnation: int, payloads: list[bytes], time_ns: int) -> Applied:
    """Apply every command of these encoded lists, in order, as one batch.

    `encoded` is their `EventBatch`. Payloads that are no list of commands change
    nothing and are counted.
    """
    first_seq = engine.seq + 1
    events: list[Event] = []
    malformed = 0
    for payload in payloads:
        try:
            commands = decode_commands(payload)
        except BAD_BYTES:
            malformed += 1
            continue
        for command in commands:
            events += engine.apply(command, time_ns)
    return _applied(engine, incarnation, first_seq, time_ns, events, malformed, payloads, [])


def apply_some(engine: Engine, incarnation: int, payloads: list[bytes], time_ns: int) -> Applied:
    """Apply as many commands of these encoded lists, in order, as one batch may hold.

    What is due comes first; where that is more than one number may hold, it is the whole batch. A
    list that is cut is encoded anew, in two parts.
    """
    apply, effort = engine.apply, engine.effort
    effort.reset()
    # A command that leaves an act unfinished has more events than this.
    most = min(EVENTS_MAX, engine.max_fills)
    first_seq = engine.seq + 1
    events: list[Event] = []
    malformed = 0
    taken, rest = payloads, []
    if engine.next_due_ns <= time_ns and payloads != EXPIRY:
        events += apply(_ADVANCE, time_ns)
        if engine.next_due_ns <= time_ns:
            return _applied(engine, incarnation, first_seq, time_ns, events, 0, EXPIRY, payloads)
        taken = [*EXPIRY, *payloads]
    for place, payload in enumerate(payloads):
        try:
            commands = decode_commands(payload)
        except BAD_BYTES:
            malformed += 1
            continue
        applied = 0
        for command in commands:
            events += apply(command, time_ns)
            applied += 1
            if len(events) > most or effort.makers > MAKERS_MAX:
                break
        else:
            continue
        rest = payloads[place + 1 :]
        taken = taken[: len(taken) - len(rest)]
        if applied < len(commands):
            taken[-1] = encode(commands[:applied])
            rest.insert(0, encode(commands[applied:]))
        break
    return _applied(engine, incarnation, first_seq, time_ns, events, malformed, taken, rest)


def _applied(
    engine: Engine,
    incarnation: int,
    first_seq: int,
    time_ns: int,
    events: list[Event],
    malformed: int,
    payloads: list[bytes],
    rest: list[bytes],
) -> Applied:
    last_seq = engine.seq
    if last_seq < first_seq:
        return Applied(first_seq, last_seq, b"", malformed, 0, payloads, rest)
    encoded = encode(EventBatch(incarnation, first_seq, last_seq, time_ns, events))
    return Applied(first_seq, last_seq, encoded, malformed, len(events), payloads, rest)
