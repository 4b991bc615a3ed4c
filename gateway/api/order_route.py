"""`POST /api/v1/orders`, served without the framework: it gets far more traffic than other routes.

The body, the method of `Trading` and the documents are those of the route that describes it in
`crossbook.gateway.api.rest_orders`. `python -m bench http` measures what this saves.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from crossbook.common.process.log import logger
from crossbook.gateway.api import documents
from crossbook.gateway.api.bodies import decoder
from crossbook.gateway.api.rest_orders import ORDERS_PATH
from crossbook.gateway.api.trading import Trading
from crossbook.gateway.problem import ErrorDocument, Problem, internal
from crossbook.gateway.query import values_of
from crossbook.gateway.web.entrance import AsgiApp

_JSON_HEADERS: Final = [(b"content-type", b"application/json")]

_encode = msgspec.json.Encoder().encode
_order_body = decoder(documents.OrderRequest)


class OrderRoute:
    """Serves `POST /api/v1/orders`, and everything else by `app`. `Entrance` stands before it and
    has read the body and the account."""

    def __init__(self, app: AsgiApp, trading: Trading, request_ids: Callable[[], str]) -> None:
        self._app = app
        self._trading = trading
        self._request_ids = request_ids

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["method"] != "POST" or scope["path"] != ORDERS_PATH:
            await self._app(scope, receive, send)
            return
        headers: list[tuple[bytes, bytes]] = _JSON_HEADERS
        try:
            check_media_type(scope["content_type"])
            values_of(scope["query_string"].decode("latin-1"), ())
            body = _order_body((await receive())["body"])
            status, answer = await self._trading.submit(scope["account"], body)
            payload = _encode(answer)
        except Problem as problem:
            status = problem.status
            payload = self._failure(problem)
            if problem.retry_after_s is not None:
                headers = [*headers, (b"retry-after", b"%d" % problem.retry_after_s)]
        except Exception:
            logger().exception("request_failed", path=ORDERS_PATH)
            status, payload = (
                500,
                _encode(ErrorDocument(internal().detail, self._request_ids())),
            )
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, (b"content-length", b"%d" % len(payload))],
            }
        )
        await send({"type": "http.response.body", "body": payload})

    def _failure(self, problem: Problem) -> bytes:
        return _encode(ErrorDocument(problem.detail, self._request_ids()))


def check_media_type(media_type: str) -> None:
    """Raise `Problem` unless a body of this type is JSON."""
    # This also excludes pages of other origins: browsers send a preflight before this type.
    if media_type.partition(";")[0].strip().lower() != "application/json":
        text = "the body must be JSON, with Content-Type: application/json"
        raise Problem(415, "UNSUPPORTED_MEDIA_TYPE", text)
