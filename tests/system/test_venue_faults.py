"""Faults of the venue in a running exchange: instruments, disk, clock and processes."""

import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from crossbook import Client, InstrumentState, MarketData, OrderRejected, OutcomeUnknown
from crossbook.client.admin_client import AdminClient
from crossbook.client.faults import Faults
from crossbook.common.messages.commands import SetInstrumentState
from crossbook.common.types import RejectReason
from crossbook.errors import FaultRefused
from crossbook.testing import Exchange as OwnExchange
from tests.system.exchange import Exchange, select_nothing
from tests.system.scrape import value

SYMBOL, OTHER = "BTC-USDT", "ETH-USDT"
WAIT_S = 10.0


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


@pytest.fixture(name="client")
def fixture_client(running: Exchange, faults: Faults) -> Iterator[Client]:
    with Client(running.orders, account=5, timeout_s=WAIT_S) as client:
        yield client
        faults.clear()
        client.mass_cancel()


def until(is_true: Callable[[], Any]) -> None:
    """Return once something is true."""
    deadline = time.monotonic() + WAIT_S
    while not is_true():
        assert time.monotonic() < deadline
        select_nothing(0.02)


def state(running: Exchange, symbol: str = SYMBOL) -> InstrumentState:
    """The state of an instrument, as its administrator reads it."""
    with AdminClient(running.addresses["MATCHER_ADMIN"]) as admin:
        found = {each.definition.symbol: each.state for each in admin.view().instruments}
    return InstrumentState(found[symbol])


def set_state(running: Exchange, requested: InstrumentState) -> None:
    """Set the state of an instrument as an administrator."""
    with AdminClient(running.addresses["MATCHER_ADMIN"]) as admin:
        admin.act(
            SetInstrumentState(gateway=0, request_seq=0, account=0, instrument=1, state=requested)
        )


def test_a_halted_instrument_refuses_orders_and_accepts_cancels(
    running: Exchange, client: Client, faults: Faults
) -> None:
    client.submit(SYMBOL, "buy", "0.1", "40000.00", client_order_id="kept")
    rule = faults.halt(SYMBOL)
    assert state(running) is InstrumentState.HALTED
    assert state(running, OTHER) is InstrumentState.OPEN
    with pytest.raises(OrderRejected, match="HALTED"):
        client.submit(SYMBOL, "buy", "0.1", "40000.00")
    client.cancel(SYMBOL, client_order_id="kept")
    assert rule.applied == 1
    assert httpx.get(f"{running.api}/ready").json()["faults"]["rules"] == 1
    faults.clear()
    assert httpx.get(f"{running.api}/ready").json()["faults"]["rules"] == 0
    assert state(running) is InstrumentState.OPEN
    client.submit(SYMBOL, "buy", "0.1", "40000.00")


def test_market_data_shows_the_halt(running: Exchange, client: Client, faults: Faults) -> None:
    feed, snapshots = (running.addresses[f"PUBLISHER_{n}"] for n in ("FEED", "SNAPSHOTS"))
    with MarketData(feed, snapshots, [SYMBOL]) as market:
        market.wait_ready(WAIT_S)

        def shown() -> InstrumentState | None:
            market.poll(0.05)
            found = market.state(SYMBOL)
            return None if found is None else InstrumentState(found.state)

        faults.halt()
        until(lambda: shown() is InstrumentState.HALTED)
        faults.clear()
        until(lambda: shown() is InstrumentState.OPEN)


def test_orders_gather_in_an_auction_and_trade_when_it_is_cleared(
    running: Exchange, client: Client, faults: Faults
) -> None:
    with faults.auction(SYMBOL), Client(running.orders, account=6) as seller:
        client.submit(SYMBOL, "buy", "0.1", "50000.00", client_order_id="auction")
        seller.submit(SYMBOL, "sell", "0.1", "49000.00")
        assert state(running) is InstrumentState.AUCTION
        assert [each.client_order_id for each in client.open_orders()] == ["auction"]
    assert state(running) is InstrumentState.OPEN
    assert client.open_orders() == []


def test_a_halt_ends_with_its_last_rule_in_the_state_before_it(
    running: Exchange, faults: Faults
) -> None:
    set_state(running, InstrumentState.CANCEL_ONLY)
    first, second = faults.halt(SYMBOL), faults.halt()
    first.remove()
    assert state(running) is InstrumentState.HALTED
    second.remove()
    assert state(running) is InstrumentState.CANCEL_ONLY
    assert state(running, OTHER) is InstrumentState.OPEN
    set_state(running, InstrumentState.OPEN)


def test_an_act_of_the_administrator_since_the_rule_is_left_alone(
    running: Exchange, faults: Faults
) -> None:
    faults.halt(SYMBOL)
    set_state(running, InstrumentState.OPEN)
    faults.clear()
    assert state(running) is InstrumentState.OPEN


def test_a_removed_instrument_is_unknown_and_its_streams_end(
    running: Exchange, client: Client, faults: Faults
) -> None:
    client.submit(SYMBOL, "buy", "0.1", "40000.00", client_order_id="stays")
    stream = f"ws://127.0.0.1:{running.api_port}/ws/trades/{SYMBOL}"
    with connect(stream, open_timeout=WAIT_S) as connection:
        faults.instrument_removed(SYMBOL)
        assert state(running) is InstrumentState.HALTED
        with pytest.raises(OrderRejected, match="there is no instrument 'BTC-USDT'") as caught:
            client.submit(SYMBOL, "buy", "0.1", "40000.00")
        assert caught.value.reason is RejectReason.UNKNOWN_SYMBOL
        assert httpx.get(f"{running.api}/api/v1/orderbook/{SYMBOL}").status_code == 404
        client.submit(OTHER, "buy", "0.1", "2000.00")
        with pytest.raises(InvalidStatus, match="404"), connect(stream, open_timeout=WAIT_S):
            pass
        with pytest.raises(ConnectionClosed, match="1001"):
            _read_on(connection)
    faults.clear()
    assert state(running) is InstrumentState.OPEN
    assert [each.client_order_id for each in client.open_orders(SYMBOL)] == ["stays"]


def test_an_unknown_instrument_is_named(faults: Faults) -> None:
    with pytest.raises(FaultRefused, match="there is no instrument 'NO-SUCH'") as caught:
        faults.halt("NO-SUCH")
    assert (caught.value.code, caught.value.field) == ("UNKNOWN_SYMBOL", "symbol")
    assert faults.states() == []


def test_answers_wait_for_a_slow_disk(running: Exchange, client: Client, faults: Faults) -> None:
    rule = faults.disk_slow(300, next=1)
    began = time.monotonic()
    client.submit(SYMBOL, "buy", "0.1", "40000.00")
    assert time.monotonic() - began >= 0.3
    assert rule.applied == 1
    assert faults.states()[0].process == "matcher"
    until(lambda: value(running.api, "crossbook_matcher_faults_total", kind="disk_slow"))


def test_an_answer_slower_than_the_timeout_is_an_unknown_outcome(
    running: Exchange, faults: Faults
) -> None:
    with Client(running.orders, account=5, timeout_s=0.3) as client:
        faults.disk_slow(1_000, next=1)
        with pytest.raises(OutcomeUnknown):
            client.submit(SYMBOL, "buy", "0.1", "40000.00", client_order_id="slow")
    with Client(running.orders, account=5, timeout_s=WAIT_S) as client:
        again = client.submit(SYMBOL, "buy", "0.1", "40000.00", client_order_id="slow")
        assert again.repeated


@pytest.mark.parametrize("hours", [2, -2])
def test_every_time_that_clients_receive_is_shifted(
    running: Exchange, client: Client, faults: Faults, hours: int
) -> None:
    shift_s = hours * 3_600

    def ahead_s(time_ns: int) -> float:
        return time_ns / 1e9 - time.time()

    def server_s() -> float:
        text = httpx.get(f"{running.api}/api/v1/time").json()["timestamp"]
        return datetime.fromisoformat(text).timestamp() - time.time()

    feed, snapshots = (running.addresses[f"PUBLISHER_{n}"] for n in ("FEED", "SNAPSHOTS"))
    with MarketData(feed, snapshots, [SYMBOL], ("l2", "trade")) as market:
        market.wait_ready(WAIT_S)
        faults.clock_shifted(shift_s * 1_000)
        assert server_s() == pytest.approx(shift_s, abs=WAIT_S)
        ack = client.submit(SYMBOL, "buy", "0.1", "40000.00")
        assert ahead_s(ack.time_ns) == pytest.approx(shift_s, abs=WAIT_S)
        with Client(running.orders, account=6) as seller:
            seller.submit(SYMBOL, "sell", "0.1", "40000.00")
        times: dict[str, int] = {}
        while len(times) < 2:
            for each in market.poll(0.1):
                trades = getattr(each, "trades", None)
                if trades:
                    times["trade"] = trades[0].time_ns
                elif type(each).__name__ == "DepthUpdate":
                    times["l2"] = each.time_ns  # type: ignore[union-attr]
        for found in times.values():
            assert ahead_s(found) == pytest.approx(shift_s, abs=WAIT_S)
        faults.clear()
        assert server_s() == pytest.approx(0, abs=WAIT_S)
        assert ahead_s(client.submit(SYMBOL, "buy", "0.1", "40000.00").time_ns) == pytest.approx(
            0, abs=WAIT_S
        )
        assert market.counters.gaps == 0


def test_an_order_expires_by_the_true_time(client: Client, faults: Faults) -> None:
    faults.clock_shifted(3_600_000)
    ends_ns = time.time_ns() + 1_800_000_000_000
    client.submit(SYMBOL, "buy", "0.1", "40000.00", time_in_force="gtd", expire_time=ends_ns)
    assert len(client.open_orders()) == 1


def test_a_manual_clock_is_shifted_and_advanced_all_the_same() -> None:
    with OwnExchange(clock="manual") as exchange:
        began = exchange.now()
        with exchange.faults.clock_shifted(3_600_000):
            client = exchange.client(account=1)
            ahead_ns = client.submit(SYMBOL, "buy", "0.1", "40000.00").time_ns
            assert exchange.advance("1d") - began == timedelta(days=1)
        true_ns = client.submit(SYMBOL, "buy", "0.1", "40000.00").time_ns
        assert true_ns - ahead_ns == 23 * 3_600 * 10**9


@pytest.mark.parametrize("process", ["matcher", "publisher", "gateway"])
def test_a_killed_process_returns_and_every_order_with_it(process: Any) -> None:
    with Exchange(GATEWAY_ROLES="orders,api,streams", FAULTS="on") as exchange:
        exchange.wait_http()
        faults = Faults(exchange.api)
        with Client(exchange.orders, account=5, timeout_s=WAIT_S) as client:
            client.submit(SYMBOL, "buy", "0.1", "40000.00", client_order_id="kept")
            faults.process_killed(process)
            until(lambda: exchange.processes[process].poll() is not None)
            assert exchange.ended(process) == -signal.SIGKILL
            exchange.start(process)
            exchange.wait_http()
            until(lambda: _is_entered(client))
            assert [each.client_order_id for each in client.open_orders()] == ["kept", "after"]
        if process != "gateway":
            assert faults.applied()["process_killed"] == 1


def _is_entered(client: Client) -> bool:
    """Whether another order is accepted; it is refused while the gateway looks for the matcher."""
    try:
        client.submit(SYMBOL, "buy", "0.1", "40000.00", client_order_id="after")
    except OrderRejected:
        return False
    return True


def _read_on(connection: ClientConnection) -> None:
    """Receive for as long as the connection is open."""
    while connection.recv(WAIT_S):
        continue
