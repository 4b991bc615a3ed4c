"""The Binance-spot face of a gateway, put together from the parts that its faces share."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from crossbook.common.process.clock import Clock, SystemClock
from crossbook.common.token_buckets import TokenBuckets
from crossbook.gateway.api.lookup import Lookup, MarketView
from crossbook.gateway.api.trading import Trading
from crossbook.gateway.binance.listen_keys import ListenKeys
from crossbook.gateway.binance.market.queries import MarketQueries, NumberOf
from crossbook.gateway.binance.market.recorded_market import RecordedMarket
from crossbook.gateway.binance.order_counts import OrderCounts
from crossbook.gateway.binance.rest import FaceRest
from crossbook.gateway.binance.routes import routes_of
from crossbook.gateway.binance.signing import DemoKeys, KeySource, SignedAccess
from crossbook.gateway.binance.symbols import SymbolTable, check_names
from crossbook.gateway.binance.venue import FaceVenue
from crossbook.gateway.binance.weights import AddressWeights
from crossbook.gateway.history.queries import HistoryQueries
from crossbook.gateway.orders.local_sessions import LocalSessions
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.entrance import AsgiApp

SYSTEM: Final = SystemClock()


class FaceLimits(Struct, frozen=True):
    """The limits of the exchange that the face shows and holds; zero is none. `buckets` are those
    of addresses, which all HTTP of the gateway shares."""

    requests_per_second: int = 0
    orders_per_second: int = 0
    max_open_orders: int = 0
    buckets: TokenBuckets | None = None


def rest_face(
    app: AsgiApp,
    trading: Trading,
    lookup: Lookup,
    history: HistoryQueries,
    sessions: LocalSessions,
    market: MarketView,
    limits: FaceLimits,
    admission: Admission,
    keys: KeySource | None,
    admit: Callable[[str, int], None] | None,
    market_data_is_keyed: bool = False,
    clock: Clock = SYSTEM,
    number_of: NumberOf | None = None,
    listen_keys: ListenKeys | None = None,
) -> FaceRest:
    """`app` behind REST of the face. `keys` are those of the exchange; without them (`AUTH=off`)
    there are demo keys, and `admit` bounds the accounts of an address. Raises `ConfigError` where
    two instruments have one name in the face. `clock` is that of the machine;
    `number_of` gives the snapshots of books their numbers; `listen_keys` are kept in place of new
    ones."""
    check_names(lookup.instruments.values())
    now_ns = lookup.time.now_ns
    symbols = SymbolTable(lookup.instruments)
    record = RecordedMarket(history, sessions)
    venue = FaceVenue(
        trading,
        lookup,
        history,
        market,
        MarketQueries(symbols, market, record, now_ns, number_of),
        symbols,
        AddressWeights(60 * limits.requests_per_second, limits.buckets),
        OrderCounts(limits.orders_per_second),
        ListenKeys() if listen_keys is None else listen_keys,
        now_ns,
        limits.max_open_orders,
    )
    wall_ns = clock.now_ns if lookup.time.is_manual else None
    access = SignedAccess(
        DemoKeys() if keys is None else keys, now_ns, now_ns, wall_ns, admit, keys is None
    )
    return FaceRest(
        app,
        venue,
        routes_of(venue),
        admission,
        access,
        clock.now_ns,
        clock.monotonic_ns,
        market_data_is_keyed,
    )
