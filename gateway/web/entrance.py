"""The way into every HTTP application here: what is checked before any route, and what is the same
for all of them.

Host, account, origin and path are those of `crossbook.gateway.web.admission`; then the query has to
be readable, a body has to be where one is read and to have come whole. HEAD is answered as GET is,
`Allow` says so, and pages of configured origins may read public market data.
"""

from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec

from crossbook.gateway.api.request_body import received, whole_body
from crossbook.gateway.problem import ErrorDocument, Problem, malformed
from crossbook.gateway.query import values_of
from crossbook.gateway.web.admission import Admission, Admitted

WITH_BODY: Final = ("POST", "PATCH")
"""Methods whose body is read."""

PAGE_ADDRESS: Final = "/"
"""Where the page is; its script reads the query, and tells what is wrong with it."""

READING: Final = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing."""

PREFLIGHT_S: Final = 600
"""Seconds a browser may keep the answer to a preflight."""

_encode = msgspec.json.Encoder().encode

AsgiApp = Callable[[Any, Any, Any], Any]
"""An ASGI application: scope, receive, send."""


class Entrance:
    """`app`, behind the checks.

    It finds the account a request acts for under `account` in the scope: `default_account` where
    none is named. `allow` gives the methods of a path as the header `Allow` says them, `is_public`
    whether pages of `origins` may read it.
    """

    def __init__(
        self,
        app: AsgiApp,
        admission: Admission,
        default_account: int,
        request_ids: Callable[[], str],
        allow: Callable[[str], bytes],
        is_public: Callable[[str], bool] = lambda path: False,
        origins: Collection[str] = (),
    ) -> None:
        self._app = app
        self._admission = admission
        self._default_account = default_account
        self._request_ids = request_ids
        self._allow = allow
        self._is_public = is_public
        self._origins = frozenset(origins)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        method = scope["method"]
        added: list[tuple[bytes, bytes]] = []
        send = self._completed(scope, send, added)
        try:
            server = scope.get("server") or ("",)
            head = self._admission.admit(scope["raw_path"], scope["headers"], server[0])
            if self._origins:
                added += self._cross_origin(scope, head)
            if scope["path"] != PAGE_ADDRESS:
                # The page's script reads its address, and says on the page what is wrong with it.
                values_of(scope["query_string"].decode("latin-1"), None)
            if not head.is_own and method not in READING:
                text = "only pages of this address may change anything here"
                raise Problem(403, "FOREIGN_ORIGIN", text, "Origin")
            if method not in WITH_BODY:
                # A method that the path does not have is refused for that, by the application.
                if head.has_body and method.encode() in self._allow(scope["path"]).split(b", "):
                    raise malformed("body", f"nobody reads the body of a {method} here; send none")
            else:
                body = await whole_body(receive)
                if body is None:
                    return
                receive = received(body, receive)
        except Problem as problem:
            await self._refuse(problem, send)
            return
        scope["account"] = self._default_account
        if head.account is not None:
            scope["account"] = head.account
            # The framework reads the header once more: it finds the plain number there.
            scope["headers"] = [
                (name, b"%d" % head.account if name == b"x-account" else value)
                for name, value in scope["headers"]
            ]
        scope["content_type"] = head.content_type
        if method == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)

    async def _refuse(self, problem: Problem, send: Any) -> None:
        body = _encode(ErrorDocument(problem.detail, self._request_ids()))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _completed(self, scope: Any, send: Any, added: list[tuple[bytes, bytes]]) -> Any:
        """`send` with the headers `added`, with the true `Allow` where there is one, and without a
        body where HEAD asks."""
        method, path = scope["method"], scope["path"]

        async def complete(message: Any) -> None:
            if message["type"] == "http.response.start":
                # The framework leaves out of `Allow` what it learns of a path later.
                headers = [
                    (name, self._allow(path) if name.lower() == b"allow" else value)
                    for name, value in message["headers"]
                ]
                message = {**message, "headers": [*headers, *added]}
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        return complete

    def _cross_origin(self, scope: Any, head: Admitted) -> list[tuple[bytes, bytes]]:
        """The headers that let a page of another origin read the answer, if it may."""
        if not self._is_public(scope["path"]):
            return []
        added = [(b"vary", b"Origin")]
        if head.origin in self._origins:
            added.append((b"access-control-allow-origin", head.origin.encode("latin-1")))
            added.append((b"access-control-expose-headers", b"Retry-After"))
            if scope["method"] == "OPTIONS":
                added.append((b"access-control-allow-methods", b"GET, HEAD"))
                added.append((b"access-control-max-age", b"%d" % PREFLIGHT_S))
        return added
