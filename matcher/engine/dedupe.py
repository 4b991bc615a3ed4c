"""Repeats of commands, known by request numbers of gateways and client order ids of accounts.

Both are part of the engine's state and of its snapshots, so a command is applied once however
often it is sent, across restarts of either side.
"""

from heapq import heappop, heappush, heapreplace
from typing import Final, Optional

from msgspec import Struct

from crossbook.common.messages.commands import NewOrder
from crossbook.common.sequence import COUNT_MASK, epoch_of
from crossbook.common.types import RejectReason
from crossbook.matcher.engine.answers import Fault
from crossbook.matcher.engine.order import Order

OWN_RETRIES: Final = 64
"""The latest accepted orders with a client order id that are remembered of each account, whatever
other accounts do. These four are constants, not settings: the same journal must replay alike
everywhere."""

SHARED_RETRIES: Final = 65_536
"""Older ones that are remembered beside them, over all accounts."""

RETRIES_MAX: Final = 1_048_576
"""All that is remembered. Where the accounts' own ones alone are as many, the oldest makes room for
another one if it is `KEPT_NS` old; if not, the other one is refused."""

KEPT_NS: Final = 10 * 60 * 1_000_000_000

Body = tuple[int, ...]
"""The terms of an order in integers. Those that few orders have come last, or are left out."""


def is_next_request(last: int, request: int) -> bool:
    """Whether `request` follows `last`: the next number, or the first one of a later epoch.

    >>> is_next_request(5, 6), is_next_request(5, 7), is_next_request(5, (1 << 30) + 1)
    (True, False, True)
    """
    return request == last + 1 or (request & COUNT_MASK == 1 and epoch_of(request) > epoch_of(last))


def retry_limits(edition: int) -> tuple[int, int, int]:
    """`own`, `shared` and `most` of the window under an edition of the market's rules: under the
    first one all accounts shared one window.

    >>> retry_limits(1), retry_limits(2)
    ((0, 65536, 1048576), (64, 65536, 1048576))
    """
    return (0 if edition == 1 else OWN_RETRIES), SHARED_RETRIES, RETRIES_MAX


class Remembered(Struct, gc=False, eq=False):
    """An accepted order, its terms when it was entered (the command, or the body from a snapshot),
    and its neighbours among those of its account."""

    terms: NewOrder | Body
    order: Order
    older: Optional["Remembered"] = None
    newer: Optional["Remembered"] = None

    @property
    def body(self) -> Body:
        """The terms to compare a retry with."""
        terms = self.terms
        return body_of(terms) if isinstance(terms, NewOrder) else terms


class _OfAccount:
    """How many orders of one account are remembered, and the ends of their list."""

    __slots__ = ("count", "newest", "oldest")

    def __init__(self) -> None:
        self.count = 0
        self.oldest: Remembered | None = None
        self.newest: Remembered | None = None


class _Eldest:
    """Whose oldest remembered order is the oldest, among accounts with more than `floor` of them.

    An account stands in the heap once, under a number that is never above that of its oldest
    order: what ended or moved on since is only looked at when its turn comes. O(log accounts).
    """

    __slots__ = ("_accounts", "_floor", "_heap", "_inside")

    def __init__(self, accounts: dict[int, _OfAccount], floor: int) -> None:
        self._accounts = accounts
        self._floor = floor
        self._heap: list[tuple[int, int]] = []
        self._inside: dict[int, None] = {}

    def add(self, account: int) -> None:
        """The account has more than `floor` remembered orders from now on."""
        oldest = self._accounts[account].oldest
        if oldest is not None and account not in self._inside:
            self._inside[account] = None
            heappush(self._heap, (oldest.order.order_id, account))

    def find(self) -> Remembered | None:
        """The oldest order of all of them."""
        heap = self._heap
        while heap:
            number, account = heap[0]
            of_account = self._accounts.get(account)
            oldest = None if of_account is None else of_account.oldest
            if of_account is None or oldest is None or of_account.count <= self._floor:
                heappop(heap)
                del self._inside[account]
            elif oldest.order.order_id != number:
                heapreplace(heap, (oldest.order.order_id, account))
            else:
                return oldest
        return None


class RetryWindow:
    """The accepted orders with a client order id that a retry is compared with.

    Each account has its latest `own` ones for itself, so that other accounts cannot push them out.
    Beside them `shared` others are remembered over all accounts; one more takes the place of the
    oldest of the accounts that have most: more than `own` times the highest power of two that any
    has, so that an account that enters many pushes out its own. There are never more than `most`:
    while accounts' own ones alone are as many it is `full`, and another one may be refused. O(1)
    for each order, O(log accounts) where one is forgotten.
    """

    __slots__ = (
        "_accounts", "_all", "_entries", "_kept_ns", "_more", "_most", "_own", "_shared",
        "_surplus", "full",
    )  # fmt: skip

    def __init__(
        self,
        own: int = OWN_RETRIES,
        shared: int = SHARED_RETRIES,
        most: int = RETRIES_MAX,
        kept_ns: int = KEPT_NS,
    ) -> None:
        self._own, self._shared, self._most = own, min(shared, most - 1), most
        self._kept_ns = kept_ns
        self.full = False
        self._entries: dict[tuple[int, str], Remembered] = {}
        self._accounts: dict[int, _OfAccount] = {}
        self._surplus = 0
        self._all = _Eldest(self._accounts, 0)
        self._more: list[_Eldest] = []

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, command: NewOrder, time_ns: int) -> Order | Fault | None:
        """The remembered order that `command` repeats exactly; or why the command is refused, if
        its order could not be remembered."""
        entry = self._entries.get((command.account, command.client_order_id))
        if entry is not None and entry.body == body_of(command):
            return entry.order
        if self.full and not self._has_room(command, time_ns):
            return (RejectReason.BUSY, "client_order_id")
        return None

    def _has_room(self, command: NewOrder, time_ns: int) -> bool:
        """Whether the order could be remembered: in the place of an older one of its account, or
        of one that is as old as is promised."""
        if (command.account, command.client_order_id) in self._entries:
            return True
        of_account = self._accounts.get(command.account)
        if of_account is not None and of_account.count >= self._own:
            return True
        oldest = self._all.find()
        return oldest is None or time_ns - oldest.order.time_ns >= self._kept_ns

    def add(self, command: NewOrder, order: Order) -> None:
        """Remember an accepted order; it takes the place of an earlier one of that id."""
        self._remember(Remembered(command, order))

    def put(self, body: Body, order: Order) -> None:
        """Remember an order with the terms `body`, later than all others."""
        self._remember(Remembered(body, order))

    def entries(self) -> list[Remembered]:
        """The remembered orders, oldest first. O(n log n)."""
        return sorted(self._entries.values(), key=lambda entry: entry.order.order_id)

    def under(self, own: int, shared: int, most: int) -> "RetryWindow":
        """A window of these limits with the orders remembered here, which is used up."""
        window = RetryWindow(own, shared, most)
        for entry in self.entries():
            entry.older = entry.newer = None
            window._remember(entry)
        return window

    def _remember(self, entry: Remembered) -> None:
        order = entry.order
        account = order.account.account_id
        key = (account, order.client_order_id)
        entries = self._entries
        of_account = self._accounts.get(account)
        if of_account is None:
            of_account = self._accounts[account] = _OfAccount()
        elif key in entries:
            self._unlink(entries[key], of_account)
        entries[key] = entry
        entry.older = newest = of_account.newest
        of_account.newest = entry
        of_account.count = count = of_account.count + 1
        if newest is None:
            of_account.oldest = entry
            self._all.add(account)
        else:
            newest.newer = entry
        if count > self._own:
            self._add_surplus(account, count - 1)
        if len(entries) > self._shared:
            self._keep_limits()

    def _add_surplus(self, account: int, before: int) -> None:
        """An account has one more than its own, where it had `before` of them."""
        self._surplus += 1
        own = self._own
        doublings = before // own if own else 1
        if own * doublings == before and doublings & (doublings - 1) == 0:
            place = doublings.bit_length() - 1
            if place == len(self._more):
                self._more.append(_Eldest(self._accounts, before))
            self._more[place].add(account)

    def _keep_limits(self) -> None:
        """Forget one order if there is one too many. With at most `shared` there is none."""
        if self._surplus > self._shared or len(self._entries) > self._most:
            self._forget_one()
        self.full = len(self._entries) >= self._most and not self._surplus

    def _forget_one(self) -> None:
        """Forget the oldest of those that no account has for itself, of the accounts that have
        most, or else the oldest of all."""
        entry: Remembered | None = None
        if self._surplus:
            for many in reversed(self._more):
                entry = many.find()
                if entry is not None:
                    break
        else:
            entry = self._all.find()
        assert entry is not None, "nothing is remembered"
        order = entry.order
        account = order.account.account_id
        of_account = self._accounts[account]
        self._unlink(entry, of_account)
        del self._entries[account, order.client_order_id]
        if not of_account.count:
            del self._accounts[account]

    def _unlink(self, entry: Remembered, of_account: _OfAccount) -> None:
        older, newer = entry.older, entry.newer
        if older is None:
            of_account.oldest = newer
        else:
            older.newer = newer
        if newer is None:
            of_account.newest = older
        else:
            newer.older = older
        entry.older = entry.newer = None
        if of_account.count > self._own:
            self._surplus -= 1
        of_account.count -= 1


def body_of(command: NewOrder) -> Body:
    """All terms of an order; its account and its ids are left out."""
    terms = command.instructions
    rest: Body = ()
    if terms is not None:
        rest = (
            command.prevention, terms.trigger_ticks, terms.display_lots, terms.expire_ns,
            int(terms.post_only),
        )  # fmt: skip
    elif command.prevention:
        rest = (command.prevention,)
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
