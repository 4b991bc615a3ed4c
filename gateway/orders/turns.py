"""Commands that wait for their turn between the accounts of one desk. No I/O.

While few commands are in flight there is no need for turns: requests are translated as they come.
Beyond that each account has a queue, and the queues take turns; one that had little in flight when
it came takes its first turn before the others. An account whose commands in flight
exceed its share waits: the matcher applies commands in the order of arrival, so what one account
has in flight is what all others wait for. The share is some more than the mean of the accounts that
were active of late. Accounts that load the exchange alike are never held back by it, and one among
many small ones shrinks to `SHARE_LEAST`.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from typing import Final

from crossbook.common.messages.entry import Request
from crossbook.gateway.orders.commands_in_flight import CommandsInFlight
from crossbook.gateway.orders.session import OrderSession

CALM: Final = 256
"""Commands in flight up to which nobody waits: about two milliseconds of the matcher."""

SHARE_LEAST: Final = 128
"""Commands of one account that may always be in flight: enough to keep the matcher busy."""

SHARE_MOST: Final = 1_024
"""Most commands of one account in flight in a crowd."""

IN_FLIGHT_MOST: Final = 4_096
"""Most commands of all accounts in flight in a crowd: what a command waits for at the most, some 40
milliseconds of the matcher."""

QUANTUM: Final = 64
"""Most requests of one account in one turn."""

REQUESTS_A_ROUND: Final = 512
"""Most requests taken before the gateway's other work, and what has been taken is sent."""

VISITS_A_ROUND: Final = 512
"""Most queues looked at in one round."""

ACTIVE_NS: Final = 1_000_000_000
"""Time since the last request after which an account does not count as active."""


class _Share:
    """One account: its requests that wait, and its commands in flight since the crowd began."""

    __slots__ = ("account", "active_ns", "in_flight", "queue", "waiting")

    def __init__(self, account: int) -> None:
        self.account = account
        self.queue: deque[tuple[OrderSession, Sequence[Request]]] = deque()
        self.waiting = 0
        self.in_flight = 0
        self.active_ns = 0


class Turns:
    """The queues of all accounts. `waiting` is the number of requests in them.

    `has_work` is true while `take` may find a request whose turn it is. The caller sets it after
    events that answer commands in flight.
    """

    def __init__(self, in_flight: CommandsInFlight) -> None:
        self._in_flight = in_flight
        self._shares: OrderedDict[int, _Share] = OrderedDict()
        self._first: OrderedDict[int, _Share] = OrderedDict()
        self._queues: OrderedDict[int, _Share] = OrderedDict()
        self._sent: deque[tuple[int, _Share, int]] = deque()
        self._now_ns = 0
        self.waiting = 0
        self.has_work = False

    def __len__(self) -> int:
        """The number of accounts that have requests waiting."""
        return len(self._queues) + len(self._first)

    def room(self, account: int) -> int:
        """How many requests of an account may be added now.

        An account may fill as much as it leaves free, so that one alone never fills all the room,
        and a few cannot take the rest from the others.
        """
        free = self._in_flight.room() - self.waiting
        if len(self._in_flight) + self.waiting < CALM:
            return free
        share = self._shares.get(account)
        waiting = share.waiting if share is not None else 0
        return max(0, (free - waiting + 1) // 2)

    def lets_pass(self, account: int, count: int) -> bool:
        """Whether so many requests of an account need not wait: nobody does, and they are within
        its share. The caller reports those that became commands with `passed`."""
        if self.waiting or not self._in_flight.is_open:
            return False
        self.settle()
        if len(self._in_flight) + count > IN_FLIGHT_MOST:
            return False
        return self._active(account).in_flight + count <= self._share_most()

    def passed(self, account: int, count: int) -> None:
        """Count commands of an account that are in flight without a turn."""
        share = self._shares[account]
        share.in_flight += count
        self._sent.append((self._in_flight.number, share, count))

    def add(self, session: OrderSession, requests: Sequence[Request]) -> None:
        """Add requests that need the matcher, behind those of the same account. The caller checks
        `room`."""
        account = session.account
        share = self._active(account)
        share.queue.append((session, requests))
        share.waiting += len(requests)
        self.waiting += len(requests)
        if account not in self._queues:
            line = self._first if share.in_flight < QUANTUM else self._queues
            line.setdefault(account, share)
        self.has_work = True

    def take(self) -> Iterator[tuple[OrderSession, Sequence[Request]]]:
        """The requests whose turn it is, at most `REQUESTS_A_ROUND`, account after account.

        The caller adds each to the commands in flight before it takes the next. Costs
        O(`VISITS_A_ROUND`) where every account has to wait.
        """
        self.settle()
        in_flight, first, queues = self._in_flight, self._first, self._queues
        left, visits = REQUESTS_A_ROUND, min(len(self), VISITS_A_ROUND)
        most = self._share_most()
        while left > 0 and visits > 0 and (first or queues):
            room = min(in_flight.room(), IN_FLIGHT_MOST - len(in_flight))
            if room <= 0:
                self.has_work = False
                return
            line = first or queues
            account, share = line.popitem(last=False)
            # Then it is the others' turn.
            queues[account] = share
            size = min(QUANTUM, room, left, most - share.in_flight)
            if size <= 0:
                visits -= 1
                continue
            session, requests = self._take_from(share, size)
            before = in_flight.number
            yield session, requests
            added = in_flight.number - before
            share.in_flight += added
            self._sent.append((in_flight.number, share, added))
            left -= len(requests)
            visits = min(len(self), VISITS_A_ROUND)
        self.has_work = left <= 0 and bool(first or queues)

    def settle(self) -> None:
        """Count the commands that were answered, given up or withdrawn by now as no longer in
        flight. The caller does it before the numbers of withdrawn ones are given again."""
        in_flight, sent = self._in_flight, self._sent
        while sent and sent[-1][0] > in_flight.number:
            last, share, count = sent.pop()
            withdrawn = min(count, last - in_flight.number)
            share.in_flight -= withdrawn
            if withdrawn < count:
                sent.append((in_flight.number, share, count - withdrawn))
        oldest = in_flight.oldest()
        while sent and sent[0][0] < oldest:
            _, share, count = sent.popleft()
            share.in_flight -= count

    def withdraw(self, account: int) -> list[tuple[OrderSession, Request]]:
        """Remove and return the waiting requests of an account."""
        share = self._queues.pop(account, None) or self._first.pop(account, None)
        if share is None:
            return []
        self.waiting -= share.waiting
        share.waiting = 0
        queue, share.queue = share.queue, deque()
        return [(session, request) for session, requests in queue for request in requests]

    def withdraw_all(self) -> list[tuple[OrderSession, Request]]:
        """Remove and return all waiting requests: no command is in flight any more either."""
        self._sent.clear()
        for share in self._shares.values():
            share.in_flight = 0
        return [
            found for account in [*self._first, *self._queues] for found in self.withdraw(account)
        ]

    def tick(self, now_ns: int) -> None:
        """Let time pass: accounts that are idle for `ACTIVE_NS` count no more. What waits is looked
        at again, in case there is room without an answer: the table was closed, or answers are
        lost."""
        self._now_ns = now_ns
        self.has_work = self.waiting > 0
        shares = self._shares
        while shares:
            share = next(iter(shares.values()))
            if share.queue or now_ns - share.active_ns < ACTIVE_NS:
                return
            del shares[share.account]

    def _active(self, account: int) -> _Share:
        """The share of an account, which is active now."""
        share = self._shares.get(account)
        if share is None:
            self._shares[account] = share = _Share(account)
        elif share.active_ns != self._now_ns:
            # The first one is idle for longest.
            self._shares.move_to_end(account)
        share.active_ns = self._now_ns
        return share

    def _share_most(self) -> int:
        """Most commands of one account in flight now: half more than the mean."""
        mean = len(self._in_flight) // max(1, len(self._shares))
        return max(SHARE_LEAST, min(mean + mean // 2, SHARE_MOST))

    def _take_from(self, share: _Share, size: int) -> tuple[OrderSession, Sequence[Request]]:
        """Remove the first requests of an account, of one session, at most `size`."""
        session, requests = share.queue.popleft()
        if len(requests) > size:
            share.queue.appendleft((session, requests[size:]))
            requests = requests[:size]
        share.waiting -= len(requests)
        self.waiting -= len(requests)
        if not share.queue:
            del self._queues[share.account]
        return session, requests
