"""A reset exchange shows the same as a fresh one on every interface, and starts no process."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final
from urllib.request import urlopen

import pytest
import zmq
from msgspec.structs import asdict
from websockets.sync.client import connect

from crossbook.common.messages.codec import decode_feed_reply, encode
from crossbook.common.messages.commands import SetFees, SetInstrumentState
from crossbook.common.messages.feed import InstrumentsRequest, SnapshotRequest
from crossbook.common.types import InstrumentState
from crossbook.testing import Exchange, Fill

SYMBOL: Final = "BTC-USDT"
ACCOUNTS: Final = (1, 7, 2_000_000_001)
STREAMS: Final = ("market-data/{}", "trades/{}", "candles/{}?interval=1m", "ticker/{}")
VALUES: Final = {
    "symbol": SYMBOL,
    "order_id": "ORD-0000000001",
    "client_order_id": "mine",
    "interval": "1m",
}
"""Values of the parameters of requests."""

STATE: Final = re.compile(
    r"_(order|trade|fill|account|session|reject|command|event|fault|candle|seq|row)s?(?:[_{]|$)"
)
LIFE: Final = re.compile("second|bytes|bucket|process_")
"""Metrics of the acts of an exchange, and those of them that differ from start to start."""


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    with Exchange(clock="manual") as made:
        yield made


@pytest.fixture
def fresh() -> Iterator[Exchange]:
    with Exchange(clock="manual") as made:
        yield made


def trade_and_break(exchange: Exchange, stack: ExitStack) -> None:
    """Leave a mark on everything that an exchange keeps, and connections that stay open."""
    exchange.book(SYMBOL, bids=[("49999.00", "3")], asks=[("50001.00", "3")])
    exchange.account(7, USDT="123456", BTC="3")
    client = exchange.client(7)
    client.submit(SYMBOL, "buy", "0.5", "50001.00", client_order_id="mine")
    client.submit(SYMBOL, "buy", "0.5", "40000.00", client_order_id="rests")
    client.submit(SYMBOL, "sell", "1", "8000.00", order_type="stop_limit", stop_price="8000.00")
    client.cancel_after(86_400)
    exchange.advance("2h")
    for stream in STREAMS:
        address = f"{exchange.websocket_url}/{stream.format(SYMBOL)}"
        stack.enter_context(connect(address)).recv()
    ethereum = exchange.instruments["ETH-USDT"].id
    exchange.admin.act(
        SetInstrumentState(
            gateway=0, request_seq=0, account=0, instrument=ethereum, state=InstrumentState.HALTED
        )
    )
    exchange.admin.act(
        SetFees(
            gateway=0,
            request_seq=0,
            account=0,
            instrument=ethereum,
            maker_fee_rate=7,
            taker_fee_rate=11,
        )
    )
    for kind, fields in (
        ("delay", {"milliseconds": 60_000, "account": 9}),
        ("feed_drop", {"symbol": "ETH-USDT"}),
        ("auction", {"symbol": "MSFT-USD"}),
        ("clock_shifted", {"shift_ms": 5_000}),
        ("process_killed", {"process": "publisher", "after_ms": 60_000}),
    ):
        exchange.faults.add(kind, **fields)
    assert len(exchange.fills(7)) == 1


def shown(exchange: Exchange) -> dict[str, Any]:
    """Everything that the interfaces of an exchange show, without addresses and ids of a life."""
    found = shown_by_http(exchange)
    for stream in STREAMS:
        with connect(f"{exchange.websocket_url}/{stream.format(SYMBOL)}") as connection:
            found[stream] = json.loads(connection.recv())
    for account in ACCOUNTS:
        with connect(f"{exchange.websocket_url}/orders?account={account}") as connection:
            found[f"orders of {account}"] = json.loads(connection.recv())
        view = asdict(exchange.admin.view(account))
        found[f"account {account}"] = {
            name: value for name, value in view.items() if name not in ("request_id", "clock_ns")
        }
    found["feed"] = shown_by_feed(exchange)
    found["metrics"] = shown_by_metrics(exchange)
    client = exchange.client(7)
    found["executions"] = client.catch_up(0)
    again = client.submit(SYMBOL, "buy", "0.5", "40000.00", client_order_id="mine")
    found["the same client order id"] = (again.seq, again.order_id)
    return found


def shown_by_http(exchange: Exchange) -> dict[str, Any]:
    _, document = exchange.request("GET", "/openapi.json")
    found: dict[str, Any] = {}
    for path, item in document["paths"].items():
        if "get" not in item:
            continue
        needed = [
            each["name"]
            for each in item["get"].get("parameters", ())
            if each["in"] == "query" and each["required"]
        ]
        query = "&".join(f"{name}={VALUES[name]}" for name in needed)
        address = re.sub(r"\{(\w+)\}", lambda match: VALUES[match[1]], path)
        if path == "/metrics":
            continue
        for account in ACCOUNTS:
            found[f"{path} of {account}"] = exchange.request(
                "GET", f"{address}?{query}" if query else address, account=account
            )
    found["/api/v1/admin/faults"] = exchange.request("GET", "/api/v1/admin/faults")
    text = json.dumps(found)
    # The ids of refused requests count those of the way to ready, too.
    text = re.sub(r'"request_id": "[^"]*"', '"request_id": ""', text)
    shown: dict[str, Any] = json.loads(text)
    return shown


def shown_by_metrics(exchange: Exchange) -> dict[str, str]:
    with urlopen(f"{exchange.http_url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {
        name: value
        for name, value in samples.items()
        if STATE.search(name) and not LIFE.search(name)
    }


def shown_by_feed(exchange: Exchange) -> list[Any]:
    """The instruments and every book, with the numbers of topics in this life of the publisher."""
    found: list[Any] = []
    with zmq.Context() as context, context.socket(zmq.DEALER) as requests:
        requests.linger = 0
        requests.connect(exchange.snapshots_address)
        sent: list[Any] = [InstrumentsRequest(1)]
        sent += [SnapshotRequest(n, name, True) for n, name in enumerate(exchange.instruments, 2)]
        for request in sent:
            requests.send(encode(request))
            assert requests.poll(5_000)
            reply = asdict(decode_feed_reply(requests.recv()))
            if "topics" in reply:
                reply["topics"] = {name: seq % 2**30 for name, seq in reply["topics"].items()}
            found.append(reply)
    return found


def test_a_reset_exchange_shows_what_a_fresh_one_does(exchange: Exchange, fresh: Exchange) -> None:
    with ExitStack() as stack:
        trade_and_break(exchange, stack)
        exchange.reset()
        found, expected = shown(exchange), shown(fresh)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == value, name


def test_a_test_has_the_same_digest_after_a_reset(exchange: Exchange) -> None:
    digests = []
    for _ in range(2):
        exchange.reset()
        exchange.book(SYMBOL, bids=[("49999.00", "3")], asks=[("50001.00", "3")])
        exchange.advance("1h")
        exchange.client(7).submit(SYMBOL, "buy", "0.5", "50001.00", client_order_id="mine")
        assert exchange.fills(7) == [Fill(SYMBOL, "buy", "0.5", "50001.00")]
        digests.append(exchange.journal_digest())
    assert digests[0] == digests[1]
