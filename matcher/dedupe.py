"""Telling repeats from news: request numbers of gateways, client order ids of accounts.

Both are part of the engine's state and of its snapshots, so a command is applied once however
often it is sent, across restarts of either side.
"""

from collections import deque
from typing import Final

from msgspec import Struct

from common.commands import NewOrder
from common.sequence import COUNT_MASK, epoch_of
from matcher.order import Order

RETRY_WINDOW: Final = 65_536
"""Accepted orders with a client order id that are remembered, over all accounts. A constant, not
a setting: the same journal must replay alike everywhere."""

Body = tuple[int, ...]
"""What an order says, in integers; what few orders say comes last and is left out otherwise."""


def is_next_request(last: int, request: int) -> bool:
    """Whether `request` follows `last`: the next number, or the first one of a later epoch.

    >>> is_next_request(5, 6), is_next_request(5, 7), is_next_request(5, (1 << 30) + 1)
    (True, False, True)
    """
    return request == last + 1 or (request & COUNT_MASK == 1 and epoch_of(request) > epoch_of(last))


class Remembered(Struct, gc=False, eq=False):
    """What an accepted order said when it was entered (the command, or from a snapshot its body),
    and the order itself."""

    said: NewOrder | Body
    order: Order

    @property
    def body(self) -> Body:
        """What it said, to be compared."""
        said = self.said
        return body_of(said) if isinstance(said, NewOrder) else said


class RetryWindow:
    """The last accepted orders that had a client order id, oldest forgotten first. O(1).

    `_queue` has them in that order, and beside them at most as many that lost their id to a later
    order: looking for these each time would be O(orders).
    """

    __slots__ = ("_entries", "_limit", "_queue")

    def __init__(self, limit: int = RETRY_WINDOW) -> None:
        self._entries: dict[tuple[int, str], Remembered] = {}
        self._queue: deque[Remembered] = deque()
        self._limit = limit

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, command: NewOrder) -> Order | None:
        """The order that `command` repeats word for word, if one is remembered."""
        entry = self._entries.get((command.account, command.client_order_id))
        return entry.order if entry is not None and entry.body == body_of(command) else None

    def add(self, command: NewOrder, order: Order) -> None:
        """Remember an accepted order; it takes the place of an earlier one of that id."""
        self._remember((command.account, command.client_order_id), Remembered(command, order))

    def put(self, body: Body, order: Order) -> None:
        """Remember an order that said `body`."""
        key = (order.account.account_id, order.client_order_id)
        self._remember(key, Remembered(body, order))

    def entries(self) -> list[Remembered]:
        """What is remembered, oldest first."""
        return [entry for entry in self._queue if self._entries.get(_key(entry)) is entry]

    def _remember(self, key: tuple[int, str], entry: Remembered) -> None:
        entries, queue = self._entries, self._queue
        entries[key] = entry
        queue.append(entry)
        while len(entries) > self._limit:
            oldest = queue.popleft()
            key = _key(oldest)
            if entries[key] is oldest:
                del entries[key]
        if len(queue) > 2 * self._limit:
            self._queue = deque(self.entries())


def _key(entry: Remembered) -> tuple[int, str]:
    order = entry.order
    return order.account.account_id, order.client_order_id


def body_of(command: NewOrder) -> Body:
    """Everything an order says but who says it and under which id."""
    said = command.instructions
    rest: Body = ()
    if said is not None:
        rest = (
            command.self_trade, said.trigger_ticks, said.display_lots, said.expire_ns,
            int(said.post_only),
        )  # fmt: skip
    elif command.self_trade:
        rest = (command.self_trade,)
    return (
        command.instrument,
        command.side,
        command.order_type,
        command.time_in_force,
        command.price_ticks,
        command.quantity_lots,
        command.quote_amount,
        *rest,
    )
