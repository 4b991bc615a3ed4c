"""Commands that stay valid without their predecessors, so that a shrinker can drop some.

The command of a step names orders by the label of the step that entered them. Its request number is
the distance from the next number of its gateway: zero is sound, below is a repeat, above leaves a
gap. `resolve` inserts the real numbers of the steps that are left.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command
from crossbook.common.messages.events import Event
from tests.model.reference import REQUESTS_IN_EPOCH, ReferenceMatcher

Run = tuple[Command, int, list[Event]]
"""A command, its time, and the reference's answer."""

NEVER_ENTERED: Final = 10**15
"""Order ids from here on are never given. They stand for the orders of dropped steps."""


class Step(Struct, frozen=True):
    """One command; `label` is its place in the list it was made for, from 1.

    `later_epochs` counts the epochs its gateway has left behind since its last command: above
    zero the next request is the first of its epoch.
    """

    label: int
    command: Command
    later_epochs: int = 0


def next_request(last: int, later_epochs: int) -> int:
    """The request number after `last`, so many epochs later."""
    if not later_epochs:
        return last + 1
    return (last // REQUESTS_IN_EPOCH + later_epochs) * REQUESTS_IN_EPOCH + 1


def run(steps: Iterable[Step], reference: ReferenceMatcher) -> Iterator[Run]:
    """Each step's command with real order ids and request numbers, its time, and its events.

    The time is the step's label. `reference` is empty, and has applied all of them in the end.
    """
    ids: dict[int, int] = {}
    for step in steps:
        command = step.command
        if command.gateway > 0:
            last = reference.last_requests.get(command.gateway, 0)
            request = next_request(last, step.later_epochs) + command.request_seq
            command = replace(command, request_seq=request)
        if isinstance(command, CancelOrder | AmendOrder) and command.order_id:
            order_id = ids.get(command.order_id)
            if order_id is None:
                gone = command.order_id
                order_id = gone if gone >= NEVER_ENTERED else gone + NEVER_ENTERED
            command = replace(command, order_id=order_id)
        events = reference.apply(command, step.label)
        if events and events[-1].seq == reference.seq:
            ids[step.label] = reference.seq
        yield command, step.label, events


def resolve(steps: Iterable[Step], reference: ReferenceMatcher) -> list[tuple[Command, int]]:
    """The commands with real order ids and request numbers, as an empty matcher would number
    them, and their times."""
    return [(command, time_ns) for command, time_ns, _ in run(steps, reference)]
