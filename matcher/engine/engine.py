"""The state machine of the venue: `Engine.apply(command)` gives events, and nothing else.

No sockets, files, clocks or randomness: the same commands at the same times give the same events
byte for byte, on any machine. Everything is validated before anything changes, so a refused
command needs no rollback. Rules: docs/guide/orders.md.
"""

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    Administer,
    AdvanceTime,
    AmendOrder,
    CancelOrder,
    Command,
    MassCancelOrders,
    NewOrder,
    SetCancelAfter,
    SetFees,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.entry import OrderState
from crossbook.common.messages.events import Event, TimeAdvanced
from crossbook.common.messages.matcher_queries import BookState
from crossbook.matcher.engine import administration, keys, queries
from crossbook.matcher.engine.amendment import amend_order
from crossbook.matcher.engine.cancellation import cancel_after, cancel_order, mass_cancel
from crossbook.matcher.engine.dedupe import is_next_request
from crossbook.matcher.engine.new_order import new_order
from crossbook.matcher.engine.venue import Venue

_RULES: Final[dict[type, Callable[[Venue, Any, int], list[Event]]]] = {
    MassCancelOrders: mass_cancel,
    AddInstrument: administration.add_instrument,
    SetInstrumentState: administration.set_state,
    Uncross: administration.uncross,
    SetFees: administration.set_fees,
    AdjustBalance: administration.adjust_balance,
}
"""The rules of commands that need no time. The others stand in `Engine.apply`."""


def _administer(venue: Venue, command: Any, seq: int, time_ns: int) -> list[Event]:
    """Perform an act, which has the origin of the command around it."""
    if type(command) is Administer:
        command = replace(command.act, gateway=command.gateway, request_seq=command.request_seq)
    rule = keys.RULES.get(type(command))
    if rule is not None:
        return rule(venue, command, seq, time_ns)
    return _RULES[type(command)](venue, command, seq)


class Engine(Venue):
    """The venue, changed by numbered commands.

    >>> from crossbook.common.instruments import example
    >>> from crossbook.common.types import Side
    >>> engine = Engine([example()])
    >>> engine.apply(NewOrder(0, 0, 7, 1, Side.SELL, 1, 1, 5000000, 300, "a"))
    [OrderAccepted(seq=1, gateway=0, request_seq=0, account=7, instrument=1, side=<Side.SELL: 2>, \
order_type=1, time_in_force=1, price_ticks=5000000, quantity_lots=300, client_order_id='a', \
quote_amount=0, prevention=0, instructions=None)]
    """

    def apply(self, command: Command, time_ns: int = 0) -> list[Event]:
        """Apply one command as number `seq + 1` and return its events, the answer first.

        Acts due by `time_ns` happen before, as a number of its own, or several where they are more
        than `max_fills`: `AdvanceTime` of no gateway is one of these. A command that is not the
        next one of its gateway takes no number and does nothing: it was applied before, or others
        before it are missing and will be sent again. Gateway zero is exempt.
        """
        if time_ns >= self.timers.due_ns:
            events = administration.advance(self, time_ns)
            if type(command) is AdvanceTime and command.gateway < 0:
                return events
            while time_ns >= self.timers.due_ns:
                events += administration.advance(self, time_ns)
            return events + self.apply(command, time_ns)
        gateway = command.gateway
        if gateway:
            request = command.request_seq
            last = self.last_request.get(gateway, 0)
            if gateway < 0 or (request != last + 1 and not is_next_request(last, request)):
                return []
            self.last_request[gateway] = request
        self.seq = seq = self.seq + 1
        if type(command) is NewOrder:
            return new_order(self, command, seq, time_ns)
        if type(command) is CancelOrder:
            return cancel_order(self, command, seq)
        if type(command) is AmendOrder:
            return amend_order(self, command, seq)
        if type(command) is SetCancelAfter:
            return cancel_after(self, command, seq, time_ns)
        if type(command) is AdvanceTime:
            # The acts due have happened above.
            return [TimeAdvanced(seq, time_ns)]
        return _administer(self, command, seq, time_ns)

    def book_state(self, instrument: int) -> BookState:
        """One instrument's resting orders in priority order. O(orders)."""
        return queries.book_state(self.books[instrument])

    def open_orders(
        self,
        account: int,
        instrument: int = 0,
        order_id: int = 0,
        client_order_id: str = "",
        after_order_id: int = 0,
        limit: int = 1000,
    ) -> tuple[list[OrderState], bool]:
        """Open orders of an account, oldest first, and whether `limit` cut the list.

        Zero and empty arguments do not restrict. O(open orders of the account), O(1) for one that
        is named.
        """
        return queries.open_orders(
            self, account, instrument, order_id, client_order_id, after_order_id, limit
        )
