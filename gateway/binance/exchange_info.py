"""`exchangeInfo`, `time` and `ping` of the Binance-spot face.

Clients decode a symbol as a whole: a missing field is a failed start. PRICE_FILTER comes first,
because a client reads the first filter as that one.
"""

from typing import Any, Final

import msgspec

from crossbook.common.errors import BAD_BYTES
from crossbook.common.instruments import MAX_NOTIONAL, Instrument
from crossbook.common.rules import ICEBERG_SLICES_MAX
from crossbook.common.types import InstrumentState, Prevention
from crossbook.gateway.binance.decimals import DECIMALS, grid_of
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.problem import (
    BAD_COMBINATION,
    INVALID_SYMBOL_STATUS,
    Refusal,
    not_valid,
)
from crossbook.gateway.binance.states import LIMIT_MAKER, PREVENTIONS, TYPES
from crossbook.gateway.binance.symbols import face_symbol
from crossbook.gateway.binance.venue import FaceVenue

TRADING: Final = "TRADING"

STATUSES: Final = {
    InstrumentState.OPEN: TRADING,
    InstrumentState.POST_ONLY: TRADING,
    InstrumentState.AUCTION: TRADING,
    InstrumentState.CANCEL_ONLY: "BREAK",
    InstrumentState.HALTED: "HALT",
}
"""Status of a symbol by the state of its instrument: whether orders are accepted at all."""

ORDER_TYPES: Final = (
    TYPES[1], LIMIT_MAKER, TYPES[2], TYPES[3], TYPES[4], TYPES[5], TYPES[6],
)  # fmt: skip

SPOT: Final = "SPOT"

_KNOWN_STATUSES: Final = ("TRADING", "HALT", "BREAK")
_PERMISSIONS: Final = msgspec.json.Decoder(list[str])


class ExchangeInfo:
    """Answers questions about the exchange itself."""

    def __init__(self, venue: FaceVenue) -> None:
        self._venue = venue

    async def ping(self, account: int, asked: Parameters) -> Any:
        """`GET ping`: nothing."""
        return {}

    async def time(self, account: int, asked: Parameters) -> Any:
        """`GET time`: the present time, which timestamps of requests are compared with."""
        return {"serverTime": asked.time(self._venue.now_ns())}

    async def info(self, account: int, asked: Parameters) -> Any:
        """`GET exchangeInfo`: limits, and the symbols that are asked for."""
        venue = self._venue
        instruments = self._chosen(asked)
        with_sets = asked.boolean("showPermissionSets") is not False
        return {
            "timezone": "UTC",
            "serverTime": asked.time(venue.now_ns()),
            "rateLimits": [*venue.weights.documents(), *venue.counts.documents()],
            "exchangeFilters": self._exchange_filters(),
            "symbols": [
                symbol_document(each, self._status(each), with_sets) for each in instruments
            ],
        }

    async def my_filters(self, account: int, asked: Parameters) -> Any:
        """`GET myFilters`: the filters that count an account's orders; the others of a symbol are
        in `exchangeInfo`."""
        self._venue.instrument(asked)
        return {
            "exchangeFilters": self._exchange_filters(),
            "symbolFilters": [],
            "assetFilters": [],
        }

    def _chosen(self, asked: Parameters) -> list[Instrument]:
        instruments = self._venue.instruments(asked)
        named = "symbol" in asked.values or "symbols" in asked.values
        permissions, status = asked.text("permissions"), asked.text("symbolStatus")
        if named and (permissions is not None or status is not None):
            raise _bad_combination()
        if permissions is not None and SPOT not in _listed(permissions):
            return []
        if status is None:
            return instruments
        if status not in _KNOWN_STATUSES:
            raise Refusal(INVALID_SYMBOL_STATUS, "Invalid symbolStatus.")
        return [each for each in instruments if self._status(each) == status]

    def _status(self, instrument: Instrument) -> str:
        state = self._venue.market.state(instrument.symbol)
        return TRADING if state is None else STATUSES[InstrumentState(state.state)]

    def _exchange_filters(self) -> list[dict[str, Any]]:
        most = self._venue.max_open_orders
        if not most:
            return []
        return [{"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": most}]


def symbol_document(instrument: Instrument, status: str, with_sets: bool = True) -> dict[str, Any]:
    """A symbol with all its fields."""
    base = min(DECIMALS, instrument.base_decimals)
    quote = min(DECIMALS, instrument.quote_decimals)
    return {
        "symbol": face_symbol(instrument.symbol),
        "status": status,
        "baseAsset": instrument.base,
        "baseAssetPrecision": base,
        "quoteAsset": instrument.quote,
        "quotePrecision": quote,
        "quoteAssetPrecision": quote,
        "baseCommissionPrecision": base,
        "quoteCommissionPrecision": quote,
        "orderTypes": ORDER_TYPES,
        "icebergAllowed": True,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(instrument),
        "permissions": [],
        "permissionSets": [[SPOT]] if with_sets else [],
        "defaultSelfTradePreventionMode": PREVENTIONS[Prevention.EXPIRE_TAKER],
        "allowedSelfTradePreventionModes": list(PREVENTIONS.values()),
    }


def _filters(instrument: Instrument) -> list[dict[str, Any]]:
    grid = grid_of(instrument)
    quantities = {
        "minQty": grid.quantity.text(instrument.min_quantity_lots),
        "maxQty": grid.quantity.text(instrument.max_quantity_lots),
        "stepSize": grid.quantity.text(1),
    }
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": grid.price.text(instrument.min_price_ticks),
            "maxPrice": grid.price.text(instrument.max_price_ticks),
            "tickSize": grid.price.text(1),
        },
        {"filterType": "LOT_SIZE", **quantities},
        {"filterType": "ICEBERG_PARTS", "limit": ICEBERG_SLICES_MAX},
        {"filterType": "MARKET_LOT_SIZE", **quantities},
        {
            "filterType": "NOTIONAL",
            "minNotional": grid.quote.text(instrument.min_notional),
            "applyMinToMarket": False,
            "maxNotional": grid.quote.text(min(MAX_NOTIONAL, instrument.max_notional)),
            "applyMaxToMarket": False,
            "avgPriceMins": 0,
        },
    ]


def _listed(permissions: str) -> list[str]:
    """The permissions of a parameter that is one word or a JSON list."""
    if not permissions.startswith("["):
        return [permissions]
    try:
        return _PERMISSIONS.decode(permissions)
    except BAD_BYTES:
        raise not_valid("permissions") from None


def _bad_combination() -> Refusal:
    return Refusal(BAD_COMBINATION, "Combination of optional parameters invalid.")
