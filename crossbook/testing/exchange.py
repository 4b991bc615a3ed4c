"""An exchange for tests: the processes that anybody runs, and what a test does with them."""

import asyncio
from types import TracebackType

from crossbook.testing.async_exchange import AsyncExchange
from crossbook.testing.calls import ExchangeCalls


class Exchange(ExchangeCalls):
    """A whole exchange on free ports of loopback, with a folder of its own, inside `with`.

        with Exchange(accounts="off", order_queue_size=4) as exchange:
            bot = MyBot(exchange.http_url, exchange.websocket_url)

    Settings are those of `crossbook run` by name, in small letters or capitals. `instruments` is a
    file as INSTRUMENTS_FILE names it; the example instruments without one. Without the `recorder`
    there is no past: no fills, no ended orders, no candles. Raises `ConfigError` for a wrong
    argument, and `ExchangeError` when the exchange is not ready in time. For one thread at a time.
    """

    async def __aenter__(self) -> AsyncExchange:
        await asyncio.to_thread(self.__enter__)
        return AsyncExchange(self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._note_error(error)
        await asyncio.to_thread(self.close)
