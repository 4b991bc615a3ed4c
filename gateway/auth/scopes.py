"""The scope that a request over HTTP needs, by method and path. No I/O.

What no rule makes public needs a key: a route that is added later is closed until a rule opens it.
"""

import re
from typing import Final

from crossbook.common.keys import Scope

ADMIN_PATH: Final = "/api/v1/admin"
"""Path of what an administrator does. Paths below it need the scope too."""

METRICS_PATH: Final = "/metrics"

READING: Final = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing."""

_OPEN: Final = re.compile(
    r"/|/page/.+|/docs|/docs/.+|/openapi\.json|/health|/ready|/api/v1/time", re.DOTALL
)
_MARKET_DATA: Final = re.compile(
    r"/api/v1/(?:instruments|(?:orderbook|trades|candles|ticker)/[^/]+)", re.DOTALL
)


def scope_needed(method: str, path: str, market_data_is_keyed: bool = False) -> Scope | None:
    """The scope; None where no key is needed.

    `METRICS_PATH` needs `ADMIN`, but for requests from the same machine: see `KeyAccess`.

    >>> scope_needed("GET", "/api/v1/orders/ORD-1"), scope_needed("DELETE", "/api/v1/orders")
    (<Scope.READ: 1>, <Scope.TRADE: 2>)
    >>> scope_needed("GET", "/api/v1/ticker/BTC-USDT") is None
    True
    """
    if method == "OPTIONS":
        # Names of methods, which the documents of the API list for everybody.
        return None
    if path in (METRICS_PATH, ADMIN_PATH) or path.startswith(f"{ADMIN_PATH}/"):
        return Scope.ADMIN
    if method not in READING:
        return Scope.TRADE
    if _OPEN.fullmatch(path) or (not market_data_is_keyed and _MARKET_DATA.fullmatch(path)):
        return None
    return Scope.READ
