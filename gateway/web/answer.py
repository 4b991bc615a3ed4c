"""Sends the answers of requests that are served without the framework."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from crossbook.gateway.problem import ErrorDocument, Problem

JSON: Final = b"application/json"

_encode = msgspec.json.Encoder().encode


async def send_answer(
    send: Any,
    status: int,
    body: bytes,
    headers: Iterable[tuple[bytes, bytes]] = (),
    media_type: bytes = JSON,
) -> None:
    """Send a whole answer, with its type, its length and these headers."""
    shape = (b"content-type", media_type), (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*shape, *headers]})
    await send({"type": "http.response.body", "body": body})


async def send_problem(
    send: Any, problem: Problem, request_id: str = "", headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send the document of a problem, with the time to wait where the request may come again."""
    if problem.retry_after_s is not None:
        headers = [*headers, (b"retry-after", b"%d" % problem.retry_after_s)]
    document = ErrorDocument(problem.detail, request_id)
    await send_document(send, problem.status, document, headers)


async def send_document(
    send: Any, status: int, document: Any, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send a document as JSON; None is an answer without a body."""
    body = b"" if document is None else _encode(document)
    await send_answer(send, status, body, headers)
