"""The commands of one gateway between their sender and the matcher's answer. No I/O.

The desk adds a command, the link sends it, the reports remove it with its answer. Whatever has no
answer is in this table, and nowhere else. A command leaves it in one of three ways, each once:

- `answered`: an event of the matcher answers it;
- `withdraw`: it was never sent, so its number is used again;
- `give_up`: it was sent, and its answer will not come, so its outcome is unknown.

The number of a command, its `request_seq` for the matcher, is given here and not by the client.
Numbers are dense (see `crossbook.common.sequence`): the matcher applies a number only after the one
before it, and each once. That is why a command may be sent again until it is answered.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from crossbook.common.messages.commands import Command
from crossbook.gateway.orders.session import OrderSession

Origin: TypeAlias = tuple[OrderSession, int, Command]
"""The session that a command comes from, the session's request_seq, and the command."""

RESEND_NS: Final = 300_000_000
"""Wait for the oldest command's answer before sending again; doubled while nothing changes."""

RESEND_MAX_NS: Final = 5_000_000_000


class CommandsInFlight:
    """At most `limit` commands, oldest first.

    The table is closed until `begin`, and from `suspend` to `resume`: then it has no room, and
    `why_busy` is the reason.

    `number` is the last one given. `unsent` holds the commands not collected yet. `is_taken_over`
    is true once a number above the last one given was answered: another gateway has this id.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._origins: dict[int, Origin] = {}
        self._oldest = 0
        self._since_ns = 0
        self._wait_ns = RESEND_NS
        self.unsent: list[Command] = []
        self.number = 0
        self.is_open = False
        self.is_taken_over = False
        self.why_busy = "the matcher has not been reached yet"

    def __len__(self) -> int:
        return len(self._origins)

    def __contains__(self, number: int) -> bool:
        return number in self._origins

    def room(self) -> int:
        """How many commands may be added now."""
        return self._limit - len(self._origins) if self.is_open else 0

    def oldest(self) -> int:
        """The number of the oldest command without an answer; the next one where there is none."""
        return next(iter(self._origins), self.number + 1)

    def begin(self, number: int) -> None:
        """Open, with `number + 1` as the next number."""
        self.number = number
        self.resume()

    def suspend(self, why: str) -> None:
        """Close until `resume` or `begin`."""
        self.is_open = False
        self.why_busy = why

    def resume(self) -> None:
        """Open."""
        self.is_open = True
        self.why_busy = (
            f"this gateway has {self._limit} commands in flight and accepts no more "
            "(ORDER_QUEUE_SIZE)"
        )

    def origin(self, number: int) -> Origin | None:
        """Where the command of a number comes from; None when it is not in flight."""
        return self._origins.get(number)

    def add(self, session: OrderSession, request_seq: int, command: Command) -> None:
        """Add a command made with the number `self.number + 1`. The caller checks `room`."""
        self.number = number = command.request_seq
        self._origins[number] = (session, request_seq, command)
        self.unsent.append(command)

    def collect(self) -> list[Command]:
        """Remove and return the unsent commands, for the link to send; they stay in flight."""
        unsent, self.unsent = self.unsent, []
        return unsent

    def answered(self, number: int) -> Origin | None:
        """Remove the command that the matcher answered; None when it is not in flight."""
        origin = self._origins.pop(number, None)
        if origin is None:
            self.is_taken_over |= number > self.number
        return origin

    def withdraw(self, commands: Iterable[Command]) -> list[Origin]:
        """Remove `commands`, the last ones added, which were not sent."""
        origins = [self._origins.pop(command.request_seq) for command in commands]
        self.number -= len(origins)
        return origins

    def give_up(self, last_number: int) -> list[Origin]:
        """Remove the commands up to `last_number`, whose answers will not come."""
        numbers = [number for number in self._origins if number <= last_number]
        return [self._origins.pop(number) for number in numbers]

    def all(self) -> list[Command]:
        """Every command in flight, oldest first."""
        return [command for _, _, command in self._origins.values()]

    def is_overdue(self, now_ns: int) -> bool:
        """Whether the oldest command has waited too long for its answer."""
        oldest = next(iter(self._origins), 0)
        if oldest != self._oldest:
            self._oldest, self._since_ns, self._wait_ns = oldest, now_ns, RESEND_NS
        return oldest != 0 and now_ns - self._since_ns >= self._wait_ns

    def wait_longer(self, now_ns: int) -> None:
        """Wait from now on, twice as long as before."""
        self._since_ns = now_ns
        self._wait_ns = min(2 * self._wait_ns, RESEND_MAX_NS)

    def wait_least(self) -> None:
        """Wait the shortest time again: the matcher was not there to answer."""
        self._wait_ns = RESEND_NS
