"""The routes of the Binance-spot face: path and method, who may call, weight, function.

`Asked` is a function of an account and parameters that returns a document: the WebSocket API calls
the same ones. Weights are those of the Binance Spot API documentation.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any, Final

from msgspec import Struct

from crossbook.common.keys import Scope
from crossbook.gateway.binance.absent import Absent
from crossbook.gateway.binance.account import Accounts
from crossbook.gateway.binance.exchange_info import ExchangeInfo
from crossbook.gateway.binance.market.queries import ENDPOINTS
from crossbook.gateway.binance.order_actions import OrderActions
from crossbook.gateway.binance.order_queries import OrderQueries
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.venue import FaceVenue

Function = Callable[[int, Parameters], Awaitable[Any]]
"""Returns the document of a request of an account (zero for nobody); raises `Refusal` and
`Problem`."""

Weight = int | Callable[[Parameters], int]
"""The weight of a request, which its parameters may decide."""


class Security(Enum):
    """Who may call a route."""

    NONE = "everybody: market data"
    OPEN = "everybody, also where market data needs a key"
    KEY = "whoever names a key"
    SIGNED = "the owner of a key, by a signature"


class Route(Struct, frozen=True):
    """One method of a path. With `takes_orders` its answer shows the counts of orders."""

    function: Function
    security: Security
    weight: Weight = 1
    scope: Scope = Scope.READ
    takes_orders: bool = False


API: Final = "/api/v3"

Routes = Mapping[str, Mapping[str, Route]]
"""The routes by path and method."""


def routes_of(venue: FaceVenue) -> dict[str, dict[str, Route]]:
    """All routes of the face."""
    info, orders = ExchangeInfo(venue), OrderActions(venue)
    queries, accounts = OrderQueries(venue), Accounts(venue)
    public, opened, signed = Security.NONE, Security.OPEN, Security.SIGNED
    trade = Scope.TRADE
    market = {path: {"GET": _market_route(venue, path)} for path in ENDPOINTS}
    return {
        **{f"{API}/{path}": methods for path, methods in market.items()},
        # An older client asks for trades here, beside the native `/api/v1/trades/{symbol}`.
        "/api/v1/trades": market["trades"],
        f"{API}/ping": {"GET": Route(info.ping, opened)},
        f"{API}/time": {"GET": Route(info.time, opened)},
        f"{API}/exchangeInfo": {"GET": Route(info.info, public, 20)},
        f"{API}/order": {
            "POST": Route(orders.place, signed, 1, trade, True),
            "DELETE": Route(orders.cancel, signed, 1, trade),
            "GET": Route(queries.order, signed, 4),
        },
        f"{API}/order/test": {"POST": Route(orders.test, signed, _weight_of_test, trade)},
        f"{API}/order/cancelReplace": {
            "POST": Route(orders.cancel_replace, signed, 1, trade, True)
        },
        f"{API}/order/amend/keepPriority": {"PUT": Route(orders.amend, signed, 4, trade)},
        f"{API}/order/amendments": {"GET": Route(queries.amendments, signed, 4)},
        f"{API}/openOrders": {
            "GET": Route(queries.open_orders, signed, _weight_of_open_orders),
            "DELETE": Route(orders.cancel_all, signed, 1, trade),
        },
        f"{API}/allOrders": {"GET": Route(queries.all_orders, signed, 20)},
        f"{API}/myTrades": {"GET": Route(queries.my_trades, signed, _weight_of_my_trades)},
        f"{API}/account": {"GET": Route(accounts.account, signed, 20)},
        f"{API}/account/commission": {"GET": Route(accounts.commission, signed, 20)},
        f"{API}/rateLimit/order": {"GET": Route(accounts.order_counts, signed, 40)},
        f"{API}/myFilters": {"GET": Route(info.my_filters, signed, 40)},
        **_absent_routes(venue),
        f"{API}/userDataStream": {
            "POST": Route(accounts.open_listen_key, Security.KEY, 2),
            "PUT": Route(accounts.renew_listen_key, Security.KEY, 2),
            "DELETE": Route(accounts.close_listen_key, Security.KEY, 2),
        },
        "/sapi/v1/asset/tradeFee": {"GET": Route(accounts.trade_fees, signed)},
        "/sapi/v1/capital/config/getall": {"GET": Route(accounts.coins, signed, 10)},
        "/sapi/v1/margin/allPairs": {"GET": Route(accounts.nothing, signed)},
        "/sapi/v1/margin/isolated/allPairs": {"GET": Route(accounts.nothing, signed, 10)},
        "/fapi/v1/exchangeInfo": {"GET": Route(accounts.no_symbols, opened)},
        "/dapi/v1/exchangeInfo": {"GET": Route(accounts.no_symbols, opened)},
    }


def _absent_routes(venue: FaceVenue) -> dict[str, dict[str, Route]]:
    """The routes of what the exchange does not have."""
    absent, trade = Absent(venue), Scope.TRADE
    public, signed = Security.NONE, Security.SIGNED
    return {
        f"{API}/order/oco": {"POST": Route(absent.oco, signed, 1, trade)},
        f"{API}/orderList/oco": {"POST": Route(absent.oco, signed, 1, trade)},
        f"{API}/orderList/oto": {"POST": Route(absent.oto, signed, 1, trade)},
        f"{API}/orderList/otoco": {"POST": Route(absent.oto, signed, 1, trade)},
        f"{API}/orderList/opo": {"POST": Route(absent.opo, signed, 1, trade)},
        f"{API}/orderList/opoco": {"POST": Route(absent.opo, signed, 1, trade)},
        f"{API}/orderList": {
            "GET": Route(absent.order_list, signed, 4),
            "DELETE": Route(absent.cancel_list, signed, 1, trade),
        },
        f"{API}/allOrderList": {"GET": Route(absent.no_lists, signed, 20)},
        f"{API}/openOrderList": {"GET": Route(absent.no_lists, signed, 6)},
        f"{API}/sor/order": {"POST": Route(absent.unsupported, signed, 1, trade)},
        f"{API}/sor/order/test": {"POST": Route(absent.unsupported, signed, 1, trade)},
        f"{API}/myPreventedMatches": {"GET": Route(absent.unsupported, signed, 20)},
        f"{API}/myAllocations": {"GET": Route(absent.allocations, signed, 20)},
        f"{API}/historicalBlockTrades": {"GET": Route(absent.block_trades, public, 25)},
        f"{API}/executionRules": {"GET": Route(absent.execution_rules, public, _weight_of_rules)},
        f"{API}/referencePrice": {"GET": Route(absent.reference_price, public, 2)},
        f"{API}/referencePrice/calculation": {"GET": Route(absent.reference_price, public, 2)},
    }


def _market_route(venue: FaceVenue, path: str) -> Route:
    """The route of market data with this path below `API`."""
    endpoint = ENDPOINTS[path]

    async def answer(account: int, asked: Parameters) -> Any:
        return await endpoint(venue.market_queries, asked)

    return Route(answer, Security.NONE, _MARKET_WEIGHTS[path])


def weight_of(route: Route, asked: Parameters) -> int:
    """The weight of a request."""
    return route.weight if isinstance(route.weight, int) else route.weight(asked)


def _weight_of_depth(asked: Parameters) -> int:
    """5, 25, 50 or 250, by the number of levels."""
    limit = asked.values.get("limit", "")
    levels = int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 9 else 100
    return next((weight for most, weight in _DEPTH_WEIGHTS if levels <= most), 250)


def _by_symbols(one: int, few: int, many: int, every: int) -> Callable[[Parameters], int]:
    """The weight of a ticker: of one symbol, of up to 20, of up to 100, of more or all."""

    def weight(asked: Parameters) -> int:
        values = asked.values
        if "symbol" in values:
            return one
        if "symbols" not in values:
            return every
        count = values["symbols"].count(",") + 1
        return few if count <= 20 else many if count <= 100 else every

    return weight


def _weight_of_window(asked: Parameters) -> int:
    """4 for each symbol, 200 at most."""
    return min(200, 4 * (asked.values.get("symbols", "").count(",") + 1))


_DEPTH_WEIGHTS: Final = ((100, 5), (500, 25), (1_000, 50), (5_000, 250))

_MARKET_WEIGHTS: Final[Mapping[str, Weight]] = {
    "depth": _weight_of_depth,
    "trades": 25,
    "historicalTrades": 25,
    "aggTrades": 4,
    "klines": 2,
    "uiKlines": 2,
    "avgPrice": 2,
    "ticker/24hr": _by_symbols(2, 2, 40, 80),
    "ticker/price": _by_symbols(2, 4, 4, 4),
    "ticker/bookTicker": _by_symbols(2, 4, 4, 4),
    "ticker": _weight_of_window,
    "ticker/tradingDay": _weight_of_window,
}


def _weight_of_rules(asked: Parameters) -> int:
    """2 for each symbol, 40 at most and for all."""
    if "symbol" in asked.values:
        return 2
    return min(40, 2 * (asked.values.get("symbols", "," * 20).count(",") + 1))


def _weight_of_test(asked: Parameters) -> int:
    return 20 if asked.values.get("computeCommissionRates", "").lower() == "true" else 1


def _weight_of_open_orders(asked: Parameters) -> int:
    return 6 if "symbol" in asked.values else 80


def _weight_of_my_trades(asked: Parameters) -> int:
    return 5 if "orderId" in asked.values else 20
