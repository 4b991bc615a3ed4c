"""What user streams ask of the exchange: open orders from the record, balances by a query."""

from collections.abc import Iterable

from crossbook.common.messages.entry import Balance, Balances, QueryBalances
from crossbook.common.messages.history_queries import OrderRecord
from crossbook.gateway.api.lookup import Lookup
from crossbook.gateway.api.trading import Trading
from crossbook.gateway.binance.order_queries import OPEN_MOST, ROWS_MOST
from crossbook.gateway.binance.problem import busy
from crossbook.gateway.binance.user.account import Instruments
from crossbook.gateway.binance.user.orders import OpenOrder, recorded


class UserExchange:
    """Asks as the account itself does over the other interfaces."""

    def __init__(self, trading: Trading, lookup: Lookup, instruments: Instruments) -> None:
        self._trading = trading
        self._lookup = lookup
        self._instruments = instruments

    async def open_orders(self, account: int) -> list[OpenOrder]:
        """The open orders as of what this gateway has received, or later. Raises `Problem`, and
        `Refusal` for more than one answer may have."""
        found: list[OrderRecord] = []
        cursor = None
        while True:
            page, cursor, _ = await self._lookup.records(
                account, None, "open", None, ROWS_MOST, cursor, 0
            )
            found += page
            if cursor is None:
                break
            if len(found) >= OPEN_MOST:
                raise busy()
        return [recorded(each, self._instruments.of(each.instrument)) for each in found]

    async def balances(self, account: int) -> Iterable[Balance]:
        """The balances now; none where the exchange keeps no accounts. Raises `Problem`."""
        answer = await self._trading.command(account, QueryBalances(0))
        assert isinstance(answer.reply, Balances), answer
        return answer.reply.balances
