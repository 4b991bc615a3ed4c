"""Whole answers, as an ASGI server receives them."""

import asyncio
from typing import Any

from crossbook.gateway.problem import ErrorDetail, ErrorDocument, Problem
from crossbook.gateway.web.answer import send_answer, send_document, send_problem

BUSY = (b"retry-after", b"1")


class Server:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def send(self, message: Any) -> None:
        """Keep one message."""
        self.messages.append(message)

    def answer(self) -> tuple[int, dict[bytes, bytes], bytes]:
        """Status, headers and body."""
        start, body = self.messages
        assert (start["type"], body["type"]) == ("http.response.start", "http.response.body")
        return start["status"], dict(start["headers"]), body["body"]


def test_an_answer_has_its_type_and_its_length_beside_its_headers() -> None:
    server = Server()
    asyncio.run(send_answer(server.send, 503, b"<p>away</p>", [BUSY], b"text/html"))
    headers = {b"content-type": b"text/html", b"content-length": b"11", b"retry-after": b"1"}
    assert server.answer() == (503, headers, b"<p>away</p>")


def test_a_document_is_sent_as_json() -> None:
    server = Server()
    document = ErrorDocument(ErrorDetail("BUSY", "later"), "gw-7")
    asyncio.run(send_document(server.send, 503, document, [BUSY]))
    status, headers, body = server.answer()
    assert body == b'{"error":{"code":"BUSY","message":"later"},"request_id":"gw-7"}'
    assert headers == {
        b"content-type": b"application/json", b"content-length": b"%d" % len(body),
        b"retry-after": b"1",
    }  # fmt: skip
    assert status == 503


def test_an_answer_without_a_document_has_no_body() -> None:
    server = Server()
    asyncio.run(send_document(server.send, 204, None))
    status, headers, body = server.answer()
    assert (status, headers[b"content-length"], body) == (204, b"0", b"")


def test_a_problem_is_sent_with_the_time_to_wait_where_the_request_may_come_again() -> None:
    for status, wait in ((503, {b"retry-after": b"1"}), (422, {})):
        server = Server()
        asyncio.run(
            send_problem(server.send, Problem(status, "CODE", "text"), "gw-7", [(b"x", b"y")])
        )
        sent, headers, body = server.answer()
        assert sent == status
        shape = (b"content-type", b"content-length")
        assert {n: v for n, v in headers.items() if n not in shape} == {b"x": b"y", **wait}
        assert b'"gw-7"' in body
