"""Orders over HTTP: rate, latency, and the cost of the framework, of signatures and of the face.

Connections with one request each at a time; the same order in turns through `POST /api/v1/orders`,
which the gateway serves past the framework, as the only order of `POST /api/v1/orders/batch`, which
the framework serves, and signed with a key (HMAC-SHA256) to an exchange with `AUTH=on`. The face
for Binance clients receives the same order with the signature of a demo key.
"""

import asyncio
import hmac
import re
import time
from array import array
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import uvloop
from msgspec import Struct

from bench import histogram, machine
from bench.histogram import Summary
from bench.latency import UNLIMITED
from crossbook.request_signer import RequestSigner
from tests.system.exchange import Exchange
from tests.system.keyed import KeyedExchange

_ORDER: Final = (
    b'{"symbol":"BTC-USDT","order_type":"ioc","side":"buy","quantity":"0.1","price":"50000.00"}'
)
SIGNED: Final = "past it, signed"
FACE: Final = "Binance face, signed"
ROUTES: Final = {
    "past the framework": ("/api/v1/orders", _ORDER),
    "through it": ("/api/v1/orders/batch", b'{"orders":[' + _ORDER + b"]}"),
    SIGNED: ("/api/v1/orders", _ORDER),
    FACE: (
        "/api/v3/order",
        b"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.1&price=50000.00",
    ),
}
_TAKEN: Final = re.compile(rb'HTTP/1\.1 20[01] .*"status":"(accepted|EXPIRED)"', re.DOTALL)
_CONTENT_LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)

METHOD: Final = {
    "load": "each connection sends its next order when the last one is answered (closed loop)",
    "orders": "IOC buys into an empty book: accepted, journaled, synced, expired, answered",
    "latency": "write of the request to the last byte of its answer",
    "signed": "every request by the load generator, between two answers, on the same cores",
    "turns": "the routes in turn, of two exchanges that run side by side; medians over the turns",
}


class RouteTurn(Struct, frozen=True):
    """One turn of one route."""

    route: str
    connections: int
    answered: int
    per_s: int
    latency: Summary


class HttpReport(Struct, frozen=True):
    """Result of `python -m bench http`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    turns: list[RouteTurn]


class _Connection(asyncio.Protocol):
    """One keep-alive connection; sends its next request when an answer has arrived."""

    def __init__(self, request: Callable[[], bytes], latencies: "array[int]") -> None:
        self._request = request
        self._latencies = latencies
        self._answer = b""
        self._sent_ns = 0
        self.failed = ""
        self.going = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self.transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """A part of an answer, or all of it."""
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        size = _CONTENT_LENGTH.search(head)
        if not end or size is None or len(body) < int(size[1]):
            return
        self._latencies.append(time.monotonic_ns() - self._sent_ns)
        if _TAKEN.match(self._answer) is None:
            self.failed = self._answer[:200].decode(errors="replace")
        elif self.going:
            self._send()

    def _send(self) -> None:
        self._answer = b""
        request = self._request()
        self._sent_ns = time.monotonic_ns()
        self.transport.write(request)


def _face_request(path: str, order: bytes) -> bytes:
    """The order of the demo key of account 1, signed now, in the query as most clients send it."""
    payload = b"%b&timestamp=%d" % (order, time.time_ns() // 1_000_000)
    signature = hmac.new(b"demo-secret-1", payload, "sha256").hexdigest()
    query = f"{payload.decode()}&signature={signature}"
    return _request(f"{path}?{query}", b"", {"X-MBX-APIKEY": "demo-1"})


def _request(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{lines}\r\n"
    ).encode() + body


async def _turn(
    port: int,
    route: tuple[str, bytes],
    connections: int,
    seconds: float,
    signer: RequestSigner | None,
) -> "array[int]":
    path, body = route
    unsigned = _request(path, body, {})

    def request() -> bytes:
        if route == ROUTES[FACE]:
            return _face_request(path, body)
        if signer is None:
            return unsigned
        return _request(path, body, signer.headers("POST", path, body))

    latencies: array[int] = array("q")
    loop = asyncio.get_running_loop()
    made = [
        (await loop.create_connection(lambda: _Connection(request, latencies), "127.0.0.1", port))[
            1
        ]
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    for connection in made:
        connection.going = False
    await asyncio.sleep(0.2)
    for connection in made:
        connection.transport.abort()
        if connection.failed:
            raise RuntimeError(f"an order was not accepted: {connection.failed}")
    return latencies


def run(connections: tuple[int, ...], seconds: float, repeats: int) -> HttpReport:
    """Start an exchange and load it."""
    described = machine.describe()
    turns: list[RouteTurn] = []
    settings: dict[str, Any] = {
        "GATEWAY_ROLES": "orders,api,binance",
        "HEARTBEAT_MS": "500",
        "LOG_LEVEL": "WARNING",
    }
    with Exchange(**settings) as exchange, KeyedExchange(**settings, **UNLIMITED) as keyed:
        exchange.wait_http()
        signer = keyed.add_key("bench", 1)
        for count in connections:
            for _ in range(repeats):
                for route, request in ROUTES.items():
                    port, own = exchange.api_port, None
                    if route == SIGNED:
                        port, own = keyed.api_port, signer
                    latencies = uvloop.run(_turn(port, request, count, seconds, own))
                    per_s = round(len(latencies) / seconds)
                    summary = histogram.summarize(latencies)
                    turns.append(RouteTurn(route, count, len(latencies), per_s, summary))
    return HttpReport("http", described, METHOD, turns)


def show(report: HttpReport) -> None:
    """Print the medians."""
    print("orders over HTTP, durable")
    print(machine.line(report.machine))
    for name, text in report.method.items():
        print(f"  {name}: {text}")
    print(f"{'connections':>11}  {'route':<22}{'orders/s':>10}{'p50 ms':>9}{'p99 ms':>9}")
    for count in dict.fromkeys(turn.connections for turn in report.turns):
        rates = {}
        for route in ROUTES:
            turns = [
                turn for turn in report.turns if (turn.connections, turn.route) == (count, route)
            ]
            middle = sorted(turns, key=lambda turn: turn.per_s)[len(turns) // 2]
            rates[route] = middle.per_s
            print(
                f"{count:>11}  {route:<22}{middle.per_s:>10,}"
                f"{middle.latency.p50_us / 1000:>9.2f}{middle.latency.p99_us / 1000:>9.2f}"
            )
        share = rates[SIGNED] / rates["past the framework"]
        print(f"{count:>11}  signed / unsigned {share:.2f}")
        print(f"{count:>11}  face / native, both signed {rates[FACE] / rates[SIGNED]:.2f}")
