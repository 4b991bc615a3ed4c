"""Telling repeats from news: request numbers of gateways, client order ids of accounts.

Both are part of the engine's state and of its snapshots, so a command is applied once however
often it is sent, across restarts of either side.
"""

from collections import OrderedDict
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


class Remembered(Struct, eq=False, gc=False):
    """What an accepted order said when it was entered, and the order itself."""

    body: Body
    order: Order


class RetryWindow:
    """The last accepted orders that had a client order id, oldest forgotten first. O(1)."""

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int = RETRY_WINDOW) -> None:
        self._entries: OrderedDict[tuple[int, str], Remembered] = OrderedDict()
        self._limit = limit

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, command: NewOrder) -> Order | None:
        """The order that `command` repeats word for word, if one is remembered."""
        entry = self._entries.get((command.account, command.client_order_id))
        return entry.order if entry is not None and entry.body == body_of(command) else None

    def add(self, command: NewOrder, order: Order) -> None:
        """Remember an accepted order; it takes the place of an earlier one of that id."""
        self.put(body_of(command), order)

    def put(self, body: Body, order: Order) -> None:
        """Remember an order that said `body`."""
        key = (order.account.account_id, order.client_order_id)
        entries = self._entries
        entries[key] = Remembered(body, order)
        entries.move_to_end(key)
        if len(entries) > self._limit:
            entries.popitem(last=False)

    def entries(self) -> list[Remembered]:
        """What is remembered, oldest first."""
        return list(self._entries.values())


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
