"""The methods of the WebSocket API: each is a route of REST under another name."""

from collections.abc import Mapping
from typing import Final

from crossbook.gateway.binance.routes import API, Route, Routes

PATHS: Final[Mapping[str, tuple[str, str]]] = {
    "ping": ("GET", "ping"),
    "time": ("GET", "time"),
    "exchangeInfo": ("GET", "exchangeInfo"),
    "depth": ("GET", "depth"),
    "trades.recent": ("GET", "trades"),
    "trades.historical": ("GET", "historicalTrades"),
    "trades.aggregate": ("GET", "aggTrades"),
    "klines": ("GET", "klines"),
    "uiKlines": ("GET", "uiKlines"),
    "avgPrice": ("GET", "avgPrice"),
    "ticker": ("GET", "ticker"),
    "ticker.24hr": ("GET", "ticker/24hr"),
    "ticker.price": ("GET", "ticker/price"),
    "ticker.book": ("GET", "ticker/bookTicker"),
    "order.place": ("POST", "order"),
    "order.test": ("POST", "order/test"),
    "order.status": ("GET", "order"),
    "order.cancel": ("DELETE", "order"),
    "order.cancelReplace": ("POST", "order/cancelReplace"),
    "order.amend.keepPriority": ("PUT", "order/amend/keepPriority"),
    "order.amendments": ("GET", "order/amendments"),
    "openOrders.status": ("GET", "openOrders"),
    "openOrders.cancelAll": ("DELETE", "openOrders"),
    "allOrders": ("GET", "allOrders"),
    "myTrades": ("GET", "myTrades"),
    "account.status": ("GET", "account"),
    "account.commission": ("GET", "account/commission"),
    "account.rateLimits.orders": ("GET", "rateLimit/order"),
    "ticker.tradingDay": ("GET", "ticker/tradingDay"),
    "myFilters": ("GET", "myFilters"),
    "myAllocations": ("GET", "myAllocations"),
    "myPreventedMatches": ("GET", "myPreventedMatches"),
    "allOrderLists": ("GET", "allOrderList"),
    "openOrderLists.status": ("GET", "openOrderList"),
    "orderList.status": ("GET", "orderList"),
    "orderList.cancel": ("DELETE", "orderList"),
    "orderList.place": ("POST", "order/oco"),
    "orderList.place.oco": ("POST", "orderList/oco"),
    "orderList.place.oto": ("POST", "orderList/oto"),
    "orderList.place.otoco": ("POST", "orderList/otoco"),
    "orderList.place.opo": ("POST", "orderList/opo"),
    "orderList.place.opoco": ("POST", "orderList/opoco"),
    "sor.order.place": ("POST", "sor/order"),
    "sor.order.test": ("POST", "sor/order/test"),
    "blockTrades.historical": ("GET", "historicalBlockTrades"),
    "executionRules": ("GET", "executionRules"),
    "referencePrice": ("GET", "referencePrice"),
    "referencePrice.calculation": ("GET", "referencePrice/calculation"),
    "userDataStream.start": ("POST", "userDataStream"),
    "userDataStream.ping": ("PUT", "userDataStream"),
    "userDataStream.stop": ("DELETE", "userDataStream"),
}
"""Methods by name, with the method and the path of REST."""

SESSION: Final = ("session.logon", "session.status", "session.logout", "session.subscriptions")
STREAMS: Final = (
    "userDataStream.subscribe",
    "userDataStream.subscribe.signature",
    "userDataStream.unsubscribe",
)
"""Methods about the connection itself."""


def methods_of(routes: Routes) -> dict[str, Route]:
    """The routes by their names here."""
    return {name: routes[f"{API}/{path}"][verb] for name, (verb, path) in PATHS.items()}
