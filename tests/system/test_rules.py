"""The market's rules through real processes: order entry, the command line's admin, money, time."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crossbook import Client, MarketData, OrderRejected
from crossbook.common.messages.entry import Execution
from crossbook.common.types import ExecutionKind, OrderStatus, RejectReason
from tests.system.exchange import REPOSITORY, Exchange

SYMBOL = "BTC-USDT"
WAIT_S = 10.0


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    with Exchange(ACCOUNTS="on") as running:
        yield running


def admin(exchange: Exchange, *words: str, status: int = 0) -> dict[str, Any]:
    """Run `crossbook admin`; returns its JSON."""
    result = subprocess.run(
        [sys.executable, "-m", "crossbook", "admin", *words, "--json", "--admin",
         exchange.addresses["MATCHER_ADMIN"]],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == status, result.stdout + result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def awaited(client: Client, is_awaited: Callable[[Execution], bool]) -> Execution:
    """The next execution that `is_awaited` accepts; those before it are dropped."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        for execution in client.executions(timeout_s=0.1):
            if is_awaited(execution):
                return execution
    raise AssertionError("no report names it")


def held(client: Client, asset: str) -> int:
    return next((each.held_units for each in client.balances() if each.asset == asset), 0)


def test_a_newcomers_first_order_works_and_holds_money(exchange: Exchange) -> None:
    with Client(exchange.orders, account=101) as client:
        assert held(client, "USDT") == 0
        ack = client.submit(SYMBOL, "buy", "0.5", "10000.00")
        assert held(client, "USDT") == 5_000 * 10**8
        client.cancel(SYMBOL, ack.order_id)
        assert held(client, "USDT") == 0
        with pytest.raises(OrderRejected) as refused:
            client.submit(SYMBOL, "buy", "2000", "10000.00")
        assert refused.value.reason == RejectReason.INSUFFICIENT_BALANCE


def test_an_order_expires_without_any_message(exchange: Exchange) -> None:
    with Client(exchange.orders, account=102) as client:
        soon = time.time_ns() + 300_000_000
        ack = client.submit(SYMBOL, "buy", "0.1", "9000.00", time_in_force="gtd", expire_time=soon)
        gone = awaited(client, lambda each: each.order_id == ack.order_id)
        assert (gone.kind, gone.status) == (ExecutionKind.EXPIRED, OrderStatus.EXPIRED)
        assert gone.reason == RejectReason.EXPIRE_TIME
        assert gone.time_ns >= soon


def test_cancel_after_and_cancel_on_disconnect_cancel_by_themselves(exchange: Exchange) -> None:
    with Client(exchange.orders, account=103) as client:
        ack = client.submit(SYMBOL, "buy", "0.1", "9000.00")
        client.cancel_after(0.3)
        gone = awaited(client, lambda each: each.order_id == ack.order_id)
        assert gone.reason == RejectReason.CANCEL_AFTER
    with MarketData(
        exchange.feed, exchange.snapshots, symbols=[SYMBOL], channels=("l2",)
    ) as market:
        market.wait_ready(WAIT_S)
        with Client(exchange.orders, account=104, cancel_on_disconnect=True) as client:
            client.submit(SYMBOL, "buy", "0.1", "8123.45")
            _wait_for_level(market, 812_345, 10_000)
        _wait_for_level(market, 812_345, 0)


def _wait_for_level(market: MarketData, price_ticks: int, lots: int) -> None:
    deadline = time.monotonic() + 2 * WAIT_S
    while time.monotonic() < deadline:
        market.poll(0.1)
        if dict(market.book(SYMBOL).bids()).get(price_ticks, 0) == lots:
            return
    raise AssertionError(f"the level at {price_ticks} never had {lots} lots")


def test_a_stop_is_elected_and_an_own_order_gives_way(exchange: Exchange) -> None:
    with Client(exchange.orders, account=106) as maker, Client(exchange.orders, 107) as taker:
        maker.submit(SYMBOL, "sell", "0.1", "20000.00")
        maker.submit(SYMBOL, "sell", "0.2", "20001.00")
        waits = taker.submit(SYMBOL, "buy", "0.1", order_type="stop", stop_price="20000.00")
        (waiting,) = taker.open_orders()
        assert (waiting.order_id, waiting.working) == (waits.order_id, False)
        taker.submit(SYMBOL, "buy", "0.1", "20000.00")
        elected = awaited(taker, lambda each: each.order_id == waits.order_id)
        assert elected.kind == ExecutionKind.TRIGGERED
        filled = awaited(taker, lambda each: each.order_id == waits.order_id)
        assert (filled.kind, filled.price_ticks) == (ExecutionKind.FILL, 2_000_100)
        own = maker.submit(SYMBOL, "buy", "0.1", "20001.00")
        ended = awaited(maker, lambda each: each.order_id == own.order_id)
        assert ended.status == OrderStatus.EXPIRED_IN_MATCH
        maker.mass_cancel()


def test_the_administrator_reads_the_clock_and_accepts_it(exchange: Exchange) -> None:
    status = admin(exchange, "status")
    assert status["clock_refused"] is False
    assert status["time"][:10] == status["clock"][:10]
    (accepted,) = admin(exchange, "accept-time")["shards"]
    assert accepted["refused"] is False
    assert accepted["stamped_before"] <= accepted["clock"]


def test_the_administrator_halts_uncrosses_pays_in_and_adds_an_instrument(
    exchange: Exchange,
) -> None:
    assert admin(exchange, "state", SYMBOL, "halted")["state"] == "halted"
    with Client(exchange.orders, account=108) as client:
        with pytest.raises(OrderRejected) as refused:
            client.submit(SYMBOL, "buy", "0.1", "9000.00")
        assert refused.value.reason == RejectReason.MARKET_HALTED
        admin(exchange, "state", SYMBOL, "auction")
        client.submit(SYMBOL, "buy", "0.3", "30000.00")
        client.submit(SYMBOL, "sell", "0.2", "29000.00")
        assert admin(exchange, "uncross", SYMBOL)["quantity"] == "0.20000"
        client.mass_cancel()
    paid = admin(exchange, "deposit", "109", "USDT", "5", "--transfer-id", "t1")
    assert paid["balance"] == "10000005.00000000"
    again = admin(exchange, "deposit", "109", "USDT", "5", "--transfer-id", "t1", status=1)
    assert again["error"]["code"] == "DUPLICATE_TRANSFER"
    text = (REPOSITORY / "instruments.toml").read_text().partition("[[instrument]]")
    added = text[2].partition("[[instrument]]")[0].replace("BTC-USDT", "BTC-NEW")
    added = added.replace("id = 1", "id = 77")
    file = exchange.directory / "more.toml"
    file.write_text(text[0] + text[1] + added)
    admin(exchange, "add-instrument", "BTC-NEW", "--file", str(file))
    with Client(exchange.orders, account=110) as client:
        assert client.submit("BTC-NEW", "buy", "0.1", "9000.00").order_id
    states = {each["symbol"]: each["state"] for each in admin(exchange, "status")["instruments"]}
    assert states["BTC-NEW"] == states[SYMBOL] == "open"


def test_a_cancel_of_all_orders_has_to_be_explicit(exchange: Exchange) -> None:
    with Client(exchange.orders, account=112) as client:
        ack = client.submit(SYMBOL, "buy", "0.1", "9000.00")
        for words in ((), ("--side", "buy"), ("--symbol", ""), ("--of", "0")):
            refused = admin(exchange, "cancel-all", *words, status=2)
            assert refused["error"]["code"] == "USAGE"
        assert [order.order_id for order in client.open_orders()] == [ack.order_id]
        assert admin(exchange, "cancel-all", "--of", "113")["canceled_orders"] == 0
        assert admin(exchange, "cancel-all", "--all")["canceled_orders"] >= 1
        assert client.open_orders() == []


def test_the_refusal_of_an_act_has_its_limit(exchange: Exchange) -> None:
    refused = admin(exchange, "withdraw", "109", "USDT", "20000000", status=1)
    assert refused["error"]["code"] == "INSUFFICIENT_BALANCE"
    assert refused["error"]["message"] == (
        "the account has too little USDT that no open order holds; nothing was changed"
    )


def test_state_of_all_rules_survives_a_restart(exchange: Exchange) -> None:
    with Client(exchange.orders, account=111) as client:
        ack = client.submit(
            SYMBOL, "sell", "0.5", "40000.00", display_quantity="0.1", client_order_id="ice"
        )
        exchange.kill("matcher")
        exchange.start("matcher")
        exchange.wait_ready()
        (order,) = client.open_orders()
        assert (order.order_id, order.display_lots) == (ack.order_id, 10_000)
        assert held(client, "BTC") == 5_000_000_000
        assert client.submit("BTC-NEW", "buy", "0.1", "9000.00").order_id
