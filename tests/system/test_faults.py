"""Faults on request in a running exchange, and the reaction of the project's own clients to
each."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from crossbook import AsyncClient, Client, Faults
from crossbook.common.types import ExecutionKind, RejectReason
from crossbook.errors import OrderRejected, OutcomeUnknown
from tests.system.exchange import Exchange, select_nothing
from tests.system.scrape import value

ME, OTHER = 3, 4
MINE: dict[str, Any] = {"account": ME, "method": "submit"}
PRICE = "50000.00"


@pytest.fixture(name="running", scope="module")
def fixture_running() -> Iterator[Exchange]:
    with Exchange(GATEWAY_ROLES="orders,api,streams", FAULTS="on") as exchange:
        exchange.wait_http()
        yield exchange


@pytest.fixture(name="faults")
def fixture_faults(running: Exchange) -> Iterator[Faults]:
    faults = Faults(running.api)
    yield faults
    faults.clear()
    with Client(running.orders, account=ME) as mine, Client(running.orders, account=OTHER) as other:
        mine.mass_cancel()
        other.mass_cancel()


@pytest.fixture(name="client")
def fixture_client(running: Exchange, faults: Faults) -> Iterator[Client]:
    """A session of account `ME` that waits a second for an answer."""
    with Client(running.orders, account=ME, timeout_s=1.0) as client:
        yield client


def open_ids(client: Client) -> list[str]:
    """The client order ids of the open orders."""
    return [order.client_order_id for order in client.open_orders()]


def buy(client: Client, client_order_id: str) -> Any:
    """The answer to an order that rests."""
    return client.submit("BTC-USDT", "buy", "0.1", "40000.00", client_order_id=client_order_id)


# ZeroMQ: before the matcher


def test_a_refused_order_is_retryable_and_was_not_entered(client: Client, faults: Faults) -> None:
    faults.refuse("BUSY", next=1, **MINE)
    with pytest.raises(OrderRejected, match="refused by fault rule") as caught:
        buy(client, "refused")
    assert caught.value.retryable
    assert open_ids(client) == []
    assert buy(client, "refused").repeated is False


def test_a_delay_within_the_patience_of_a_client_is_only_slow(
    client: Client, faults: Faults
) -> None:
    faults.delay(200, next=1, **MINE)
    began = time.monotonic()
    assert buy(client, "slow").client_order_id == "slow"
    assert time.monotonic() - began >= 0.2


def test_a_delay_beyond_it_is_an_unknown_outcome_that_a_repeat_resolves(
    client: Client, faults: Faults
) -> None:
    faults.delay(1_200, next=1, **MINE)
    with pytest.raises(OutcomeUnknown, match="no answer in time"):
        buy(client, "late")
    # The delayed order and its repeat have the same name: whichever comes first is the only one.
    buy(client, "late")
    select_nothing(0.4)
    assert open_ids(client) == ["late"]


def test_a_closed_session_is_opened_again_and_the_order_entered_once(
    running: Exchange, faults: Faults
) -> None:
    faults.close_connection(next=1, **MINE)
    with Client(running.orders, account=ME, timeout_s=8.0) as client:
        assert buy(client, "closed").client_order_id == "closed"
        assert open_ids(client) == ["closed"]
    assert faults.states()[0].applied == 1


def test_a_client_that_may_not_log_on_names_the_refusal(running: Exchange, faults: Faults) -> None:
    faults.refuse("BUSY", account=ME, method="log_on", message="maintenance until six")
    with (
        pytest.raises(OrderRejected, match="BUSY: maintenance until six"),
        Client(running.orders, account=ME, timeout_s=0.5),
    ):
        pass


# ZeroMQ: after the matcher


@pytest.mark.parametrize("kind", ["answer_unknown", "no_answer"])
def test_an_order_without_its_answer_is_open_and_a_repeat_names_it(
    client: Client, faults: Faults, kind: str
) -> None:
    faults.add(kind, next=1, **MINE)
    with pytest.raises(OutcomeUnknown) as caught:
        buy(client, kind)
    assert caught.value.client_order_id == kind
    assert open_ids(client) == [kind]
    again = buy(client, kind)
    assert again.repeated
    assert open_ids(client) == [kind]


def test_a_second_answer_is_ignored(client: Client, faults: Faults) -> None:
    faults.answer_twice(account=ME)
    first, second = buy(client, "twice-1"), buy(client, "twice-2")
    assert (first.client_order_id, second.client_order_id) == ("twice-1", "twice-2")
    assert faults.applied()["answer_twice"] >= 2


def test_a_late_answer_to_an_abandoned_request_is_ignored(client: Client, faults: Faults) -> None:
    faults.answer_late(1_200, next=1, **MINE)
    with pytest.raises(OutcomeUnknown):
        buy(client, "late-1")
    assert buy(client, "late-2").client_order_id == "late-2"
    select_nothing(0.4)
    assert sorted(open_ids(client)) == ["late-1", "late-2"]


def test_an_asyncio_client_does_the_same(running: Exchange, faults: Faults) -> None:
    async def main() -> None:
        async with AsyncClient(running.orders, account=ME, timeout_s=1.0) as client:
            faults.no_answer(next=1, **MINE)
            with pytest.raises(OutcomeUnknown):
                await client.submit("BTC-USDT", "buy", "0.1", "40000.00", client_order_id="asyncio")
            again = await client.submit(
                "BTC-USDT", "buy", "0.1", "40000.00", client_order_id="asyncio"
            )
            assert again.repeated

    asyncio.run(main())


# ZeroMQ: the user stream


def trade(running: Exchange, client: Client, client_order_id: str) -> Any:
    """The answer to an order that fills at once."""
    with Client(running.orders, account=OTHER) as other:
        other.submit("BTC-USDT", "sell", "0.1", PRICE)
    return client.submit("BTC-USDT", "buy", "0.1", PRICE, client_order_id=client_order_id)


def test_a_silent_stream_hides_a_fill_until_it_is_requested(
    running: Exchange, client: Client, faults: Faults
) -> None:
    faults.executions_silent(account=ME)
    ack = trade(running, client, "silent")
    assert list(client.executions(0.2)) == []
    found = client.catch_up(ack.seq)
    assert [each.kind for each in found if each.seq == ack.seq] == [
        ExecutionKind.NEW, ExecutionKind.FILL,
    ]  # fmt: skip


def test_a_session_that_ends_at_a_fill_is_recovered_with_the_fill(
    running: Exchange, faults: Faults
) -> None:
    with Client(running.orders, account=ME, timeout_s=8.0) as client:
        faults.executions_disconnect(account=ME, next=1)
        ack = trade(running, client, "gone")
        assert ack.repeated
        fills = [each for each in client.executions(0.5) if each.kind == ExecutionKind.FILL]
        assert [each.order_id for each in fills] == [ack.order_id]


def test_a_late_fill_arrives_once(running: Exchange, client: Client, faults: Faults) -> None:
    faults.executions_late(150, account=ME)
    ack = trade(running, client, "late-fill")
    fills = list(client.executions(0.5))
    assert [(each.order_id, each.kind) for each in fills] == [(ack.order_id, ExecutionKind.FILL)]


def test_a_fill_before_its_answer_is_kept(
    running: Exchange, client: Client, faults: Faults
) -> None:
    rule = faults.executions_out_of_order(account=ME, next=1)
    ack = trade(running, client, "first")
    fills = list(client.executions(0.3))
    assert [each.order_id for each in fills] == [ack.order_id]
    assert rule.applied == 1


# REST


def order_body(client_order_id: str) -> dict[str, str]:
    """A limit order that rests."""
    return {
        "symbol": "BTC-USDT",
        "order_type": "limit",
        "side": "buy",
        "quantity": "0.1",
        "price": "40000.00",
        "client_order_id": client_order_id,
    }


@pytest.fixture(name="rest")
def fixture_rest(running: Exchange) -> Iterator[httpx.Client]:
    headers = {"X-Account": str(ME)}
    with httpx.Client(base_url=running.api, headers=headers, timeout=1.0) as client:
        yield client


def test_rest_is_refused_with_a_time_to_wait_and_accepts_then(
    rest: httpx.Client, faults: Faults
) -> None:
    faults.refuse(status=429, retry_after_s=2, account=ME, path="/api/v1/orders", next=1)
    refused = rest.post("/api/v1/orders", json=order_body("rest-429"))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert rest.post("/api/v1/orders", json=order_body("rest-429")).status_code == 201


def test_rest_behind_a_broken_proxy_answers_no_json(rest: httpx.Client, faults: Faults) -> None:
    faults.refuse(status=502, account=ME, next=1)
    answer = rest.post("/api/v1/orders", json=order_body("rest-502"))
    assert answer.status_code == 502
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert rest.post("/api/v1/orders", json=order_body("rest-502")).status_code == 201


def test_rest_loses_its_connection_and_connects_again(rest: httpx.Client, faults: Faults) -> None:
    faults.close_connection(account=ME, next=1)
    with pytest.raises(httpx.RemoteProtocolError):
        rest.post("/api/v1/orders", json=order_body("rest-closed"))
    assert rest.post("/api/v1/orders", json=order_body("rest-closed")).status_code == 201


@pytest.mark.parametrize("kind", ["no_answer", "answer_unknown"])
def test_rest_without_an_answer_is_resolved_by_a_repeat(
    rest: httpx.Client, faults: Faults, kind: str
) -> None:
    faults.add(kind, account=ME, next=1)
    body = order_body(f"rest-{kind}")
    if kind == "no_answer":
        with pytest.raises(httpx.ReadTimeout):
            rest.post("/api/v1/orders", json=body)
    else:
        assert rest.post("/api/v1/orders", json=body).status_code == 504
    assert rest.post("/api/v1/orders", json=body).status_code == 200


# /ws/orders


def send(connection: ClientConnection, client_order_id: str) -> None:
    """Send an order."""
    message = {"id": client_order_id, "method": "submit", "params": order_body(client_order_id)}
    connection.send(json.dumps(message))


def test_a_websocket_is_refused_answered_twice_and_dropped(
    running: Exchange, faults: Faults
) -> None:
    address = f"ws://127.0.0.1:{running.api_port}/ws/orders?account={ME}"
    with connect(address, open_timeout=10) as connection:
        assert json.loads(connection.recv(10))["type"] == "welcome"
        with faults.refuse("MAINTENANCE", interface="websocket", account=ME):
            send(connection, "ws-1")
            failure = json.loads(connection.recv(10))
            assert (failure["status"], failure["error"]["code"]) == (503, "MAINTENANCE")
        with faults.answer_twice(interface="websocket", account=ME):
            send(connection, "ws-2")
            kinds = [json.loads(connection.recv(10))["type"] for _ in range(3)]
            assert kinds == ["execution", "answer", "answer"]
        faults.executions_disconnect(account=ME, next=1)
        send(connection, "ws-3")
        with pytest.raises(ConnectionClosed):
            connection.recv(10)


def test_a_handshake_is_refused_while_its_rule_is_in_force(
    running: Exchange, faults: Faults
) -> None:
    address = f"ws://127.0.0.1:{running.api_port}/ws/trades/BTC-USDT"
    with faults.refuse(status=503, interface="handshake", path="/ws/*"):
        for _ in range(2):
            with pytest.raises(InvalidStatus, match="503"), connect(address, open_timeout=10):
                pass
    with connect(address, open_timeout=10):
        pass


# Counts


def test_every_fault_is_counted_in_metrics_and_cleared_at_once(
    running: Exchange, client: Client, faults: Faults
) -> None:
    faults.refuse("BUSY", next=2, **MINE)
    before = faults.applied()["refuse"]
    for _ in range(2):
        with pytest.raises(OrderRejected) as caught:
            buy(client, "counted")
        assert caught.value.reason is RejectReason.BUSY
    api = running.api
    assert value(api, "crossbook_gateway_faults_total", kind="refuse") == before + 2
    assert value(api, "crossbook_gateway_fault_rules") == 1
    assert faults.clear() == 1
    assert value(api, "crossbook_gateway_fault_rules") == 0
    assert faults.silent() == []


def test_a_gateway_of_streams_alone_applies_rules_too() -> None:
    with Exchange(GATEWAY_ROLES="streams", FAULTS="on", ready=False) as exchange:
        for name in ("matcher", "publisher", "gateway"):
            exchange.start(name)
        exchange.wait_until("it answers", lambda: answers(exchange))
        faults = Faults(exchange.api)
        faults.refuse(status=503, path="/health", next=1)
        statuses = [httpx.get(f"{exchange.api}/health").status_code for _ in range(2)]
        assert statuses == [503, 200]
        assert httpx.get(f"{exchange.api}/ready").json()["faults"] == {"rules": 1, "applied": 1}


def answers(exchange: Exchange) -> bool:
    """Whether the gateway has an answer."""
    try:
        return httpx.get(f"{exchange.api}/health").status_code == 200
    except httpx.TransportError:
        return False
