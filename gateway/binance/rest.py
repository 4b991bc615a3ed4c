"""REST of the Binance-spot face: its paths, served without a framework in front of the native
application.

Every answer has a JSON document and the weight that its address has used; every error has
`{"code", "msg"}`. Host, origin, path and the size of a body are checked as for the native API.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from crossbook.common.process.log import logger
from crossbook.gateway.api.request_body import whole_body
from crossbook.gateway.auth.access import NOBODY
from crossbook.gateway.auth.scopes import READING
from crossbook.gateway.binance.order_counts import Counts
from crossbook.gateway.binance.parameters import MS, US, Parameters, payload_of, values_of
from crossbook.gateway.binance.problem import (
    DUPLICATE_VALUES,
    INVALID_TIME_UNIT,
    TOO_MANY_PARAMETERS,
    UNKNOWN,
    Refusal,
    internal,
    refusal_of,
    rejected_key,
    unknown_path,
)
from crossbook.gateway.binance.routes import Route, Routes, Security, weight_of
from crossbook.gateway.binance.signing import KEY_HEADER, SignedAccess
from crossbook.gateway.binance.venue import FaceVenue
from crossbook.gateway.limits.http import network_of
from crossbook.gateway.problem import Problem
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.entrance import AsgiApp

PREFIXES: Final = ("/api/v3/", "/sapi/", "/fapi/", "/dapi/")
"""Where the paths of the face begin."""

ALONE: Final = ("/api/v3", "/api/v1/trades", "/sapi", "/fapi", "/dapi")
"""Its paths that stand alone; `/api/v1` is the native API's otherwise."""

TIME_UNIT_HEADER: Final = b"x-mbx-time-unit"
_HEADERS: Final = (KEY_HEADER, TIME_UNIT_HEADER)

_NO_MATCH: Final[Mapping[str, Route]] = {}
_UNITS: Final = {b"MICROSECOND": US, b"MILLISECOND": MS}
_encode = msgspec.json.Encoder().encode


def is_of_face(path: str) -> bool:
    """Whether a path is one of the face.

    >>> is_of_face("/api/v3/order"), is_of_face("/api/v1/trades"), is_of_face("/api/v1/orders")
    (True, True, False)
    """
    return path.startswith(PREFIXES) or path in ALONE


class FaceRest:
    """Serves the paths of the face, and everything else by `app`.

    `routes`, `access` and `signed`, the kinds of routes that need a signature, do without HTTP, so
    that the WebSocket API answers by the same ones. With `market_data_is_keyed` market data needs a
    signature.
    """

    def __init__(
        self,
        app: AsgiApp,
        venue: FaceVenue,
        routes: Routes,
        admission: Admission,
        access: SignedAccess,
        wall_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
        market_data_is_keyed: bool = False,
    ) -> None:
        self._app = app
        self.venue = venue
        self.routes = routes
        self._admission = admission
        self.access = access
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self.signed = {Security.SIGNED}
        if market_data_is_keyed:
            self.signed.add(Security.NONE)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        path = scope["path"]
        if not is_of_face(path):
            await self._app(scope, receive, send)
            return
        answer = _Answer()
        try:
            document = await self._serve(scope, receive, path, answer)
            if answer.is_gone:
                return
            status, payload = 200, _encode(document)
        except Refusal as refusal:
            status, payload = self._refused(refusal, answer)
        except Problem as problem:
            status, payload = self._refused(refusal_of(problem), answer)
        except Exception:
            logger().exception("request_failed", path=path[:100])
            status, payload = self._refused(internal(), answer)
        headers = [
            (b"content-type", b"application/json;charset=UTF-8"),
            (b"content-length", b"%d" % len(payload)),
            (b"x-mbx-used-weight", b"%d" % answer.weight),
            (b"x-mbx-used-weight-1m", b"%d" % answer.weight),
            *answer.headers,
        ]
        if answer.counts is not None:
            headers.append((b"x-mbx-order-count-10s", b"%d" % answer.counts.in_window))
            headers.append((b"x-mbx-order-count-1d", b"%d" % answer.counts.in_day))
        if scope["method"] == "HEAD":
            payload = b""
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": payload})

    async def _serve(self, scope: Any, receive: Any, path: str, answer: "_Answer") -> Any:
        """The document of a request; raises `Refusal` and `Problem`."""
        peer = (scope.get("client") or ("",))[0]
        address = network_of(peer)
        weights, wall_ns = self.venue.weights, self._wall_ns()
        answer.weight = weights.used(address, wall_ns)
        weights.admit(address, wall_ns, self._monotonic_ns())
        method, headers = scope["method"], scope["headers"]
        server = scope.get("server") or ("",)
        head = self._admission.admit(scope["raw_path"], headers, server[0])
        if not head.is_own and method not in READING:
            raise Refusal(UNKNOWN, "Only pages of this address may change anything here.", 403)
        body = b""
        if head.has_body:
            whole = await whole_body(receive)
            if whole is None:
                answer.is_gone = True
                return None
            body = whole
        query = scope["query_string"]
        key_id, unit_ns = _named(headers)
        asked = Parameters(values_of(query, body), unit_ns)
        methods = self.routes.get(path, _NO_MATCH)
        route = methods.get("GET" if method == "HEAD" else method)
        weight = 1 if route is None else weight_of(route, asked)
        answer.weight = weights.take(address, weight, wall_ns)
        if route is None:
            return self._without_route(path, method, methods, answer)
        account = self._account(route, key_id, peer, asked, query, body)
        if account != NOBODY and head.account not in (None, account):
            # The account comes from the key, and X-Account may only repeat it.
            raise rejected_key()
        self.venue.count_query(route.scope, account or address)
        try:
            return await route.function(account, asked)
        finally:
            if route.takes_orders:
                answer.counts = self.venue.counts.of(account, self.venue.now_ns())

    def _account(
        self,
        route: Route,
        key_id: str,
        peer: str,
        asked: Parameters,
        query: bytes,
        body: bytes,
    ) -> int:
        """The account that a request acts for."""
        if route.security in self.signed:
            payload = payload_of(query, body)
            return self.access.account(key_id, route.scope, peer, asked, payload)
        if route.security != Security.KEY:
            return NOBODY
        return self.access.holder(key_id, route.scope, peer, asked, payload_of(query, body))

    def _without_route(
        self, path: str, method: str, methods: Mapping[str, Route], answer: "_Answer"
    ) -> dict[str, Any]:
        """The answer to OPTIONS; raises `Refusal` for another method, and for no path."""
        if not methods:
            raise unknown_path(path)
        names = ", ".join(sorted({*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))
        answer.headers.append((b"allow", names.encode()))
        if method != "OPTIONS":
            raise Refusal(UNKNOWN, f"The methods of this endpoint are {names}.", 405)
        return {}

    def _refused(self, refusal: Refusal, answer: "_Answer") -> tuple[int, bytes]:
        if refusal.retry_after_s is not None:
            answer.headers.append((b"retry-after", b"%d" % refusal.retry_after_s))
        return refusal.status, _encode(refusal.document())


class _Answer:
    """What the head of an answer shows, as far as the request got."""

    __slots__ = ("counts", "headers", "is_gone", "weight")

    def __init__(self) -> None:
        self.weight = 0
        self.counts: Counts | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_gone = False


def _named(headers: Any) -> tuple[str, int]:
    """The key that the headers name, and the unit of times that they ask for. Raises `Refusal` for
    a header that is there twice."""
    key_id, unit_ns = "", MS
    seen: set[bytes] = set()
    for name, value in headers:
        if name not in _HEADERS:
            continue
        if name in seen:
            # Proxies and libraries differ in which of two they read.
            raise Refusal(TOO_MANY_PARAMETERS, DUPLICATE_VALUES)
        seen.add(name)
        if name == KEY_HEADER:
            key_id = value.decode("latin-1").strip(" \t")
        else:
            found = _UNITS.get(value.strip(b" \t").upper())
            if found is None:
                text = "Invalid value for time unit; expected either MICROSECOND or MILLISECOND."
                raise Refusal(INVALID_TIME_UNIT, text)
            unit_ns = found
    return key_id, unit_ns
