"""The parts of the gateway that the Binance-spot face asks, and what its routes share."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct, field

from crossbook.common.instruments import Instrument
from crossbook.common.keys import Scope
from crossbook.common.messages.entry import New, OrderState
from crossbook.common.messages.history_queries import OrderRecord
from crossbook.gateway.api.lookup import Lookup, MarketView
from crossbook.gateway.api.trading import Trading
from crossbook.gateway.binance.cancel_names import CancelNames
from crossbook.gateway.binance.listen_keys import ListenKeys
from crossbook.gateway.binance.market.queries import MarketQueries
from crossbook.gateway.binance.order_counts import OrderCounts
from crossbook.gateway.binance.order_documents import id_in_name, shown_name
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.problem import (
    CANCEL_REJECTED,
    UNKNOWN_ORDER_SENT,
    Refusal,
    invalid_symbol,
    none_of,
    refusal_of,
    too_many_requests,
)
from crossbook.gateway.binance.symbols import SymbolTable
from crossbook.gateway.binance.weights import AddressWeights
from crossbook.gateway.history.queries import HistoryQueries
from crossbook.gateway.limits.account_limits import QUERIES
from crossbook.gateway.problem import Problem, unknown_order

OPEN_MOST: Final = 10_000
"""Most open orders of one answer, to a page."""

OPEN_PAGE: Final = 1_000
"""Open orders of one question."""

OnRejected = Callable[[int, Instrument, New, str], None]
"""Receives an order of an account that was refused, and why."""


class FaceVenue(Struct, frozen=True):
    """The exchange behind the face. `now_ns` is its present time, as clients see it by `time`.

    `cancel_names` are those of cancels in progress. `on_rejected` is called where an order that
    replaces another one is refused, and that one is canceled.
    """

    trading: Trading
    lookup: Lookup
    history: HistoryQueries
    market: MarketView
    market_queries: MarketQueries
    symbols: SymbolTable
    weights: AddressWeights
    counts: OrderCounts
    listen_keys: ListenKeys
    now_ns: Callable[[], int]
    max_open_orders: int = 0
    cancel_names: CancelNames = field(default_factory=CancelNames)
    on_rejected: list[OnRejected] = field(default_factory=list)

    def instrument(self, asked: Parameters) -> Instrument:
        """The instrument of the parameter `symbol`; raises `Refusal`."""
        instrument = self.symbols.find(asked.symbol())
        if instrument is None:
            raise invalid_symbol()
        return instrument

    def count_query(self, scope: Scope, key: int | str) -> None:
        """Take a token for a query of an account or address from the bucket that all interfaces
        share; trading has another one. Raises `Refusal`."""
        limits = self.trading.limits
        if scope == Scope.TRADE or QUERIES not in limits.buckets:
            return
        try:
            limits.check(key, QUERIES)
        except Problem as problem:
            raise too_many_requests(
                f"Too many requests; {problem.detail.message}.", problem.retry_after_s or 1
            ) from None

    async def open_records(
        self, account: int, symbol: str | None = None
    ) -> tuple[list[OrderRecord], bool]:
        """The open orders of an account in the record, newest first, and whether these are all:
        `OPEN_MOST` are enough. Raises `Problem`."""
        found: list[OrderRecord] = []
        cursor = None
        while True:
            page, cursor, _ = await self.lookup.records(
                account, symbol, "open", None, OPEN_PAGE, cursor, 0
            )
            found += page
            if cursor is None or len(found) >= OPEN_MOST:
                return found, cursor is None

    def instruments(self, asked: Parameters) -> list[Instrument]:
        """The instruments of `symbol` or of `symbols`, or all; raises `Refusal`."""
        names = asked.symbol_or_symbols()
        if names is None:
            return [instrument for _, instrument in self.symbols]
        if isinstance(names, str):
            return [self.instrument(asked)]
        found = [self.symbols.find(name) for name in names]
        if None in found:
            raise invalid_symbol()
        return [each for each in found if each is not None]

    async def open_order(
        self,
        account: int,
        asked: Parameters,
        instrument: Instrument,
        by: tuple[str, str] = ("orderId", "origClientOrderId"),
        action: int = CANCEL_REJECTED,
    ) -> OrderState:
        """The open order that two parameters name, by id or by client order id. Where both are
        given both must fit. Raises `Refusal` under `action` where there is none."""
        order_id, name = asked.integer(by[0], 1), asked.old_name(by[1])
        unknown = Refusal(action, UNKNOWN_ORDER_SENT)
        try:
            if order_id is not None:
                state = await self.trading.find_open(account, order_id)
                if name not in (None, shown_name(state.client_order_id, state.order_id)):
                    raise unknown
            elif name is not None:
                state = await self._named(account, name)
            else:
                raise none_of(by[1], by[0])
        except Problem as problem:
            raise refusal_of(problem, action) from None
        if state.symbol != instrument.symbol:
            raise unknown
        return state

    async def _named(self, account: int, name: str) -> OrderState:
        """The open order with this client order id, or the one that shows its id there."""
        try:
            return await self.trading.find_open(account, name)
        except Problem:
            order_id = id_in_name(name)
            if order_id is None:
                raise
        state = await self.trading.find_open(account, order_id)
        if state.client_order_id:
            raise unknown_order("client_order_id")
        return state
