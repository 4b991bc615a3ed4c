"""All user streams of a gateway: which accounts have one, and who receives it.

The events of the matching engines come from the desk (`BatchFollower`), open orders from the record
and balances from the matching engines, by queries. The first client of an account waits for the
account's open orders; changes meanwhile are kept and follow.

Changes go out a moment after they came, behind the answers to the requests that caused them. The
position of the account after each command follows its reports: the balances are followed from one
answer on. Where that is not possible, a query follows the changes, and its answer has those that
came meanwhile too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Balance, New
from crossbook.common.messages.events import (
    AccountOpened,
    BalanceAdjusted,
    EventBatch,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderReduced,
    OrderTriggered,
    TradeExecuted,
)
from crossbook.common.process.log import logger
from crossbook.gateway.binance.cancel_names import CancelNames
from crossbook.gateway.binance.problem import Refusal, busy
from crossbook.gateway.binance.user.account import AccountEvents, InstrumentIndex
from crossbook.gateway.binance.user.events import UserEvent
from crossbook.gateway.binance.user.reported_order import ReportedOrder
from crossbook.gateway.problem import Problem

KEPT_MAX: Final = 10_000
"""Most changes of an account that are kept while its open orders are loaded."""

BALANCES_AGAIN_S: Final = 0.2
"""The wait after a query of balances that was refused."""

_OF_ONE_ACCOUNT: Final = frozenset(
    (
        OrderAccepted,
        OrderCanceled,
        OrderExpired,
        OrderCompleted,
        OrderAmended,
        OrderTriggered,
        OrderReduced,
        BalanceAdjusted,
        AccountOpened,
    )
)


class AccountSubscriber(Protocol):
    """A client of the stream of one account. Hashable by identity. `key_id` is the key that opened
    it; empty where none did."""

    key_id: str

    def send_events(self, events: Iterable[UserEvent]) -> None:
        """Receive what has happened, in order."""

    def lose(self, reason: str) -> None:
        """Something would be missing: the client has to connect again and look up its orders."""


class AccountQueries(Protocol):
    """What is asked of the exchange about an account."""

    async def open_orders(self, account: int) -> list[ReportedOrder]:
        """Its open orders; raises `Problem` and `Refusal`."""

    async def balances(self, account: int) -> tuple[int | None, Sequence[Balance]]:
        """Its balances, and the number that they are true as of, at least the last one received
        when they were asked for. None where there is no single one. Raises `Problem`."""


class AccountStream:
    """The stream of one account: its events and its clients."""

    __slots__ = ("asks", "events", "has_asked", "is_live", "kept", "loading", "subscribers")

    def __init__(self, events: AccountEvents) -> None:
        self.events = events
        self.subscribers: dict[AccountSubscriber, None] = {}
        self.kept: list[tuple[Any, int]] = []
        self.loading: asyncio.Task[None] | None = None
        self.is_live = False
        self.asks = self.has_asked = False


class UserStreams:
    """Follows the accounts that have clients here."""

    def __init__(
        self, exchange: AccountQueries, instruments: InstrumentIndex, names: CancelNames
    ) -> None:
        self._exchange = exchange
        self._instruments = instruments
        self._names = names
        self._streams: dict[int, AccountStream] = {}
        self._held: set[int] = set()
        self._changed: dict[int, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """The number of accounts with a stream."""
        return len(self._streams)

    @property
    def subscribers(self) -> int:
        """The number of clients of all streams."""
        return sum(len(stream.subscribers) for stream in self._streams.values())

    async def subscribe(
        self, account: int, subscriber: AccountSubscriber, begin: Callable[[], None]
    ) -> None:
        """Send a client the events of an account. `begin` is called before the first one, where
        the answer to the client is sent. Raises `Refusal` where the account's open orders cannot
        be read now."""
        stream = await self._live(account)
        self._add(account, stream, subscriber, begin)

    def join(self, account: int, subscriber: AccountSubscriber) -> bool:
        """The same at once, where the account is followed already; false where it is not."""
        stream = self._streams.get(account)
        if stream is None or not stream.is_live:
            return False
        self._add(account, stream, subscriber, lambda: None)
        return True

    async def hold(self, account: int) -> None:
        """Follow an account from now on, also without clients, until `release`. Raises `Refusal`
        as `subscribe` does; the account is followed from its first client on then."""
        self._held.add(account)
        await self._live(account)

    def release(self, account: int) -> None:
        """Follow an account no longer than it has clients."""
        self._held.discard(account)
        stream = self._streams.get(account)
        if stream is not None:
            self._drop_unwanted(account, stream)

    def unsubscribe(self, account: int, subscriber: AccountSubscriber) -> None:
        """Send a client nothing more of an account; one without clients is followed no longer."""
        stream = self._streams.get(account)
        if stream is None:
            return
        stream.subscribers.pop(subscriber, None)
        self._drop_unwanted(account, stream)

    def follow(self, batch: EventBatch) -> None:
        """Receive the next events of a matching engine."""
        streams = self._streams
        if not streams:
            return
        time_ns, changed = batch.time_ns, self._changed
        is_idle = not changed
        for event in batch.events:
            kind = type(event)
            if kind is TradeExecuted:
                maker, taker = event.maker_account, event.taker_account  # type: ignore[union-attr]
                if maker in streams:
                    self._take(streams[maker], event, time_ns)
                if taker in streams and taker != maker:
                    self._take(streams[taker], event, time_ns)
            elif kind in _OF_ONE_ACCOUNT:
                stream = streams.get(event.account)  # type: ignore[union-attr]
                if stream is not None:
                    self._take(stream, event, time_ns)
        if changed and is_idle:
            # The answers to the requests of this round are sent in the next step of the loop.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._send_changed)

    def refuse(
        self, account: int, instrument: Instrument, order: New, text: str, time_ns: int
    ) -> None:
        """Report an order of an account that was refused."""
        stream = self._streams.get(account)
        if stream is not None and stream.is_live:
            stream.events.refuse(order, instrument, text, time_ns)
            self._flush(account, stream)

    def lose(self) -> None:
        """Events were lost: every client has to begin anew."""
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.is_live = False
            for subscriber in list(stream.subscribers):
                subscriber.lose("events were lost: connect again")
        for account in self._held:
            self._start(self._hold_again(account))

    async def _hold_again(self, account: int) -> None:
        """Follow a held account anew. Where that is not possible now, its first client waits."""
        with suppress(Refusal):
            self._drop_unwanted(account, await self._live(account))

    def _add(
        self,
        account: int,
        stream: AccountStream,
        subscriber: AccountSubscriber,
        begin: Callable[[], None],
    ) -> None:
        # What is made but not sent happened before this client was there.
        self._flush(account, stream)
        begin()
        stream.subscribers[subscriber] = None
        self._ask(account, stream)

    async def _live(self, account: int) -> AccountStream:
        """The stream of an account, with its open orders. Raises `Refusal`."""
        while True:
            stream = self._streams.get(account)
            if stream is None:
                stream = AccountStream(AccountEvents(account, self._instruments, self._names))
                self._streams[account] = stream
                stream.loading = self._start(self._load(account, stream))
            if stream.loading is not None:
                await asyncio.wait((stream.loading,))
            if self._streams.get(account) is stream and stream.is_live:
                return stream
            if not stream.is_live:
                raise busy()
            # Another client of it has come and gone meanwhile.

    def _take(self, stream: AccountStream, event: Any, time_ns: int) -> None:
        if not stream.is_live:
            if len(stream.kept) <= KEPT_MAX:
                stream.kept.append((event, time_ns))
            return
        account = stream.events.account
        stream.events.apply(event, time_ns)
        self._changed[account] = None
        # The query goes out before the client can send its next request, which may take long.
        self._ask(account, stream)

    async def _load(self, account: int, stream: AccountStream) -> None:
        """Load the open orders of an account, and go on with what happened meanwhile."""
        orders: list[ReportedOrder] | None = None
        try:
            orders = await self._exchange.open_orders(account)
        except (Problem, Refusal) as refused:
            logger().info("user_stream_refused", account=account, reason=str(refused))
        finally:
            stream.loading = None
            is_whole = orders is not None and len(stream.kept) <= KEPT_MAX
            if not is_whole and self._streams.get(account) is stream:
                del self._streams[account]
        if orders is None or self._streams.get(account) is not stream:
            return
        stream.events.load(orders)
        stream.is_live = True
        for event, time_ns in stream.kept:
            stream.events.apply(event, time_ns)
        stream.kept.clear()

    def _send_changed(self) -> None:
        changed, self._changed = self._changed, {}
        for account in changed:
            stream = self._streams.get(account)
            if stream is not None:
                self._flush(account, stream)

    def _flush(self, account: int, stream: AccountStream) -> None:
        """Send what is made, then the balances that it has touched."""
        made = stream.events.collect()
        if not stream.subscribers:
            stream.events.touched.clear()
            return
        if made:
            self.send(stream, made)
        self._ask(account, stream)

    def _ask(self, account: int, stream: AccountStream) -> None:
        """Ask for the balances of an account that are not followed, if clients wait for some and
        none are on the way."""
        events = stream.events
        is_needed = bool(events.touched) or not stream.has_asked
        if is_needed and not events.balances.is_exact and stream.subscribers and not stream.asks:
            stream.asks = stream.has_asked = True
            self._start(self._ask_balances(account, stream))

    async def _ask_balances(self, account: int, stream: AccountStream) -> None:
        """Begin to follow the balances of an account; where that is not possible, send its
        position until nothing has changed since the last one."""
        events = stream.events
        try:
            while self._streams.get(account) is stream:
                touched, events.touched = events.touched, {}
                events.balances.ask()
                try:
                    seq, balances = await self._exchange.balances(account)
                except Problem:
                    events.balances.fail()
                    events.touched = touched | events.touched
                    await asyncio.sleep(BALANCES_AGAIN_S)
                    continue
                events.balances.load(seq, balances)
                if events.balances.is_exact:
                    events.touched = touched | events.touched
                    self._flush(account, stream)
                    return
                self._send_position(stream, touched, balances)
                if not events.touched:
                    return
        finally:
            stream.asks = False

    def _send_position(
        self, stream: AccountStream, touched: Collection[str], balances: Sequence[Balance]
    ) -> None:
        if not touched or not balances:
            # Nothing has changed, or the exchange keeps no accounts.
            return
        found = {balance.asset: balance for balance in balances}
        rows = []
        for asset in touched:
            balance = found.get(asset, Balance(asset, 0, 0))
            rows.append((asset, balance.total_units, balance.held_units))
        # The reports of changes that the balances have come before them.
        made = stream.events.collect()
        made.append(stream.events.position(rows))
        self.send(stream, made)

    def send(self, stream: AccountStream, made: Sequence[UserEvent]) -> None:
        """Send events to the clients of an account."""
        for subscriber in list(stream.subscribers):
            subscriber.send_events(made)

    def _drop_unwanted(self, account: int, stream: AccountStream) -> None:
        if stream.is_live and not stream.subscribers and account not in self._held:
            del self._streams[account]

    def _start(self, work: Awaitable[None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
