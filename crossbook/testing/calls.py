"""What a test does with an exchange: seeds it, trades in it, compares, waits."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from crossbook.client.admin_client import AdminClient
from crossbook.client.async_client import AsyncClient
from crossbook.client.client import Client
from crossbook.client.faults import Faults
from crossbook.client.market_data import MarketData
from crossbook.replay.recording_files import check_file, read_recording
from crossbook.simulator.runner import SimulationPlan
from crossbook.testing.background import (
    AGENTS_ACCOUNT,
    FLOW_ACCOUNT,
    LivingMarket,
    RecordedFlow,
    money_for,
    pace_of,
    symbol_for,
)
from crossbook.testing.keeping import digest_of
from crossbook.testing.processes import ExchangeError
from crossbook.testing.running import RunningExchange
from crossbook.testing.seeding import HOUSE_ACCOUNT, Levels
from crossbook.testing.values import Balance, Book, Fill, Number, Order, Trade
from crossbook.testing.waiting import TIMEOUT_S, has_at_least, wait_for

FIRST_ACCOUNT: Final = 1_001
"""The first account that `Exchange.account` gives."""

_T = TypeVar("_T")


class ExchangeCalls(RunningExchange):
    """An exchange with everything that a test does in it; for one thread at a time."""

    _accounts = FIRST_ACCOUNT - 1
    _flows = 0

    def _disconnect(self) -> None:
        super()._disconnect()
        self._accounts, self._flows = FIRST_ACCOUNT - 1, 0

    # What a test puts into it.

    def book(self, symbol: str, bids: Levels = (), asks: Levels = ()) -> None:
        """Make the house quote these levels, best first, and nothing else in the instrument.

        Market data shows them when this returns. Raises `ValueError` naming the level that is
        wrong, and `OrderRejected` where an order of another account is in the way.
        """
        with self._lock:
            seq = self._seeding.book(self.client(HOUSE_ACCOUNT), symbol, bids, asks)
            if seq:
                self._wait_shown(symbol, seq)

    def fund(self, account: int, **amounts: Number) -> None:
        """Pay into an account: `fund(7, USDT="1000")`. The first deposit opens it, with the opening
        money of the instruments file as well; `account` gives exact balances."""
        with self._lock:
            self._seeding.fund(account, amounts)

    def account(self, number: int | None = None, **amounts: Number) -> int:
        """The number of an account that has exactly this money; one that no test has used, unless
        it is given."""
        with self._lock:
            if number is None:
                self._accounts += 1
                number = self._accounts
            self._seeding.set_balances(number, amounts)
            return number

    # Clients.

    def client(self, account: int = 1, **options: Any) -> Client:
        """An order-entry client, logged on; the same one for the same account while no option is
        given. It is closed with the exchange."""
        with self._lock:
            found: Client | None = self._parts.get(f"client {account}")
            if found is None or found.closed or options:
                found = self._stack.enter_context(Client(self.orders_address, account, **options))
                if not options:
                    self._parts[f"client {account}"] = found
            return found

    def async_client(self, account: int = 1, **options: Any) -> AsyncClient:
        """An asyncio order-entry client, for `async with`."""
        return AsyncClient(self.orders_address, account, **options)

    def market_data(
        self,
        symbols: Iterable[str] = (),
        channels: Iterable[str] = ("l2", "bbo", "trade", "state"),
    ) -> MarketData:
        """Market data over ZeroMQ, with every book loaded. It is closed with the exchange."""
        with self._lock:
            market = self._stack.enter_context(
                MarketData(self.feed_address, self.snapshots_address, symbols, channels)
            )
            market.wait_ready(TIMEOUT_S)
            return market

    @property
    def admin(self) -> AdminClient:
        """The administrator's client; of the first shard, where there are several."""
        with self._lock:
            return self._administrators[0]

    def request(
        self, method: str, path: str, body: object = None, account: int | None = None
    ) -> tuple[int, Any]:
        """Status and document of an HTTP request: `request("GET", "/api/v1/ticker/BTC-USDT")`."""
        with self._lock:
            return self._http.request(method, path, body, account)

    # Traders beside the bot.

    def market(
        self,
        seed: int = 1,
        rate: float | None = None,
        symbols: Sequence[str] = ("BTC-USDT",),
        agents: int = 12,
        *,
        stepped: bool = False,
        **options: Any,
    ) -> LivingMarket:
        """A simulated market that trades until the end, or `stop`. Market data shows its first
        orders when this returns. `rate` is in requests a second; without it a simulated second
        lasts a real one.

        A market that is `stepped` trades only in its `step`, so that the bot's orders always meet
        the same market. Under `clock="manual"` the exchange's time then moves with its seconds;
        other markets leave the time to the test.
        """
        with self._lock:
            self._facts.instruments()
            plan = SimulationPlan(
                self.orders_address, AGENTS_ACCOUNT, agents, seed, tuple(symbols), rate,
                0.0, TIMEOUT_S, **options,
            )  # fmt: skip
            is_manual = self.settings.get("CLOCK") == "manual"
            clock = self._new_clock if is_manual else None
            market = LivingMarket(plan, stepped=stepped, clock=clock)
            self._stack.callback(market.end)
            for symbol in plan.symbols:
                self._wait_shown(symbol, self._facts.seq(self._facts.instrument(symbol)[1]))
            return market

    def replay(
        self,
        path: str | Path,
        speed: float | None = 1.0,
        *,
        symbol: str | None = None,
        among_others: bool = True,
    ) -> RecordedFlow:
        """Recorded flow (`STEM.cmd.csv`, or a LOBSTER message file) that trades until its end, at
        `speed` times the recorded one; None: as fast as answers come.

        `among_others` the bot may trade with it, and nothing is compared. Otherwise every fill and
        book must be the recorded one: `wait` raises `AssertionError` where one is not.
        """
        with self._lock:
            pace, path = pace_of(speed), Path(path)
            check_file(path)
            name = symbol_for(path, symbol, self._facts.instruments())
            recording = read_recording(path)
            instrument, shard = self._facts.instrument(name)
            money = money_for(recording, instrument, among_others=among_others)
            self._seeding.deposit(shard, FLOW_ACCOUNT, money)
            self._flows += 1
            market_data = None if among_others else (self.feed_address, self.snapshots_address)
            flow = RecordedFlow(
                recording, name, self.orders_address, market_data, pace, f"r{self._flows}-"
            )
            self._stack.callback(flow.end)
            return flow

    # What is true of it.

    def fills(self, account: int = 1, symbol: str | None = None) -> list[Fill]:
        """The fills of an account, oldest first."""
        with self._lock:
            return self._facts.fills(account, symbol)

    def orders(self, account: int = 1, symbol: str | None = None) -> list[Order]:
        """The orders of an account, open and ended, oldest first."""
        with self._lock:
            return self._facts.orders(account, symbol)

    def open_orders(self, account: int = 1, symbol: str | None = None) -> list[Order]:
        """The open orders of an account, oldest first."""
        with self._lock:
            return self._facts.orders(account, symbol, open_only=True)

    def trades(self, symbol: str) -> list[Trade]:
        """The trades of an instrument, oldest first."""
        with self._lock:
            return self._facts.trades(symbol)

    def balances(self, account: int = 1) -> dict[str, Number]:
        """The money of an account by asset, what its open orders hold included. Assets of which it
        has nothing are left out."""
        return {
            asset: balance.total
            for asset, balance in self.balances_held(account).items()
            if balance.total
        }

    def balances_held(self, account: int = 1) -> dict[str, Balance]:
        """The money of an account by asset, with the part that its open orders hold."""
        with self._lock:
            return self._facts.balances(account)

    def book_of(self, symbol: str) -> Book:
        """The book of an instrument at its matcher, hidden quantity left out."""
        with self._lock:
            return self._facts.book(symbol)

    # Waiting.

    def wait_for(
        self, condition: Callable[[], _T], timeout_s: float = TIMEOUT_S, what: str = ""
    ) -> _T:
        """The first true value of `condition`, which is called after every event of the exchange.

        A condition may assert instead: the last `AssertionError` is raised when the time is over,
        and `ExchangeError` with the last value otherwise.
        """
        return wait_for(self.processes, self._events, condition, timeout_s, what)

    def wait_for_event(self, timeout_s: float = TIMEOUT_S) -> bool:
        """Whether the exchange applied a command since the last wait, or does in this time."""
        with self._lock:
            return self._events.wait(timeout_s)

    def wait_for_fills(
        self,
        account: int = 1,
        count: int = 1,
        symbol: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Sequence[Fill]:
        """The fills of an account once there are so many."""
        return self.wait_for(
            lambda: has_at_least(self.fills(account, symbol), count),
            timeout_s,
            f"{count} fills of account {account}",
        )

    def wait_for_trades(
        self, symbol: str, count: int = 1, timeout_s: float = TIMEOUT_S
    ) -> Sequence[Trade]:
        """The trades of an instrument once there are so many."""
        return self.wait_for(
            lambda: has_at_least(self.trades(symbol), count),
            timeout_s,
            f"{count} trades in {symbol}",
        )

    def wait_for_open_orders(
        self,
        account: int = 1,
        count: int = 1,
        symbol: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Sequence[Order]:
        """The open orders of an account once there are so many."""
        return self.wait_for(
            lambda: has_at_least(self.open_orders(account, symbol), count),
            timeout_s,
            f"{count} open orders of account {account}",
        )

    def wait_until_filled(
        self, client_order_id: str, account: int = 1, timeout_s: float = TIMEOUT_S
    ) -> Order:
        """The order of this client order id, or order id, once it is filled whole.

        Raises `AssertionError` when it ends otherwise.
        """

        def filled() -> Order | None:
            for order in reversed(self.orders(account)):
                if client_order_id in (order.client_order_id, order.order_id):
                    if not order.is_open and order.status != "FILLED":
                        raise EndedOtherwiseError(f"{order!r} ended without being filled whole")
                    return order if order.status == "FILLED" else None
            return None

        what = f"order {client_order_id!r} of account {account} is filled"
        try:
            found = self.wait_for(filled, timeout_s, what)
        except EndedOtherwiseError as error:
            raise AssertionError(str(error)) from None
        assert found is not None, "a condition that holds has a value"
        return found

    # Time and trouble of the test's making.

    def advance(
        self, by: str | timedelta | None = None, *, to: str | datetime | None = None
    ) -> datetime:
        """Move the time of an exchange with `clock="manual"` by a duration such as `1d` or `1h30m`,
        or to a point in time; returns the new one.

        Everything due on the way happens at its own time, and order entry, market data and record
        show it when this returns. Raises `AdvanceRefused` where the clock is the machine's.
        """
        with self._lock:
            return _time_of(self._clock.advance(by, to=to))

    def now(self) -> datetime:
        """The time of the exchange, in UTC."""
        with self._lock:
            return _time_of(self._clock.now_ns())

    def journal_digest(self) -> str:
        """The digest of what the matchers decided: every command with its number and time, and
        every event. Under `clock="manual"` a test whose commands come one after the other has the
        same one in every run."""
        return digest_of(self)

    @property
    def faults(self) -> Faults:
        """The faults on request of this exchange: `exchange.faults.refuse(status=429, next=3)`."""
        with self._lock:
            return self._faults

    def _wait_shown(self, symbol: str, seq: int) -> None:
        """Return once market data has the state as of a number."""
        path = f"/api/v1/orderbook/{symbol}?levels=1&min_seq={seq}"
        deadline = time.monotonic() + TIMEOUT_S
        while (answer := self._http.look_up(path))[0] != 200:
            if time.monotonic() > deadline:
                raise ExchangeError(f"market data does not show {symbol}: {answer}\n{self.logs()}")


def _time_of(time_ns: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time_ns // 1_000)


class EndedOtherwiseError(Exception):
    """An order ended without being filled whole."""
