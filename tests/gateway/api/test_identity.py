"""The account of a request: every route reads it alike, and refuses a request without exactly one
valid account."""

import contextlib
import json

import pytest
import uvloop
from hypothesis import strategies as st

from crossbook.common.types import MAX_ACCOUNT
from crossbook.gateway.api.identity import account_number
from crossbook.gateway.problem import Problem
from tests.gateway.http_world import HttpWorld, request
from tests.worlds.given import given
from tests.worlds.rest_world import limit

BODY = json.dumps(limit("buy", "1", "50000")).encode()
BATCH = json.dumps({"orders": [limit("buy", "1", "50000")]}).encode()
SOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)

BAD = ["", "0", "-1", "+1", "01", "1.0", "1e3", "0x1", "1 2", "x", "2147483648", "9" * 40,
       "\xb2", "\u0661".encode().decode("latin-1"), "1,1"]  # fmt: skip
"""Texts of a header that are no account."""

ROUTES: list[tuple[str, str, bytes]] = [
    ("POST", "/api/v1/orders", BODY),
    ("POST", "/api/v1/orders/batch", BATCH),
    ("POST", "/api/v1/cancel-after", b'{"timeout_s":60}'),
    ("PATCH", "/api/v1/orders/ORD-0000000001", b'{"quantity":"1"}'),
    ("DELETE", "/api/v1/orders", b""),
    ("DELETE", "/api/v1/orders/ORD-0000000001", b""),
    ("GET", "/api/v1/account", b""),
    ("GET", "/api/v1/orders", b""),
    ("GET", "/api/v1/instruments", b""),
    ("GET", "/api/v1/ticker/BTC-USDT", b""),
    ("GET", "/health", b""),
    ("GET", "/metrics", b""),
    ("GET", "/", b""),
    ("GET", "/page/main.js", b""),
    ("GET", "/openapi.json", b""),
    ("HEAD", "/api/v1/account", b""),
    ("OPTIONS", "/api/v1/orders", b""),
    ("GET", "/nothing", b""),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_an_invalid_or_repeated_account_is_refused_by_every_route(
    method: str, path: str, body: bytes
) -> None:
    async def main() -> None:
        async with HttpWorld() as world:
            twice = [("1", "1"), ("1", "2"), ("2", "")]
            for headers in [(value,) for value in BAD] + twice:
                lines = [f"x-aCcount: {value}" for value in headers]
                (answer,) = await world.send(request(method, path, body, *lines))
                assert answer.status == 400, (headers, answer)
                if method != "HEAD":
                    assert answer.error["field"] == "X-Account"
                    assert str(MAX_ACCOUNT) in answer.error["message"] or len(headers) == 2
            assert not world.engine.seq, "nothing has happened"

    uvloop.run(main())


@pytest.mark.parametrize("path", ["/api/v1/orders", "/api/v1/orders/batch"])
def test_the_named_account_acts_with_any_padding_around_it(path: str) -> None:
    async def main() -> None:
        async with HttpWorld() as world:
            body = BODY if path.endswith("orders") else BATCH
            for account in (1, 7, MAX_ACCOUNT):
                (answer,) = await world.send(
                    request("POST", path, body, f"X-Account: \t{account} ")
                )
                assert answer.status in (200, 201)
                assert len(world.engine.open_orders(account)[0]) == 1

    uvloop.run(main())


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_an_account_in_the_query_is_refused(method: str, path: str, body: bytes) -> None:
    async def main() -> None:
        async with HttpWorld() as world:
            (answer,) = await world.send(request(method, f"{path}?account=7", body))
            if path == "/":
                assert answer.status == 200, "the page's script reads it"
            elif method != "OPTIONS" and path != "/nothing":
                assert answer.status == 400
            if answer.status == 400 and method != "HEAD":
                assert answer.error["field"] == "account"
                assert "X-Account" in answer.error["message"]
            assert not world.engine.seq

    uvloop.run(main())


@pytest.mark.parametrize("query", ["account=7&account=7", "account=0", "account=", "account=%2B7"])
def test_the_page_is_served_with_any_account_in_its_query(query: str) -> None:
    # tests/system/test_page_input.py: no account acts then, and the page shows why.
    async def main() -> None:
        async with HttpWorld() as world:
            (answer,) = await world.send(request("GET", f"/?{query}"))
            assert answer.status == 200

    uvloop.run(main())


def test_an_account_in_a_trailer_is_not_read() -> None:
    async def main() -> None:
        async with HttpWorld() as world:
            head = request(
                "POST", "/api/v1/orders", b"", "X-Account: 1", "Transfer-Encoding: chunked",
                "Content-Type: application/json", "Trailer: X-Account",
            )  # fmt: skip
            chunks = b"%x\r\n%b\r\n0\r\nX-Account: 2\r\n\r\n" % (len(BODY), BODY)
            (answer,) = await world.send(head + chunks)
            assert answer.status == 400
            assert "trailers" in answer.error["message"]
            assert not world.engine.seq

    uvloop.run(main())


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("?account=7", (), 101),
        ("", ("X-Account: 7",), 101),
        ("?account=7", ("X-Account: 7",), 400),
        ("?account=7", ("X-Account: 8",), 400),
        ("?account=7&account=7", (), 400),
        ("?account=7&%61ccount=8", (), 400),
        ("", ("X-Account: 7", "X-Account: 7"), 400),
        ("?account=07", (), 400),
        ("?account=%C2%B2", (), 400),
        ("?account=+7", (), 400),
        ("?account=2147483648", (), 400),
        ("", ("X-Account: 07",), 400),
        ("?Account=7", (), 400),
    ],
)
def test_a_socket_acts_for_the_one_account_it_names(
    query: str, headers: tuple[str, ...], status: int
) -> None:
    async def main() -> None:
        async with HttpWorld() as world:
            head = request("GET", f"/ws/orders{query}", b"", *SOCKET, *headers)
            head = head.replace(b"Connection: close\r\n", b"")
            (answer, *_) = await world.send(head, ends=True)
            assert answer.status == status
            if status == 400:
                assert b"ccount" in answer.body
            assert len(world.desk.sessions.by_account) == 0, "the connection has ended"

    uvloop.run(main())


@given(st.integers(1, MAX_ACCOUNT))
def test_the_text_of_a_number_is_read_as_that_number(account: int) -> None:
    assert account_number(str(account), "x") == account


@given(st.text(max_size=12))
def test_every_account_that_is_read_is_written_in_one_way(text: str) -> None:
    with contextlib.suppress(Problem):
        assert str(account_number(text, "x")) == text
