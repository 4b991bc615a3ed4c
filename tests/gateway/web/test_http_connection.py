"""Requests in raw bytes over the real server: the fast path and the framework accept the same
ones."""

import json
from typing import Final

import pytest
import uvloop

from crossbook.gateway.api import order_route
from crossbook.gateway.api.request_body import BODY_MAX
from tests.gateway.http_world import HttpWorld, request
from tests.worlds.rest_world import limit

PATH: Final = "/api/v1/orders"
BODY: Final = json.dumps(limit("buy", "1", "50000")).encode()
SIZE: Final = len(BODY)
JSON: Final = "Content-Type: application/json"
CHUNKED: Final = ("Transfer-Encoding: chunked", JSON)


def post(body: bytes, *headers: str, version: str = "1.1") -> bytes:
    return request("POST", PATH, body, *headers, version=version)


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


CASES: Final[dict[str, tuple[tuple[bytes, ...], list[int], int]]] = {
    "whole": ((post(BODY),), [201], 1),
    "slow": ((post(BODY)[:-9], BODY[-9:-4], BODY[-4:]), [201], 1),
    "chunked": ((post(b"", *CHUNKED) + chunk(BODY) + b"0\r\n\r\n",), [201], 1),
    "chunk with an extension": (
        (post(b"", *CHUNKED) + b"%x;a=b\r\n%b\r\n0\r\n\r\n" % (SIZE, BODY),),
        [201],
        1,
    ),
    "HTTP/1.0": ((post(BODY, version="1.0"),), [201], 1),
    "cut within the JSON": ((post(BODY)[:-5],), [], 0),
    "cut behind the JSON": ((post(BODY, f"Content-Length: {SIZE + 5}"),), [], 0),
    "cut behind no body": ((post(b"", f"Content-Length: {SIZE}", JSON),), [], 0),
    "no length": ((post(b"", JSON) + BODY,), [400], 0),
    "no last chunk": ((post(b"", *CHUNKED) + chunk(BODY),), [], 0),
    "no end of the last chunk": ((post(b"", *CHUNKED) + chunk(BODY) + b"0\r\n",), [], 0),
    "cut within a chunk": ((post(b"", *CHUNKED) + b"%x\r\n%b" % (SIZE + 4, BODY),), [], 0),
    "a chunk that is none": ((post(b"", *CHUNKED) + chunk(BODY) + b"zz\r\n",), [400], 0),
    "a chunk longer than its size": (
        (post(b"", *CHUNKED) + b"%x\r\n%b\r\n" % (SIZE - 3, BODY),),
        [400],
        0,
    ),
    "a trailer": ((post(b"", *CHUNKED) + chunk(BODY) + b"0\r\nX-Foo: 1\r\n\r\n",), [400], 0),
    "length and chunks": (
        (post(b"", f"Content-Length: {SIZE}", *CHUNKED) + chunk(BODY) + b"0\r\n\r\n",),
        [400],
        0,
    ),
    "chunks twice": ((post(b"", CHUNKED[0], *CHUNKED) + chunk(BODY) + b"0\r\n\r\n",), [400], 0),
    "another coding": (
        (post(b"", "Transfer-Encoding: gzip, chunked", JSON) + chunk(BODY) + b"0\r\n\r\n",),
        [400],
        0,
    ),
    "another encoding": ((post(BODY, "Content-Encoding: gzip"),), [400], 0),
    "two equal lengths": ((post(BODY, *[f"Content-Length: {SIZE}"] * 2),), [400], 0),
    "two lengths": ((post(BODY, f"Content-Length: {SIZE}", "Content-Length: 3"),), [400], 0),
    "a list of lengths": ((post(BODY, f"Content-Length: {SIZE}, {SIZE}"),), [400], 0),
    "a length below zero": ((post(BODY, "Content-Length: -1"),), [400], 0),
    "a length with a sign": ((post(BODY, f"Content-Length: +{SIZE}"),), [400], 0),
    "too long": ((post(b" " * (BODY_MAX + 1)),), [413], 0),
    "expected": ((post(BODY, "Expect: 100-continue"),), [100, 201], 1),
    "expected and never sent": (
        (post(b"", f"Content-Length: {SIZE}", JSON, "Expect: 100-continue"),),
        [100],
        0,
    ),
    "a folded header": ((post(BODY, "X-Foo: 1\r\n\tX-Account: 2"),), [400], 0),
    "a space before the colon": ((post(BODY, "X-Account : 2"),), [400], 0),
    "NUL in a header": ((post(BODY, "X-Account: 1\0"),), [400], 0),
    "bare line feeds": ((post(BODY).replace(b"\r\n", b"\n"),), [400], 0),
    "two at once": ((post(BODY).replace(b"Connection: close\r\n", b"") * 2,), [201, 201], 2),
    "then nonsense": ((post(BODY).replace(b"Connection: close\r\n", b"") + b"\0 x\r\n",), [201], 1),
    "longer than its length": (
        (post(BODY + b"xx", f"Content-Length: {SIZE}").replace(b"Connection: close\r\n", b""),),
        [201],
        1,
    ),
    "an upgrade": (
        (post(BODY, "Upgrade: websocket").replace(b"Connection: close", b"Connection: Upgrade"),),
        [400],
        0,
    ),
    "a host in the target": (
        (request("POST", f"http://LOCALHOST{PATH}", BODY),),
        [201],
        1,
    ),
    "another host in the target": (
        (request("POST", f"http://evil.example{PATH}", BODY),),
        [400],
        0,
    ),
    "a user in the target": ((request("POST", f"http://localhost@x{PATH}", BODY),), [400], 0),
    "no host": ((post(BODY).replace(b"Host: localhost\r\n", b""),), [400], 0),
    "no host in HTTP/1.0": (
        (post(BODY, version="1.0").replace(b"Host: localhost\r\n", b""),),
        [400],
        0,
    ),
    "two hosts": ((post(BODY, "Host: localhost", "Host: localhost"),), [400], 0),
    "another host": ((post(BODY, "Host: evil.example"),), [403], 0),
    "a query": ((request("POST", f"{PATH}?symbol=BTC-USDT", BODY),), [400], 0),
    "a fragment": ((request("POST", f"{PATH}#a", BODY),), [400], 0),
    "a fragment behind a host": ((request("POST", f"http://localhost{PATH}#a", BODY),), [400], 0),
    "two types": ((post(BODY, JSON, "Content-Type: text/plain"),), [400], 0),
    "another type": ((post(BODY, "Content-Type: text/plain"),), [415], 0),
    "another origin": ((post(BODY, "Origin: http://evil.example"),), [403], 0),
    "no origin": ((post(BODY, "Origin: null"),), [403], 0),
    "its own origin": ((post(BODY, "Origin: http://localhost"),), [201], 1),
    "two accounts": ((post(BODY, "X-Account: 1", "X-Account: 1"),), [400], 0),
    "a slash too many": ((request("POST", f"{PATH}/", BODY),), [404], 0),
}
"""Cases: the sent bytes, followed by the end of the side of the client; the statuses answered; the
orders entered."""


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_the_fast_path_and_the_framework_take_a_request_alike(
    case: str, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast:
        monkeypatch.setattr(order_route, "ORDERS_PATH", "/nothing")
    parts, statuses, orders = CASES[case]

    async def main() -> None:
        async with HttpWorld() as world:
            answers = await world.send(*parts, ends=True)
            assert [answer.status for answer in answers] == statuses
            for answer in answers:
                if answer.status >= 400:
                    assert answer.error["code"]
                    assert json.loads(answer.body)["request_id"]
            assert len(world.engine.open_orders(1)[0]) == orders
            assert world.engine.seq == orders

    uvloop.run(main())


@pytest.mark.parametrize(
    "head",
    [
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http:///health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET ftp://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\xe9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_a_target_that_is_no_path_is_refused(head: bytes) -> None:
    async def main() -> None:
        async with HttpWorld() as world:
            (answer,) = await world.send(head)
            assert (answer.status, answer.error["code"]) == (400, "MALFORMED")

    uvloop.run(main())
