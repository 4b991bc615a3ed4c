"""The orders that the obvious matcher compares a retry with: one list, searched whole each time."""

from collections import Counter
from dataclasses import dataclass

from msgspec.structs import replace

from crossbook.common.messages.commands import NewOrder
from tests.model.orders import ModelOrder


@dataclass(slots=True, frozen=True)
class Memory:
    """The bounds of the accepted orders with a client order id that are remembered.

    Each account has its latest `own`, there are `shared` others, and `most` in all. Where `most` is
    reached, each order is still kept for `kept_ns`.
    """

    own: int = 64
    shared: int = 65_536
    most: int = 1_048_576
    kept_ns: int = 600 * 10**9


class Repeats:
    """The remembered orders, oldest first, each with its terms and the time of its entry."""

    def __init__(self, memory: Memory) -> None:
        self.remembered: list[tuple[NewOrder, ModelOrder, int]] = []
        self._memory = memory

    def earlier(self, command: NewOrder) -> ModelOrder | None:
        """The remembered order of the same account and name, if its terms are the same."""
        for terms, order, _ in self.remembered:
            if (
                terms.account == command.account
                and terms.client_order_id == command.client_order_id
            ):
                again = replace(terms, gateway=command.gateway, request_seq=command.request_seq)
                return order if again == command else None
        return None

    def remember(self, command: NewOrder, order: ModelOrder, time_ns: int) -> None:
        """Remember an order: only the latest of a name, and only so many."""
        name = (command.account, command.client_order_id)
        self.remembered = [
            each for each in self.remembered if (each[0].account, each[0].client_order_id) != name
        ]
        self.remembered.append((command, order, time_ns))
        while True:
            beyond = self._beyond_their_own()
            too_many = len(self.remembered) > self._memory.most
            if beyond and (too_many or len(beyond) > self._memory.shared):
                self.remembered.remove(beyond[0])
            elif too_many:
                del self.remembered[0]
            else:
                return

    def refuses(self, command: NewOrder, time_ns: int) -> bool:
        """Whether a named order finds no place that may be taken from another one."""
        memory = self._memory
        mine = [terms for terms, _, _ in self.remembered if terms.account == command.account]
        return (
            len(self.remembered) >= memory.most
            and not self._beyond_their_own()
            and all(terms.client_order_id != command.client_order_id for terms in mine)
            and len(mine) < memory.own
            and time_ns - self.remembered[0][2] < memory.kept_ns
        )

    def _beyond_their_own(self) -> list[tuple[NewOrder, ModelOrder, int]]:
        """Remembered orders that are not among the latest of their account, in the order of their
        removal: the oldest first, of the accounts that have most, to a power of two."""
        own = self._memory.own
        counts: Counter[int] = Counter()
        beyond = []
        for each in reversed(self.remembered):
            counts[each[0].account] += 1
            if counts[each[0].account] > own:
                beyond.append(each)
        beyond.reverse()
        doublings = {
            account: next(n for n in range(64) if count <= own * 2 ** (n + 1))
            for account, count in counts.items()
        }
        return sorted(beyond, key=lambda each: -doublings[each[0].account])
