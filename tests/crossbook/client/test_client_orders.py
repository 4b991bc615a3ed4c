"""Own orders of the blocking client: the times of queries to the exchange, and the facts that keep
the orders."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from crossbook import Client, OutcomeUnknown
from crossbook.common.instruments import example
from crossbook.common.messages.entry import OpenOrders, OrderState, Query, Reply
from crossbook.common.messages.entry import Request as AnyRequest
from crossbook.common.shards import base_of
from tests.crossbook.client.test_client import BTC, execution
from tests.worlds.fake_gateway import FakeGateway, answer


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway() as running:
        yield running


@pytest.fixture
def client(gateway: FakeGateway) -> Iterator[Client]:
    with Client(gateway.address, account=7, timeout_s=5.0) as connected:
        yield connected


def open_order(order_id: int, filled_lots: int = 0) -> OrderState:
    return OrderState(
        symbol=BTC, order_id=order_id, client_order_id="", side=1, price_ticks=100,
        quantity_lots=5, filled_lots=filled_lots, remaining_lots=5 - filled_lots, status=1,
        time_ns=0,
    )  # fmt: skip


def test_own_orders_are_queried_once_and_kept_from_what_arrives(
    gateway: FakeGateway, client: Client
) -> None:
    gateway.behave = lambda request: (
        [OpenOrders(request.request_seq, 900, [open_order(1)])]
        if isinstance(request, Query)
        else answer(request)
    )
    orders = client.orders()
    assert [each.order_id for each in orders.open()] == [1]
    ack = client.submit(BTC, "buy", "0.00005", "1.00", client_order_id="a")
    assert [each.order_id for each in client.orders().open()] == [1, ack.order_id]
    order = orders.named("a")
    assert order is not None
    gateway.push(replace(execution(ack.seq + 1), order_id=ack.order_id))
    assert next(client.executions(5.0)).order_id == ack.order_id
    assert (order.filled_lots, order.fills_known) == (1, True)
    assert client.orders() is orders
    assert sum(isinstance(each, Query) for each in gateway.requests) == 1


def test_own_orders_are_queried_again_after_an_order_without_an_answer(
    gateway: FakeGateway,
) -> None:
    listed = [open_order(1)]
    gateway.behave = lambda request: (
        [OpenOrders(request.request_seq, 900, listed)] if isinstance(request, Query) else []
    )
    with Client(gateway.address, account=7, timeout_s=0.3) as client:
        orders = client.orders()
        with pytest.raises(OutcomeUnknown):
            client.submit(BTC, "buy", "0.00005", "1.00")
        assert orders.in_doubt
        listed[:] = [open_order(1), open_order(2)]
        assert [each.order_id for each in client.orders().open()] == [1, 2]
        assert not orders.in_doubt
        orders.missed()
        gateway.behave = lambda request: []
        with pytest.raises(OutcomeUnknown):
            client.orders()
        assert orders.in_doubt


def test_own_orders_of_several_shards_are_queried_by_instrument(
    gateway: FakeGateway, client: Client
) -> None:
    """Only an answer about one instrument has the sequence number of its shard."""
    eth = replace(example(), id=2, symbol="ETH-USDT")
    gateway.instruments = [example(), eth]
    on_second = base_of(1) + 3

    def behave(request: AnyRequest) -> list[Reply]:
        if not isinstance(request, Query):
            return answer(request)
        found = {
            BTC: OpenOrders(request.request_seq, 900, [open_order(1)]),
            "ETH-USDT": OpenOrders(
                request.request_seq, on_second, [replace(open_order(on_second), symbol="ETH-USDT")]
            ),
            "": OpenOrders(request.request_seq, on_second, []),
        }
        return [found[request.symbol]]

    gateway.behave = behave
    assert [each.order_id for each in client.orders().open()] == [1, on_second]
    queries = [each.symbol for each in gateway.requests if isinstance(each, Query)]
    assert queries == ["", BTC, "ETH-USDT"]
