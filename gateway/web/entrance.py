"""The entrance of every HTTP application: the checks before any route, and what all routes share.

Host, account, origin and path are checked by `crossbook.gateway.web.admission`. Then the query has
to be well formed, and a body has to be complete and sent to a route that reads one. HEAD is
answered like GET, and pages of configured origins may read public market data.
"""

from collections.abc import Callable, Collection
from typing import Any, Final

from crossbook.gateway.api.request_body import received, whole_body
from crossbook.gateway.auth.access import Access
from crossbook.gateway.auth.scopes import READING
from crossbook.gateway.problem import Problem, malformed
from crossbook.gateway.query import values_of
from crossbook.gateway.web.admission import Admission, Admitted
from crossbook.gateway.web.answer import send_problem

WITH_BODY: Final = ("POST", "PATCH")
"""Methods whose body is read."""

PAGE_ADDRESS: Final = "/"
"""Path of the page. The script of the page checks the query and shows what is wrong with it."""

PREFLIGHT_S: Final = 600
"""Seconds a browser may keep the answer to a preflight."""

CHALLENGE: Final = b"CROSSBOOK-SIGNATURE"
"""The scheme of authentication that a 401 names: docs/reference/signing.md."""

AsgiApp = Callable[[Any, Any, Any], Any]
"""An ASGI application: scope, receive, send."""


class Entrance:
    """`app`, behind the checks.

    `app` reads the account a request acts for from `account` in the scope, as `access` gives it.
    `allow` returns the methods of a path for the header `Allow`,
    `is_public` whether pages of `origins` may read the path.
    """

    def __init__(
        self,
        app: AsgiApp,
        admission: Admission,
        access: Access,
        request_ids: Callable[[], str],
        allow: Callable[[str], bytes],
        is_public: Callable[[str], bool] = lambda path: False,
        origins: Collection[str] = (),
    ) -> None:
        self._app = app
        self._admission = admission
        self._access = access
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
                # The script of the page checks its address and shows on the page what is wrong.
                values_of(scope["query_string"].decode("latin-1"), None)
            if not head.is_own and method not in READING:
                text = "only pages of this address may change anything here"
                raise Problem(403, "FOREIGN_ORIGIN", text, "Origin")
            claim = self._access.claim(scope, head.account)
            body = b""
            if method not in WITH_BODY:
                # The application refuses a method that the path does not have.
                if head.has_body and method.encode() in self._allow(scope["path"]).split(b", "):
                    raise malformed("body", f"a {method} has no body here; send none")
            else:
                whole = await whole_body(receive)
                if whole is None:
                    return
                body = whole
                receive = received(body, receive)
            scope["account"] = self._access.account(claim, body)
        except Problem as problem:
            await self._refuse(problem, send)
            return
        if head.account is not None:
            # The framework reads the header again, and accepts only the plain number.
            scope["headers"] = [
                (name, b"%d" % head.account if name == b"x-account" else value)
                for name, value in scope["headers"]
            ]
        scope["content_type"] = head.content_type
        if method == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)

    async def _refuse(self, problem: Problem, send: Any) -> None:
        headers = [(b"www-authenticate", CHALLENGE)] if problem.status == 401 else []
        await send_problem(send, problem, self._request_ids(), headers)

    def _completed(self, scope: Any, send: Any, added: list[tuple[bytes, bytes]]) -> Any:
        """`send` with the headers `added`, with the complete `Allow` where there is one, and for
        HEAD without a body."""
        method, path = scope["method"], scope["path"]

        async def complete(message: Any) -> None:
            if message["type"] == "http.response.start":
                # The `Allow` of the framework lacks the methods of routes that were added later.
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
