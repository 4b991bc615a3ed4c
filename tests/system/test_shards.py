"""Two matchers behind one gateway, as real processes: one is killed while the other trades on."""

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import pytest

from crossbook import Client, MarketData, OrderRejected, OutcomeUnknown
from crossbook.common.errors import CrossbookError
from crossbook.common.messages.entry import Execution
from crossbook.common.shards import shard_of
from crossbook.common.types import RejectReason
from tests.system.exchange import Exchange
from tests.system.scrape import wait_for
from tests.system.sharded import OF_A_SHARD, of_every_shard, sharded

FIRST, SECOND = "BTC-USDT", "ETH-USDT"
"""An instrument of each shard."""


def client_of(exchange: Exchange, account: int) -> Client:
    """A client that has received an answer of both matchers."""
    client = Client(exchange.orders, account, timeout_s=10.0)

    def both_answer() -> bool:
        with contextlib.suppress(CrossbookError):
            return client.mass_cancel(FIRST).seq > 0 and client.mass_cancel(SECOND).seq > 0
        return False

    exchange.wait_until("both matchers answer", both_answer, 30)
    return client


def test_one_matcher_is_killed_and_nothing_is_lost_or_doubled() -> None:
    with (
        sharded(2, ("matcher", "matcher-1", "gateway")) as exchange,
        client_of(exchange, 7) as client,
    ):
        kept = client.submit(SECOND, "sell", "1", "4000", client_order_id="kept")
        other_one = client.submit(FIRST, "buy", "1", "9")
        assert (shard_of(kept.order_id), shard_of(other_one.order_id)) == (1, 0)
        position = client.last_seqs[1]
        exchange.kill("matcher-1")
        exchange.wait_until("the gateway has it", lambda: _is_busy(exchange), 10)
        first = [client.submit(FIRST, "buy", "1", str(10 + n)).seq for n in range(50)]
        assert first == list(range(first[0], first[0] + 50))
        exchange.start("matcher-1")
        exchange.wait_until("the second matcher is back", lambda: _takes(client, "back"), 20)
        repeated = client.submit(SECOND, "sell", "1", "4000", client_order_id="kept")
        assert repeated.repeated
        assert repeated.order_id == kept.order_id
        with client_of(exchange, 8) as other:
            filled = other.submit(SECOND, "buy", "1", "4000")
            assert [each.kind for each in _of(other, filled.seq)] == [2]
        outcome = client.catch_up(position)
        assert [each.order_id for each in outcome if each.kind == 2] == [kept.order_id]
        assert all(shard_of(each.seq) == 1 for each in outcome)
        names = {each.client_order_id for each in client.open_orders(SECOND)}
        assert names == {"back"}
        assert len(client.open_orders()) == 52
        assert client.mass_cancel().count == 52


def _is_busy(exchange: Exchange) -> bool:
    """Whether a command for the second shard is refused at once. The command is a cancel that
    changes nothing."""
    with Client(exchange.orders, 9, timeout_s=0.5) as client:
        try:
            client.cancel(SECOND, 1)
        except OrderRejected as refused:
            return refused.reason == RejectReason.BUSY
        except OutcomeUnknown:
            # It was sent before the gateway detected the loss.
            return False
    return False


def _takes(client: Client, name: str) -> bool:
    with contextlib.suppress(OrderRejected):
        return client.submit(SECOND, "sell", "1", "4002", client_order_id=name).order_id > 0
    return False


def _of(client: Client, seq: int) -> list[Execution]:
    """The executions of a number."""
    for execution in client.executions(2.0):
        if execution.seq == seq:
            return [execution]
    return []


@pytest.mark.slow
def test_api_page_streams_and_history_are_those_of_both_shards() -> None:
    processes = [*of_every_shard(2, OF_A_SHARD), "gateway"]
    roles = "orders,api,streams"
    with sharded(2, processes, GATEWAY_ROLES=roles, ACCOUNTS="on") as exchange:
        exchange.wait_http()
        ids = [
            _post(exchange, {"symbol": symbol, "side": side, "order_type": "limit",
                             "quantity": "1", "price": "4000.00"})["order_id"]
            for symbol in (FIRST, SECOND)
            for side in ("buy", "sell")
        ]  # fmt: skip
        assert [shard_of(int(order_id[4:])) for order_id in ids] == [0, 0, 1, 1]
        assert _delete_all(exchange) == 2
        exchange.wait_until("ended orders are recorded", lambda: len(_ended(exchange)) == 4)
        assert {order["order_id"] for order in _ended(exchange)} == set(ids)
        assert len(_get(exchange, "fills")["fills"]) == 0
        maker = {"symbol": SECOND, "side": "buy", "order_type": "limit", "quantity": "2",
                 "price": "3900.00"}  # fmt: skip
        order_id = _post(exchange, maker)["order_id"]
        _post(exchange, {**maker, "side": "sell", "order_type": "ioc"}, account="2")
        assert _get(exchange, f"orders/{order_id}")["order_status"] == "FILLED"
        assert [fill["symbol"] for fill in _get(exchange, "fills")["fills"]] == [SECOND]
        [trade] = _get(exchange, f"trades/{SECOND}")["trades"]
        assert trade["quantity"] == "2.0000"
        assert _get(exchange, f"trades/{FIRST}")["trades"] == []
        assert [_get(exchange, f"orderbook/{each}")["symbol"] for each in (FIRST, SECOND)]
        with MarketData(*exchange_addresses(exchange)) as market:
            market.wait_ready(10.0)
            assert {FIRST, SECOND} <= set(market.instruments)
        wait_for(exchange, "crossbook_up", 1, process="recorder-1")
        wait_for(exchange, "crossbook_up", 1, process="matcher-1")
        metrics = urllib.request.urlopen(f"{exchange.api}/metrics").read().decode()
        assert 'crossbook_matcher_commands_total{shard="1"}' in metrics
        assert 'crossbook_up{process="recorder-1"} 1.0' in metrics
        assert _get(exchange, "account")["balances"]
        _the_command_line_sees_both(exchange)
        exchange.kill("matcher-1")
        exchange.wait_until("not ready", lambda: not _ready(exchange), 10)
        assert _post(exchange, {**maker, "symbol": FIRST})["status"] == "accepted"


def _the_command_line_sees_both(exchange: Exchange) -> None:
    status = _cli(exchange, "status", "--json")
    assert {"matcher", "matcher-1", "publisher", "publisher-1"} <= set(status)
    assert all(part["reachable"] for name, part in status.items() if name != "reachable")
    assert shard_of(status["matcher-1"]["seq"]) == 1
    assert _cli(exchange, "trades", SECOND, "--json")["quantity"] == "2.0000"
    assert {_cli(exchange, "book", symbol, "--once", "--json")["symbol"]
            for symbol in (FIRST, SECOND)} == {FIRST, SECOND}  # fmt: skip
    halted = _cli(exchange, "admin", "state", SECOND, "halted", "--json")
    assert shard_of(halted["seq"]) == 1
    assert _cli(exchange, "admin", "state", SECOND, "open", "--json")["state"] == "open"
    paid = ("admin", "deposit", "7", "USDT", "5", "--json")
    assert "--shard" in _cli(exchange, *paid, status=2)["error"]["message"]
    assert shard_of(_cli(exchange, *paid, "--shard", "1")["seq"]) == 1
    outcome = _cli(exchange, "admin", "status", "--of", "7", "--json")
    dollars = {
        each["shard"]: each["total"] for each in outcome["balances"] if each["asset"] == "USDT"
    }
    assert float(dollars[1]) == float(dollars[0]) + 5
    assert {each["asset"] for each in outcome["balances"] if each["shard"] == 0} == {
        "BTC", "SOL", "USDT", "MSFT", "USD"
    }  # fmt: skip
    assert len(outcome["instruments"]) == 5
    flow = _cli(exchange, "simulate", "--duration", "3", "--rate", "2000", "--json")
    assert flow["resets"] == 0


def _cli(exchange: Exchange, *arguments: str, status: int = 0) -> Any:
    """The JSON output of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "crossbook", *arguments],
        env=exchange.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout or done.stderr)


def exchange_addresses(exchange: Exchange) -> tuple[str, str]:
    """Feeds and snapshots of both shards."""
    return exchange.feed, exchange.snapshots


def _post(exchange: Exchange, body: dict[str, str], account: str = "1") -> Any:
    headers = {"Content-Type": "application/json", "X-Account": account}
    request = urllib.request.Request(
        f"{exchange.api}/api/v1/orders", json.dumps(body).encode(), headers
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def _delete_all(exchange: Exchange) -> Any:
    """Cancel all orders; how many there were."""
    request = urllib.request.Request(f"{exchange.api}/api/v1/orders", method="DELETE")
    with urllib.request.urlopen(request, timeout=10) as answer:
        document = json.load(answer)
        assert len(document["order_ids"]) == document["count"]
        return document["count"]


def _get(exchange: Exchange, path: str) -> Any:
    with urllib.request.urlopen(f"{exchange.api}/api/v1/{path}", timeout=10) as answer:
        return json.load(answer)


def _ended(exchange: Exchange) -> Any:
    return _get(exchange, "orders?status=ended")["orders"]


def _ready(exchange: Exchange) -> bool:
    try:
        with urllib.request.urlopen(f"{exchange.api}/ready", timeout=10):
            return True
    except urllib.error.HTTPError:
        return False
