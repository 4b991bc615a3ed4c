"""What user streams ask of the exchange: open orders from the record, balances by a query."""

from collections.abc import Sequence

from crossbook.common.messages.entry import Balance, Balances, QueryBalances
from crossbook.gateway.binance.problem import busy
from crossbook.gateway.binance.user.account import InstrumentIndex
from crossbook.gateway.binance.user.reported_order import ReportedOrder, recorded
from crossbook.gateway.binance.venue import FaceVenue


class UserExchange:
    """Asks as the account itself does over the other interfaces."""

    def __init__(self, venue: FaceVenue, instruments: InstrumentIndex) -> None:
        self._venue = venue
        self._instruments = instruments

    async def open_orders(self, account: int) -> list[ReportedOrder]:
        """The open orders as of what this gateway has received, or later. Raises `Problem`, and
        `Refusal` for more than one answer may have."""
        found, is_whole = await self._venue.open_records(account)
        if not is_whole:
            raise busy()
        return [recorded(each, self._instruments.of(each.instrument)) for each in found]

    async def balances(self, account: int) -> tuple[int | None, Sequence[Balance]]:
        """The balances now, and the number that they are true as of; None where several matching
        engines have parts of them. None where the exchange keeps no accounts. Raises `Problem`."""
        answer = await self._venue.trading.command(account, QueryBalances(0))
        assert isinstance(answer.reply, Balances), answer
        is_whole = len(self._venue.history.shards(None)) == 1
        return answer.reply.seq if is_whole else None, answer.reply.balances
