"""Limits of HTTP requests: of addresses before anything is checked, of accounts behind it."""

import ipaddress
from typing import Any, Final

from crossbook.common.token_buckets import TokenBuckets
from crossbook.gateway.limits.account_limits import ORDERS, QUERIES, AccountLimits
from crossbook.gateway.problem import Problem, throttled
from crossbook.gateway.web.answer import send_problem
from crossbook.gateway.web.entrance import AsgiApp

API: Final = "/api/v1/"
"""Where the paths of the API begin. The page and what operators read have no limits by account."""

_READING: Final = ("GET", "HEAD")


class AddressLimits:
    """`app`, for addresses that have not sent too much. `throttled` counts refused requests."""

    def __init__(self, app: AsgiApp, buckets: TokenBuckets, now_ns: Any) -> None:
        self._app = app
        self._buckets = buckets
        self._now_ns = now_ns
        self.throttled = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        key = network_of((scope.get("client") or ("",))[0])
        if self._buckets.take(key, 1, self._now_ns()):
            await self._app(scope, receive, send)
            return
        self.throttled += 1
        text = (
            f"an address may send {self._buckets.burst} requests in {self._buckets.window_s} s "
            "(ADDRESS_REQUESTS_PER_SECOND)"
        )
        await send_problem(send, throttled(text, self._buckets.wait_ms(key, self._now_ns())))


class AccountLimitsOfHttp:
    """`app`, behind the entrance, for accounts that have not sent too many queries.

    Answers of the API have the headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-
    ratelimit-headers-09) of the bucket that the request took from. Orders are counted where they
    are entered: a body may hold several.
    """

    def __init__(self, app: AsgiApp, limits: AccountLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if not scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        limits, account = self._limits, scope["account"]
        kind = QUERIES if scope["method"] in _READING else ORDERS
        if kind not in limits.buckets:
            await self._app(scope, receive, send)
            return
        # Requests for public data have no account: there an address has the bucket.
        key = account or network_of((scope.get("client") or ("",))[0])

        async def completed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self._headers(key, kind)]}
            await send(message)

        if kind == QUERIES:
            try:
                limits.check(key, QUERIES)
            except Problem as problem:
                await send_problem(completed, problem)
                return
        await self._app(scope, receive, completed)

    def _headers(self, key: Any, kind: str) -> list[tuple[bytes, bytes]]:
        buckets = self._limits.buckets[kind]
        name = kind.encode()
        left, full_in_s = self._limits.left(key, kind)
        return [
            (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (name, buckets.burst, buckets.window_s)),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (name, left, full_in_s)),
        ]


def network_of(address: str) -> str:
    """The key of an address: itself, or for IPv6 its network of 64 bits, which one client has.

    >>> network_of("192.0.2.7"), network_of("2001:db8::1:7")
    ('192.0.2.7', '2001:db8::/64')
    """
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))
