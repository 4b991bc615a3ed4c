"""An exchange inside a test that runs on an event loop: the loop goes on while the test waits."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload

from crossbook.client.async_client import AsyncClient
from crossbook.client.faults import Faults
from crossbook.common.instruments import Instrument
from crossbook.testing.background import LivingMarket, RecordedFlow
from crossbook.testing.calls import ExchangeCalls
from crossbook.testing.processes import ExchangeError
from crossbook.testing.seeding import Levels
from crossbook.testing.values import Balance, Book, Fill, Number, Order, Trade
from crossbook.testing.waiting import LOOK_S, TIMEOUT_S

_T = TypeVar("_T")
_P = ParamSpec("_P")


class AsyncExchange:
    """The calls of an `Exchange` as coroutines, for one event loop; `exchange` has the rest.

        async with Exchange() as exchange:
            await exchange.book("BTC-USDT", bids=[("49999.00", "1")])

    A condition of `wait_for` runs on the event loop, where the bot of the test is.
    """

    def __init__(self, exchange: ExchangeCalls) -> None:
        self.exchange = exchange

    @property
    def http_url(self) -> str:
        """Address of the REST API."""
        return self.exchange.http_url

    @property
    def websocket_url(self) -> str:
        """Address in front of the streams."""
        return self.exchange.websocket_url

    @property
    def orders_address(self) -> str:
        """Address of order entry over ZeroMQ."""
        return self.exchange.orders_address

    @property
    def feed_address(self) -> str:
        """Address of the market data feed over ZeroMQ."""
        return self.exchange.feed_address

    @property
    def snapshots_address(self) -> str:
        """Address of the feed's snapshots and resends."""
        return self.exchange.snapshots_address

    @property
    def data_dir(self) -> Path:
        """Folder of the journal."""
        return self.exchange.data_dir

    @property
    def settings(self) -> dict[str, str]:
        """The exchange as environment variables."""
        return self.exchange.settings

    @property
    def faults(self) -> Faults:
        """`Exchange.faults`, whose methods block for a request to the exchange."""
        return self.exchange.faults

    def client(self, account: int = 1, **options: Any) -> AsyncClient:
        """An order-entry client, for `async with`."""
        return self.exchange.async_client(account, **options)

    async def instruments(self) -> dict[str, Instrument]:
        """The instruments by symbol."""
        return await asyncio.to_thread(lambda: self.exchange.instruments)

    async def book(self, symbol: str, bids: Levels = (), asks: Levels = ()) -> None:
        """`Exchange.book`."""
        await _thread(self.exchange.book, symbol, bids, asks)

    async def fund(self, account: int, **amounts: Number) -> None:
        """`Exchange.fund`."""
        await _thread(self.exchange.fund, account, **amounts)

    async def account(self, number: int | None = None, **amounts: Number) -> int:
        """`Exchange.account`."""
        return await _thread(self.exchange.account, number, **amounts)

    async def request(
        self, method: str, path: str, body: object = None, account: int | None = None
    ) -> tuple[int, Any]:
        """`Exchange.request`."""
        return await _thread(self.exchange.request, method, path, body, account)

    async def market(
        self,
        seed: int = 1,
        rate: float | None = None,
        symbols: Sequence[str] = ("BTC-USDT",),
        agents: int = 12,
        *,
        stepped: bool = False,
        **options: Any,
    ) -> LivingMarket:
        """`Exchange.market`."""
        return await _thread(
            self.exchange.market, seed, rate, symbols, agents, stepped=stepped, **options
        )

    async def replay(
        self,
        path: str | Path,
        speed: float | None = 1.0,
        *,
        symbol: str | None = None,
        among_others: bool = True,
    ) -> RecordedFlow:
        """`Exchange.replay`."""
        return await _thread(
            self.exchange.replay, path, speed, symbol=symbol, among_others=among_others
        )

    async def fills(self, account: int = 1, symbol: str | None = None) -> list[Fill]:
        """`Exchange.fills`."""
        return await _thread(self.exchange.fills, account, symbol)

    async def orders(self, account: int = 1, symbol: str | None = None) -> list[Order]:
        """`Exchange.orders`."""
        return await _thread(self.exchange.orders, account, symbol)

    async def open_orders(self, account: int = 1, symbol: str | None = None) -> list[Order]:
        """`Exchange.open_orders`."""
        return await _thread(self.exchange.open_orders, account, symbol)

    async def trades(self, symbol: str) -> list[Trade]:
        """`Exchange.trades`."""
        return await _thread(self.exchange.trades, symbol)

    async def balances(self, account: int = 1) -> dict[str, Number]:
        """`Exchange.balances`."""
        return await _thread(self.exchange.balances, account)

    async def balances_held(self, account: int = 1) -> dict[str, Balance]:
        """`Exchange.balances_held`."""
        return await _thread(self.exchange.balances_held, account)

    async def book_of(self, symbol: str) -> Book:
        """`Exchange.book_of`."""
        return await _thread(self.exchange.book_of, symbol)

    @overload
    async def wait_for(
        self, condition: Callable[[], Awaitable[_T]], timeout_s: float = ..., what: str = ...
    ) -> _T: ...
    @overload
    async def wait_for(
        self, condition: Callable[[], _T], timeout_s: float = ..., what: str = ...
    ) -> _T: ...
    async def wait_for(
        self,
        condition: Callable[[], _T | Awaitable[_T]],
        timeout_s: float = TIMEOUT_S,
        what: str = "",
    ) -> _T:
        """`Exchange.wait_for`, with a condition that may be a coroutine function."""
        deadline = time.monotonic() + timeout_s
        while True:
            failed: AssertionError | None = None
            found: Any = None
            try:
                found = condition()
                if inspect.isawaitable(found):
                    found = await found
            except AssertionError as error:
                failed = error
            if found:
                result: _T = found
                return result
            if time.monotonic() >= deadline:
                if failed is not None:
                    raise failed
                raise ExchangeError(
                    f"{what or 'the condition'}: not within {timeout_s:g} s; it is {found!r}\n"
                    f"{self.exchange.logs()}"
                )
            await _thread(self.exchange.wait_for_event, LOOK_S)

    async def wait_for_fills(
        self,
        account: int = 1,
        count: int = 1,
        symbol: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Sequence[Fill]:
        """`Exchange.wait_for_fills`."""
        return await _thread(self.exchange.wait_for_fills, account, count, symbol, timeout_s)

    async def wait_for_trades(
        self, symbol: str, count: int = 1, timeout_s: float = TIMEOUT_S
    ) -> Sequence[Trade]:
        """`Exchange.wait_for_trades`."""
        return await _thread(self.exchange.wait_for_trades, symbol, count, timeout_s)

    async def wait_for_open_orders(
        self,
        account: int = 1,
        count: int = 1,
        symbol: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Sequence[Order]:
        """`Exchange.wait_for_open_orders`."""
        return await _thread(self.exchange.wait_for_open_orders, account, count, symbol, timeout_s)

    async def wait_until_filled(
        self, client_order_id: str, account: int = 1, timeout_s: float = TIMEOUT_S
    ) -> Order:
        """`Exchange.wait_until_filled`."""
        return await _thread(self.exchange.wait_until_filled, client_order_id, account, timeout_s)

    async def journal_digest(self) -> str:
        """`Exchange.journal_digest`."""
        return await _thread(self.exchange.journal_digest)

    async def advance(
        self, by: str | timedelta | None = None, *, to: str | datetime | None = None
    ) -> datetime:
        """`Exchange.advance`."""
        return await _thread(self.exchange.advance, by, to=to)

    async def now(self) -> datetime:
        """`Exchange.now`."""
        return await _thread(self.exchange.now)

    async def kill(self, name: str) -> None:
        """`Exchange.kill`."""
        await _thread(self.exchange.kill, name)

    async def stop(self, name: str) -> None:
        """`Exchange.stop`."""
        await _thread(self.exchange.stop, name)

    async def restart(self, name: str) -> None:
        """`Exchange.restart`."""
        await _thread(self.exchange.restart, name)

    async def reset(self) -> None:
        """`Exchange.reset`."""
        await _thread(self.exchange.reset)


async def _thread(call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    return await asyncio.to_thread(call, *args, **kwargs)
