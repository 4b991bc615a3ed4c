"""The latency bench's flow: valid orders, own cancels, a book that stays small."""

from collections import Counter
from pathlib import Path

import pytest

from bench.flow import ClientFlow
from crossbook.common.instruments_file import load_instruments
from crossbook.common.messages import entry
from crossbook.common.types import OrderStatus, TimeInForce

INSTRUMENTS = load_instruments(Path(__file__).resolve().parents[2] / "instruments.toml")
CLIENTS = 3
REQUESTS = 20_000


def ack(request: entry.New | entry.Cancel, order_id: int) -> entry.Ack:
    status = OrderStatus.NEW if isinstance(request, entry.New) else OrderStatus.CANCELED
    return entry.Ack(
        request_seq=request.request_seq,
        seq=order_id,
        order_id=order_id,
        status=int(status),
        client_order_id="",
        remaining_lots=1,
        time_ns=0,
    )


def run(requests: int) -> list[tuple[int, int, entry.New | entry.Cancel]]:
    """Each (order id, client, request) of a flow whose every request is acknowledged and whose IOC
    orders all end."""
    flow = ClientFlow(INSTRUMENTS, CLIENTS, seed=3)
    sent = []
    for index in range(requests):
        client = index % CLIENTS
        request = flow.request(client, 1 + index // CLIENTS)
        order_id = index + 1
        flow.acked(client, ack(request, order_id))
        if isinstance(request, entry.New) and request.time_in_force == TimeInForce.IOC:
            report = entry.Execution(
                request_seq=0,
                seq=0,
                symbol=request.symbol,
                order_id=order_id,
                client_order_id="",
                kind=4,
                status=5,
                side=1,
                price_ticks=1,
                quantity_lots=1,
                filled_lots=0,
                remaining_lots=0,
                time_ns=0,
            )
            if not report.remaining_lots:
                flow.ended(client, report.order_id)
        sent.append((order_id, client, request))
    return sent


def test_a_client_without_fills_keeps_the_planned_shares() -> None:
    kinds = Counter(
        request.time_in_force if isinstance(request, entry.New) else "cancel"
        for _, _, request in run(REQUESTS)
    )
    assert kinds["cancel"] / REQUESTS == pytest.approx(0.40, abs=0.02)
    assert kinds[TimeInForce.IOC] / REQUESTS == pytest.approx(0.15, abs=0.02)
    assert kinds[TimeInForce.GTC] / REQUESTS == pytest.approx(0.45, abs=0.02)


def test_cancels_name_own_open_orders_once_with_their_symbol() -> None:
    orders: dict[int, tuple[int, str]] = {}
    for order_id, client, request in run(REQUESTS):
        if isinstance(request, entry.New):
            if request.time_in_force == TimeInForce.GTC:
                orders[order_id] = (client, request.symbol)
        else:
            assert orders.pop(request.order_id) == (client, request.symbol)


def test_orders_are_within_the_limits_of_their_instruments() -> None:
    by_symbol = {instrument.symbol: instrument for instrument in INSTRUMENTS}
    seen = set()
    for _, _, request in run(REQUESTS):
        if not isinstance(request, entry.New):
            continue
        instrument = by_symbol[request.symbol]
        seen.add(request.symbol)
        assert isinstance(request.price, int)
        assert isinstance(request.quantity, int)
        notional = request.price * request.quantity * instrument.notional_per_tick_lot
        assert notional >= instrument.min_notional
        assert instrument.min_quantity_lots <= request.quantity <= instrument.max_quantity_lots
        assert 1 <= request.price <= instrument.max_price_ticks
    assert seen == set(by_symbol)
