"""Short flows to count the engine's work on, each with an engine of its own."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from bench import mixed, workload
from crossbook.common.messages.commands import Command
from crossbook.common.messages.events import Event
from crossbook.common.rules import Rules
from crossbook.matcher.engine.engine import Engine

ORDERS: Final = 600
"""New orders of each flow: about twice as many messages."""

RICH: Final = Rules(accounts=True, opening=(("BENCH", 10**15), ("USD", 10**17)))


class EngineFlow(Struct, frozen=True):
    """Commands with their times, and the engine they are for."""

    commands: list[tuple[Command, int]]
    engine: Callable[[type[Engine]], Engine]

    def run(self, kind: type[Engine]) -> list[Event]:
        """All events of a fresh engine of this kind."""
        apply = self.engine(kind).apply
        reported: list[Event] = []
        for command, time_ns in self.commands:
            reported += apply(command, time_ns)
        return reported


def plain() -> EngineFlow:
    """Plain orders, accounts off."""
    return EngineFlow(_normal(), lambda kind: kind([workload.INSTRUMENT]))


def accounts() -> EngineFlow:
    """The same orders with accounts on."""
    return EngineFlow(_normal(), lambda kind: kind([workload.INSTRUMENT], RICH))


def everything() -> EngineFlow:
    """All kinds of commands."""
    return EngineFlow(mixed.generate(ORDERS), lambda kind: kind([mixed.BANDED], mixed.RULES))


def _normal() -> list[tuple[Command, int]]:
    return [(command, 0) for command in workload.generate("normal", ORDERS)]


FLOWS: Final = {"plain": plain, "accounts": accounts, "mixed": everything}
