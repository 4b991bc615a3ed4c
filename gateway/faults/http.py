"""Faults of REST, in front of the whole HTTP application.

Only requests that can be read get faults: a malformed one reaches the application as it is, which
refuses it. The route of the rules itself is never faulty.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec

from crossbook.common.errors import BAD_BYTES
from crossbook.common.faults.order_entry import AnswerFault, RequestFacts
from crossbook.common.faults.table import FaultTable
from crossbook.gateway.api.identity import account_in
from crossbook.gateway.api.request_body import BODY_MAX, Receive
from crossbook.gateway.auth.access import Access, key_in
from crossbook.gateway.auth.scopes import READING
from crossbook.gateway.faults.fate import answer_fate, request_fate
from crossbook.gateway.faults.refusal import PROXY_PAGE, Refused, unknown
from crossbook.gateway.faults.routes import FAULTS_PATH
from crossbook.gateway.problem import ErrorDocument, Problem
from crossbook.gateway.query import values_of
from crossbook.gateway.web.answer import send_answer, send_document
from crossbook.gateway.web.entrance import WITH_BODY, AsgiApp
from crossbook.gateway.web.http_connection import HttpConnection

ABORT: Final = "crossbook.abort"
"""Key of a scope: the call that drops the connection of the request."""

_OF_MARKET: Final = re.compile(r"/api/v1/(?:orderbook|trades|candles|ticker)/([^/]+)")

Send = Callable[[Any], Awaitable[None]]


class AbortableConnection(HttpConnection):
    """A connection whose requests can drop it."""

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        cycle.scope[ABORT] = self.transport.abort
        super()._start_asgi_task(cycle, app)


class Named(msgspec.Struct):
    """The fields of a body that selectors name."""

    symbol: str | None = None
    client_order_id: str | None = None


_named = msgspec.json.Decoder(Named).decode


class Dialect(Protocol):
    """How an API over HTTP is read, and how it refuses."""

    def serves(self, path: str) -> bool:
        """Whether the rules concern this path."""

    def reads_body(self, method: str) -> bool:
        """Whether a request of this method may have a body."""

    def facts(self, scope: Any, body: bytes) -> RequestFacts | None:
        """The facts of a request; None where they cannot be read."""

    def refusal(
        self, refused: Refused, facts: RequestFacts, number: int
    ) -> tuple[int, Any, int | None]:
        """Status, document and `Retry-After` of a refusal by the rule with this id."""

    def unknown(self, facts: RequestFacts, number: int) -> tuple[int, Any]:
        """Status and document of a command whose outcome is unknown."""


class NativeDialect:
    """The native API. `access` gives the account that a request names."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def serves(self, path: str) -> bool:
        """All paths but those of the rules."""
        return path != FAULTS_PATH and not path.startswith(f"{FAULTS_PATH}/")

    def reads_body(self, method: str) -> bool:
        """Methods that change something."""
        return method in WITH_BODY

    def facts(self, scope: Any, body: bytes) -> RequestFacts | None:
        """The facts of a request; None where they cannot be read."""
        path = scope["path"]
        try:
            accounts = [value.strip() for name, value in scope["headers"] if name == b"x-account"]
            account = self._access.named(scope["headers"], account_in(accounts))
            key = key_in(scope["headers"])
            query = values_of(scope["query_string"].decode("latin-1"), None)
        except Problem:
            return None
        named = Named(query.get("symbol"), query.get("client_order_id"))
        of_market = _OF_MARKET.fullmatch(path)
        if of_market is not None:
            named.symbol = of_market[1]
        elif body:
            try:
                named = _named(body)
            except BAD_BYTES:
                return None
        symbol, client_order_id = named.symbol or "", named.client_order_id or ""
        return RequestFacts(
            "rest", account, path, scope["method"], symbol, client_order_id, key=key
        )

    def refusal(
        self, refused: Refused, facts: RequestFacts, number: int
    ) -> tuple[int, Any, int | None]:
        """The error document, whose id names the rule."""
        document = ErrorDocument(refused.detail, f"fault-{number}")
        return refused.status, document, refused.retry_after_s

    def unknown(self, facts: RequestFacts, number: int) -> tuple[int, Any]:
        """The error document of an unknown outcome."""
        return 504, ErrorDocument(unknown(facts.client_order_id), f"fault-{number}")


class FaultyHttp:
    """`app`, whose API has this `dialect`, behind the rules of `table`."""

    def __init__(self, app: AsgiApp, table: FaultTable, dialect: Dialect) -> None:
        self._app = app
        self._table = table
        self._dialect = dialect

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if not len(self._table) or not self._dialect.serves(scope["path"]):
            await self._app(scope, receive, send)
            return
        body = b""
        if self._dialect.reads_body(scope["method"]):
            body, receive = await _read_ahead(receive)
        facts = self._dialect.facts(scope, body)
        if facts is None or await self._passes(facts, scope, receive, send):
            await self._serve(facts, scope, receive, send)

    async def _passes(self, facts: RequestFacts, scope: Any, receive: Receive, send: Send) -> bool:
        """Apply the faults before the request; false when one has ended it."""
        fate = request_fate(self._table, facts)
        if fate.delay_s:
            await asyncio.sleep(fate.delay_s)
        if fate.refused is not None:
            await self._refuse(fate.refused, facts, fate.rule, send)
        elif fate.is_closed:
            scope[ABORT]()
            await _until_gone(receive)
        return fate.refused is None and not fate.is_closed

    async def _serve(
        self, facts: RequestFacts | None, scope: Any, receive: Receive, send: Send
    ) -> None:
        """Have the request answered, and apply the faults of its answer."""
        if facts is None or not self._table.may_concern(AnswerFault, facts):
            await self._app(scope, receive, send)
            return
        messages: list[Any] = []

        async def collect(message: Any) -> None:
            messages.append(message)

        await self._app(scope, receive, collect)
        is_done = bool(messages) and messages[0]["status"] < 300 and facts.method not in READING
        fate = answer_fate(self._table, facts, is_done)
        if fate.delay_s:
            await asyncio.sleep(fate.delay_s)
        if not fate.count:
            await _until_gone(receive)
            return
        if fate.is_unknown:
            status, document = self._dialect.unknown(facts, fate.rule)
            await send_document(send, status, document)
            return
        for message in messages:
            await send(message)

    async def _refuse(self, refused: Refused, facts: RequestFacts, number: int, send: Send) -> None:
        if refused.is_proxy_page:
            await send_answer(send, refused.status, PROXY_PAGE, (), b"text/html")
            return
        status, document, wait_s = self._dialect.refusal(refused, facts, number)
        headers = [] if wait_s is None else [(b"retry-after", b"%d" % wait_s)]
        await send_document(send, status, document, headers)


async def _read_ahead(receive: Receive) -> tuple[bytes, Receive]:
    """The body of a request, as far as one may be long, and a callable that returns its messages
    again before those that follow."""
    waiting: list[Any] = []
    body = b""
    while True:
        message = await receive()
        waiting.append(message)
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > BODY_MAX:
            break
    waiting.reverse()

    async def next_message() -> Any:
        return waiting.pop() if waiting else await receive()

    return body, next_message


async def _until_gone(receive: Receive) -> None:
    """Return once the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
