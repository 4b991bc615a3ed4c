"""Commands that can lose their predecessors: what a shrinker needs to drop some and keep sense.

A step's command names orders by the label of the step that entered them. `resolve` puts the real
order ids in, which are the sequence numbers the commands get once some steps are gone.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from common.commands import AmendOrder, CancelOrder, Command

NEVER_ENTERED: Final = 10**15
"""Order ids from here on were never given; a step that is gone leaves one of them behind."""


class Step(Struct, frozen=True):
    """One command; `label` is its place in the list it was made for, from 1."""

    label: int
    command: Command


def resolve(steps: Iterable[Step]) -> list[Command]:
    """The commands with real order ids, as an empty matcher would number them."""
    commands: list[Command] = []
    ids: dict[int, int] = {}
    last_requests: dict[int, int] = {}
    seq = 0
    for step in steps:
        command = step.command
        repeated = False
        if command.gateway:
            repeated = command.request <= last_requests.get(command.gateway, 0)
            if not repeated:
                last_requests[command.gateway] = command.request
        if not repeated:
            seq += 1
            ids[step.label] = seq
        if isinstance(command, CancelOrder | AmendOrder) and command.order_id:
            order_id = ids.get(command.order_id)
            if order_id is None:
                gone = command.order_id
                order_id = gone if gone >= NEVER_ENTERED else gone + NEVER_ENTERED
            command = replace(command, order_id=order_id)
        commands.append(command)
    return commands
