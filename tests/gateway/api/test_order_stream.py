"""`/ws/orders`: the messages that a client of an account receives, and its trading."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest

from crossbook.common.messages.entry import Execution
from crossbook.common.types import ExecutionKind, OrderStatus
from crossbook.gateway.api import order_stream
from crossbook.gateway.api.documents import ExecutionReport
from crossbook.gateway.api.order_stream import (
    FRAMES_KEPT,
    PATH,
    OrderStream,
    OrderStreams,
    ReportFrames,
)
from crossbook.gateway.web.channel import (
    POLICY_VIOLATION,
    TRY_AGAIN_LATER,
    Handshake,
    HandshakeRefusal,
)
from tests.worlds.rest_world import RestWorld, limit
from tests.worlds.websocket_server import until


class OrderConnection:
    """A connection that keeps the messages sent over it."""

    def __init__(self) -> None:
        self.full = False
        self.buffered = 0
        self.peer = "test"
        self.sent: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self.closed: tuple[int, str] | None = None
        self.headers: dict[str, str] = {}

    def header(self, name: str) -> str | None:
        """A header of the handshake."""
        return self.headers.get(name)

    def send(self, frame: bytes) -> None:
        """Keep one message."""
        self.sent.append(msgspec.json.decode(frame[2 if frame[1] < 126 else 4 :]))
        self.arrived.set()

    def close(self, code: int, reason: str) -> None:
        """Keep the code and the reason."""
        self.closed = (code, reason)

    def abort(self) -> None:
        """Do nothing: there is no socket to close."""

    async def messages(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The messages of a kind, once there are `count` of them."""
        while len(found := [each for each in self.sent if each["type"] == kind]) < count:
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), 5.0)
        return found


class OrderStreamWorld(RestWorld):
    """The API and one client on `/ws/orders`."""

    def __init__(self, query: str = "") -> None:
        super().__init__()
        streams = OrderStreams(self.sessions, self.trading, self.lookup.render, 1)
        channel = streams.route(Handshake(PATH, query), None)
        assert isinstance(channel, OrderStream), channel
        self.stream = channel
        self.connection = OrderConnection()
        self.stream.opened(self.connection)

    def request(self, method: str, params: object, request_id: str = "a") -> None:
        """Send a request."""
        message = {"id": request_id, "method": method, "params": params}
        self.stream.received(self.connection, msgspec.json.encode(message).decode())


def execution_of(seq: int) -> Execution:
    """An order that was entered."""
    return Execution(
        request_seq=0, seq=seq, symbol="BTC-USDT", order_id=seq, client_order_id="",
        kind=ExecutionKind.NEW, status=OrderStatus.NEW, side=1, price_ticks=1, quantity_lots=1,
        filled_lots=0, remaining_lots=1, time_ns=1,
    )  # fmt: skip


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


def test_a_client_receives_a_welcome_and_the_reports_of_its_account_only() -> None:
    async def main() -> None:
        async with OrderStreamWorld("account=7") as world:
            assert world.connection.sent == [{"type": "welcome", "account": 7, "seq": 0}]
            await world.enter(limit("sell", "0.5", "50000", client_order_id="ask"), account=7)
            await world.enter(limit("buy", "0.2", "50000"), account=8)
            entered, filled = await world.connection.messages("execution", 2)
            assert (entered["kind"], entered["order_type"]) == ("new", "limit")
            assert filled == {
                "type": "execution",
                "kind": "fill",
                "seq": 2,
                "symbol": "BTC-USDT",
                "order_id": "ORD-0000000001",
                "client_order_id": "ask",
                "side": "sell",
                "order_status": "PARTIALLY_FILLED",
                "price": "50000.00",
                "quantity": "0.20000",
                "filled_quantity": "0.20000",
                "remaining_quantity": "0.30000",
                "timestamp": "2025-10-26T12:34:56.789Z",
                "trade_id": 1,
                "liquidity": "maker",
                "fee": "10.00000000",
                "fee_asset": "USDT",
                "reason": None,
                "stop_price": None,
                "working": True,
                "order_type": None,
                "quote_left": None,
            }

    run(main())


def test_orders_are_entered_amended_and_cancelled_over_the_socket() -> None:
    async def main() -> None:
        async with OrderStreamWorld() as world:
            world.request("submit", limit("buy", "1", "50000"), "first")
            (answer,) = await world.connection.messages("answer")
            assert (answer["id"], answer["status"]) == ("first", 201)
            order_id = answer["result"]["order_id"]
            world.request("amend", {"order_id": order_id, "quantity": "2"}, "second")
            amended = (await world.connection.messages("answer", 2))[1]
            assert amended["result"]["remaining_quantity"] == "2.00000"
            world.request("cancel", {"order_id": order_id}, "third")
            canceled = (await world.connection.messages("answer", 3))[2]
            assert canceled["result"]["order_status"] == "CANCELED"
            world.request("submit", limit("buy", "1", "50000"))
            await world.connection.messages("answer", 4)
            world.request("cancel_all", {"symbol": "BTC-USDT"})
            assert (await world.connection.messages("answer", 5))[4]["result"]["count"] == 1
            kinds = [each["kind"] for each in await world.connection.messages("execution", 5)]
            assert kinds == ["new", "amended", "canceled", "new", "canceled"]

    run(main())


@pytest.mark.parametrize(
    ("text", "status", "field"),
    [
        ("", 400, None),
        ("{", 400, None),
        ("[]", 400, None),
        ("[" * 60_000, 400, None),
        ('{"id":"a"}', 400, "method"),
        ('{"id":7,"method":"submit"}', 400, "id"),
        ('{"id":"a","method":"dance","params":{}}', 400, "method"),
        ('{"id":"a","method":"submit","params":{},"x":1}', 400, "x"),
        ('{"id":"a","method":"submit","params":{"symbol":"BTC-USDT"}}', 400, "order_type"),
        ('{"id":"a","method":"cancel","params":{"order_id":"7"}}', 400, "order_id"),
        ('{"id":"a","method":"cancel","params":{"order_id":"ORD-0000000007"}}', 404, "order_id"),
        ('{"id":"a","method":"amend","params":{"price":1.5}}', 400, "price"),
        ('{"id":"a","method":"submit","method":"cancel_all","params":{}}', 400, "method"),
        (
            '{"id":"a","method":"cancel_all","params":{"symbol":"ETH-USDT"},"params":{}}',
            400,
            "params",
        ),
        (
            '{"id":"a","method":"cancel_all","params":{"side":"buy","side":"sell"}}',
            400,
            "side",
        ),
        ('{"id":"a","method":"cancel_all","params":{},"params":%s}' % ("[" * 60_000), 400, None),
    ],
)
def test_a_bad_request_is_answered_and_harms_nothing(
    text: str, status: int, field: str | None
) -> None:
    async def main() -> None:
        async with OrderStreamWorld() as world:
            world.stream.received(world.connection, text)
            (failure,) = await world.connection.messages("error")
            assert (failure["status"], failure["error"].get("field")) == (status, field)
            world.request("submit", limit("buy", "1", "50000"))
            await world.connection.messages("answer")

    run(main())


def test_a_refused_order_has_the_error_of_rest() -> None:
    async def main() -> None:
        async with OrderStreamWorld() as world:
            world.request("submit", limit("buy", "1", "50000.001"))
            (failure,) = await world.connection.messages("error")
            assert failure["id"] == "a"
            assert failure["status"] == 422
            assert failure["error"]["code"] == "BAD_TICK"

    run(main())


def test_too_many_unanswered_requests_are_refused_as_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_stream, "REQUESTS_MAX", 2)

    async def main() -> None:
        async with OrderStreamWorld() as world:
            world.matcher_answers = False
            for number in range(3):
                world.request("submit", limit("buy", "1", "50000"), str(number))
            (failure,) = await world.connection.messages("error")
            assert (failure["id"], failure["error"]["code"]) == ("2", "BUSY")
            await world.held.wait()
            world.matcher_answers = True
            world.settle()
            await world.connection.messages("answer", 2)

    run(main())


def test_a_client_that_does_not_read_is_cut_off() -> None:
    async def main() -> None:
        async with OrderStreamWorld() as world:
            world.connection.full = True
            await world.enter(limit("buy", "1", "50000"))
            assert world.connection.closed is not None
            assert world.connection.closed[0] == POLICY_VIOLATION

    run(main())


def test_a_closed_connection_leaves_no_session() -> None:
    async def main() -> None:
        async with OrderStreamWorld("account=9") as world:
            assert len(world.desk.sessions) == 1
            world.stream.closed(world.connection)
            assert len(world.desk.sessions) == 0
            await world.enter(limit("buy", "1", "50000"), account=9)
            assert len(world.connection.sent) == 1

    run(main())


def test_requests_of_an_account_over_http_are_no_connection_of_it() -> None:
    async def main() -> None:
        async with OrderStreamWorld("account=9&cancel_on_disconnect=true") as world:
            await world.enter(limit("buy", "1", "50000"), account=9)
            world.request("submit", limit("buy", "1", "40000"))
            await world.connection.messages("answer")
            world.stream.closed(world.connection)
            # The session ends with the task of its last request.
            await until(lambda: not len(world.desk.sessions))
            world.desk.tick(0)
            world.settle()
            assert world.engine.open_orders(9) == ([], False)

    run(main())


def test_a_request_before_the_end_of_the_connection_comes_before_the_cancel() -> None:
    async def main() -> None:
        async with OrderStreamWorld("account=9&cancel_on_disconnect=true") as world:
            world.request("submit", limit("buy", "1", "40000"))
            world.stream.closed(world.connection)
            world.desk.tick(0)
            await until(lambda: not len(world.desk.sessions))
            assert len(world.engine.open_orders(9)[0]) == 1
            world.desk.tick(0)
            world.settle()
            assert world.engine.open_orders(9) == ([], False)

    run(main())


def test_cancel_on_disconnect_lasts_while_another_connection_of_the_account_is_open() -> None:
    async def main() -> None:
        async with OrderStreamWorld("account=9&cancel_on_disconnect=true") as world:
            streams = OrderStreams(world.sessions, world.trading, world.lookup.render, 1)
            other, connection = streams.route(Handshake(PATH, "account=9"), None), OrderConnection()
            assert isinstance(other, OrderStream)
            other.opened(connection)
            await world.enter(limit("buy", "1", "50000"), account=9)
            for channel, gone, left in (
                (world.stream, world.connection, 1),
                (other, connection, 0),
            ):
                channel.closed(gone)
                world.desk.tick(0)
                world.settle()
                assert len(world.engine.open_orders(9)[0]) == left

    run(main())


def test_without_a_free_session_the_client_is_refused_for_now() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            for number in range(200):
                world.sessions.open(number + 1, lambda _: None)
            streams = OrderStreams(world.sessions, world.trading, world.lookup.render, 1)
            channel, connection = streams.route(Handshake(PATH), None), OrderConnection()
            assert isinstance(channel, OrderStream)
            channel.opened(connection)
            assert connection.closed is not None
            assert connection.closed[0] == TRY_AGAIN_LATER

    run(main())


def test_a_report_is_rendered_once_for_all_streams_of_the_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            render = world.lookup.render
            frames = ReportFrames(render)
            rendered: list[int] = []
            real = render.execution

            def counted(execution: Execution) -> ExecutionReport:
                rendered.append(execution.seq)
                return real(execution)

            monkeypatch.setattr(render, "execution", counted)
            first, second = (execution_of(seq) for seq in (1, 2))
            texts = [frames.frame(each) for each in (first, first, second, first, second)]
            assert rendered == [1, 2]
            assert [b'"seq":1,' in text for text in texts] == [True, True, False, True, False]
            for seq in range(3, FRAMES_KEPT + 3):
                frames.frame(execution_of(seq))
            frames.frame(first)
            assert rendered[-1] == 1

    run(main())


@pytest.mark.parametrize(
    ("from_seq", "first", "complete"),
    [(0, 1, True), (1, 1, True), (2, 2, False), (2**40, 2**40, False), (2**63 - 1, None, False)],
)
def test_a_client_that_begins_beyond_the_stream_receives_the_last_number(
    from_seq: int, first: int | None, complete: bool
) -> None:
    async def main() -> None:
        async with OrderStreamWorld(f"from_seq={from_seq}") as world:
            world.settle()
            (end_message,) = await world.connection.messages("caught_up")
            expected = {"from_seq": first or from_seq, "to_seq": 0, "complete": complete}
            assert end_message == {"type": "caught_up", **expected}

    run(main())


def test_a_hole_in_the_reports_leads_to_a_resync() -> None:
    async def main() -> None:
        async with OrderStreamWorld() as world:
            world.desk.announce_gap()
            world.settle()
            assert (await world.connection.messages("resync"))[0]["account"] == 1

    run(main())


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("account=0", "account"),
        ("account=x", "account"),
        ("account=", "account"),
        ("from_seq=-1", "from_seq"),
        ("from_seq=99999999999999999999", "from_seq"),
        (f"from_seq={2**63}", "from_seq"),
        ("from_seq=", "from_seq"),
        ("from_seq=1&from_seq=2", "from_seq"),
        ("symbol=BTC-USDT", "symbol"),
    ],
)
def test_a_bad_query_refuses_the_handshake_and_names_the_field(query: str, field: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            streams = OrderStreams(world.sessions, world.trading, world.lookup.render, 1)
            refusal = streams.route(Handshake(PATH, query), None)
            assert isinstance(refusal, HandshakeRefusal)
            assert refusal.status == 400
            assert field in refusal.text

    run(main())
