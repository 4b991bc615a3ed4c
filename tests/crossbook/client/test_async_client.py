"""The asyncio client against a fake gateway of one thread."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from msgspec.structs import replace

from crossbook import (
    AsyncClient,
    ClientClosed,
    ExecutionsMissed,
    GatewayUnavailable,
    OrderRejected,
    OutcomeUnknown,
    new_order,
)
from crossbook.common.messages.entry import (
    Execution,
    Reject,
)
from crossbook.common.types import RejectReason
from tests.crossbook.client.test_client import BTC, execution
from tests.system.exchange import free_ports
from tests.worlds.fake_gateway import FakeGateway, answer


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway() as running:
        yield running


def test_asyncio_calls_of_one_turn_leave_in_one_frame(gateway: FakeGateway) -> None:
    async def scenario() -> None:
        async with AsyncClient(gateway.address, account=7) as client:
            frames = gateway.frames
            calls = (
                client.submit(BTC, "buy", quantity_lots=1 + i, price_ticks=100) for i in range(200)
            )
            acks = await asyncio.gather(*calls)
            assert len({ack.request_seq for ack in acks}) == 200
            assert gateway.frames == frames + 1
            answers = await client.batch(
                [new_order(BTC, "buy", quantity_lots=1, price_ticks=1)] * 3
            )
            assert len(answers) == 3
            await client.cancel(BTC, 1)
            await client.amend(BTC, 1, price_ticks=5)
            await client.mass_cancel()
            assert await client.open_orders() == []
            assert (await client.ping()).seq == 5
            assert BTC in await client.instruments()

    asyncio.run(scenario())


def test_asyncio_errors_and_lost_sessions(gateway: FakeGateway) -> None:
    async def scenario() -> None:
        async with AsyncClient(gateway.address, timeout_s=5.0) as client:
            gateway.behave = lambda request: [
                Reject(
                    request_seq=request.request_seq, reason=RejectReason.BUSY, field="", text="busy"
                )
            ]
            with pytest.raises(OrderRejected, match="BUSY"):
                await client.submit(BTC, "buy", quantity_lots=1, price_ticks=100)
            gateway.behave = answer
            gateway.forget_sessions()
            await client.submit(BTC, "buy", quantity_lots=1, price_ticks=100)
            assert gateway.logons == 2
            gateway.behave = lambda request: []
            client.timeout_s = 0.2
            with pytest.raises(OutcomeUnknown, match="mine"):
                await client.submit(
                    BTC, "buy", quantity_lots=1, price_ticks=100, client_order_id="mine"
                )

    asyncio.run(scenario())


def test_the_asyncio_client_catches_up(gateway: FakeGateway) -> None:
    async def scenario() -> None:
        async with AsyncClient(gateway.address) as client:
            seq = (await client.submit(BTC, "buy", quantity_lots=1, price_ticks=100)).seq
            gateway.history = [execution(seq + i) for i in range(3)]
            assert await client.catch_up(seq + 1) == gateway.history[1:]
            assert client.last_seq == seq + 2
            gateway.history += [execution(seq + 3)]
            gateway.forget_sessions()
            await client.submit(BTC, "buy", quantity_lots=1, price_ticks=100)
            assert [each async for each in client.executions(0.2)] == [execution(seq + 3)]
        async with AsyncClient(gateway.address, recover=False) as client:
            gateway.forget_sessions()
            await client.submit(BTC, "buy", quantity_lots=1, price_ticks=100)
            with pytest.raises(ExecutionsMissed):
                await anext(client.executions(1.0))

    asyncio.run(scenario())


def test_asyncio_executions_wait_for_reports_and_end(gateway: FakeGateway) -> None:
    async def scenario() -> None:
        async with AsyncClient(gateway.address) as client:
            asyncio.get_running_loop().call_later(0.05, gateway.push, execution(1), execution(2))
            reports = [report async for report in client.executions(0.5)]
            assert reports == [execution(1), execution(2)]

            async def read() -> list[Execution]:
                return [report async for report in client.executions()]

            reading = asyncio.create_task(read())
            await client.ping()
            await client.close()
            assert await asyncio.wait_for(reading, 5) == []
            with pytest.raises(ClientClosed):
                await client.ping()

    asyncio.run(scenario())


def test_the_asyncio_client_without_a_gateway_raises_in_time() -> None:
    async def scenario() -> None:
        address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        with pytest.raises(GatewayUnavailable):
            async with AsyncClient(address, timeout_s=0.2):
                pass

    asyncio.run(scenario())


CLOSED_ASYNC_CALLS: list[Callable[[AsyncClient], Awaitable[object]]] = [
    lambda client: client.logon(),
    lambda client: client.instruments(),
    lambda client: client.submit(BTC, "buy", "1", "100"),
    lambda client: client.cancel(BTC, 1),
    lambda client: client.amend(BTC, 1, price="1"),
    lambda client: client.cancel_after(1.0),
    lambda client: client.balances(),
    lambda client: client.mass_cancel(),
    lambda client: client.batch([new_order(BTC, "buy", "1", "100")]),
    lambda client: client.open_orders(),
    lambda client: client.ping(),
    lambda client: anext(client.executions()),
    lambda client: client.catch_up(1),
    lambda client: client.__aenter__(),
]


@pytest.mark.parametrize("call", CLOSED_ASYNC_CALLS)
def test_a_closed_asyncio_client_raises_closed(
    gateway: FakeGateway, call: Callable[[AsyncClient], Awaitable[object]]
) -> None:
    async def scenario() -> None:
        async with AsyncClient(gateway.address) as client:
            await client.ping()
        await client.close()
        with pytest.raises(ClientClosed, match=gateway.address):
            await call(client)

    asyncio.run(scenario())


def test_an_asyncio_client_that_was_never_opened_raises_the_remedy(gateway: FakeGateway) -> None:
    with pytest.raises(ClientClosed, match="async with"):
        asyncio.run(AsyncClient(gateway.address).ping())


def test_asyncio_own_orders_are_kept_while_the_loop_runs(gateway: FakeGateway) -> None:
    async def scenario() -> None:
        async with AsyncClient(gateway.address, account=7) as client:
            orders = await client.orders()
            assert orders.open() == []
            ack = await client.submit(BTC, "buy", "0.00005", "1.00", client_order_id="a")
            order = orders.named("a")
            assert order is not None
            gateway.push(replace(execution(ack.seq + 1), order_id=ack.order_id))
            async for _ in client.executions(5.0):
                break
            assert (order.filled_lots, order.fills_known) == (1, True)
            assert await client.orders() is orders

    asyncio.run(scenario())
