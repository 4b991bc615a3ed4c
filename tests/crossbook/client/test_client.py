"""The blocking client against a fake gateway of one thread."""

import time
from collections.abc import Callable, Iterator

import pytest

import crossbook
from crossbook import (
    Client,
    ClientClosed,
    ExecutionsMissed,
    GatewayUnavailable,
    OrderRejected,
    OutcomeUnknown,
    cancel_order,
    new_order,
)
from crossbook.common.errors import ConfigError, CrossbookError
from crossbook.common.messages.entry import (
    Ack,
    Amend,
    Cancel,
    Execution,
    ListInstruments,
    MassCancel,
    New,
    Ping,
    Query,
    Reject,
    Reply,
)
from crossbook.common.messages.entry import Request as AnyRequest
from crossbook.common.types import RejectReason
from tests.system.exchange import free_ports
from tests.worlds.fake_gateway import FakeGateway, answer, orders_page

BTC = "BTC-USDT"


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway() as running:
        yield running


@pytest.fixture
def client(gateway: FakeGateway) -> Iterator[Client]:
    with Client(gateway.address, account=7, timeout_s=5.0) as connected:
        yield connected


def execution(seq: int) -> Execution:
    return Execution(
        request_seq=0,
        seq=seq,
        symbol=BTC,
        order_id=1,
        client_order_id="",
        kind=2,
        status=2,
        side=1,
        price_ticks=100,
        quantity_lots=1,
        filled_lots=1,
        remaining_lots=4,
        time_ns=0,
    )


def test_calls_become_requests_and_return_their_answers(
    gateway: FakeGateway, client: Client
) -> None:
    ack = client.submit(BTC, "buy", "0.5", "50000.00", time_in_force="ioc", client_order_id="a")
    assert ack.client_order_id == "a"
    client.cancel(BTC, 4)
    client.amend(BTC, client_order_id="a", quantity="0.4")
    client.mass_cancel(side="sell")
    client.submit(BTC, "sell", order_type="market", quote_amount="100")
    assert client.ping().seq == 5
    assert client.instruments[BTC].quantity_to_lots("0.5") == 50_000
    assert client.instruments is client.instruments
    number = ack.request_seq
    commands = [each for each in gateway.requests if not isinstance(each, ListInstruments)]
    assert commands[2:7] == [
        New(
            request_seq=number,
            symbol=BTC,
            side=1,
            quantity="0.5",
            price="50000.00",
            order_type=1,
            time_in_force=2,
            client_order_id="a",
        ),
        Cancel(number + 1, BTC, 4),
        Amend(request_seq=number + 2, symbol=BTC, order_id=0, client_order_id="a", quantity="0.4"),
        MassCancel(number + 3, "", 2),
        New(
            request_seq=number + 4,
            symbol=BTC,
            side=2,
            quantity=0,
            price=0,
            order_type=2,
            time_in_force=1,
            client_order_id="",
            quote_amount="100",
        ),
    ]


def test_a_refusal_raises_with_reason_field_and_text(gateway: FakeGateway, client: Client) -> None:
    for reason in (RejectReason.BAD_TICK, RejectReason.BUSY, RejectReason.THROTTLED):
        number = int(reason)
        gateway.behave = lambda request, number=number: [  # type: ignore[misc, assignment]
            Reject(
                request_seq=request.request_seq,
                reason=number,
                field="price",
                text="off the grid",
                client_order_id="a",
                seq=0,
                retry_after_ms=1_500 if number == RejectReason.THROTTLED else 0,
            )
        ]
        with pytest.raises(OrderRejected) as caught:
            client.submit(BTC, "buy", quantity_lots=1, price_ticks=100, client_order_id="a")
        error = caught.value
        assert (error.reason, error.field, error.text) == (reason, "price", "off the grid")
        assert error.retryable is (reason is not RejectReason.BAD_TICK)
        assert error.retry_after_s == (1.5 if reason is RejectReason.THROTTLED else 0)
        assert str(error) == f"{reason.name} (price): off the grid"


def test_a_request_without_an_answer_is_an_unknown_outcome(gateway: FakeGateway) -> None:
    with Client(gateway.address, timeout_s=0.2) as client:
        gateway.behave = lambda request: []
        with pytest.raises(OutcomeUnknown) as caught:
            client.submit(BTC, "buy", quantity_lots=1, price_ticks=100, client_order_id="mine")
        assert caught.value.client_order_id == "mine"
        assert caught.value.request_seq == gateway.requests[-1].request_seq
        assert "open_orders(client_order_id='mine')" in str(caught.value)
        gateway.behave = answer
        assert client.ping().seq == 5


def test_an_outcome_that_the_exchange_lost_is_unknown_too(
    gateway: FakeGateway, client: Client
) -> None:
    gateway.behave = lambda request: [
        Reject(
            request_seq=request.request_seq,
            reason=RejectReason.OUTCOME_UNKNOWN,
            field="",
            text="restarted",
            client_order_id="mine",
        )
    ]
    with pytest.raises(OutcomeUnknown, match="mine"):
        client.submit(BTC, "buy", quantity_lots=1, price_ticks=100, client_order_id="mine")


def test_a_request_without_a_gateway_certainly_did_not_happen() -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    client = Client(address, timeout_s=0.2)
    with pytest.raises(GatewayUnavailable, match=address):
        client.submit(BTC, "buy", quantity_lots=1, price_ticks=100)
    with pytest.raises(GatewayUnavailable, match=address):
        client.logon()
    with pytest.raises(GatewayUnavailable, match=address):
        client.batch([new_order(BTC, "buy", "1", "100")])
    client.close()
    with pytest.raises(ConfigError):
        Client("nonsense")


def test_a_gateway_may_start_after_the_client() -> None:
    gateway = FakeGateway()
    client = Client(gateway.address, timeout_s=0.1)
    with pytest.raises(GatewayUnavailable):
        client.logon()
    client.timeout_s = 10.0
    with gateway:
        assert client.submit(BTC, "buy", quantity_lots=1, price_ticks=100).remaining_lots == 5
        client.close()
    assert sum(isinstance(request, New) for request in gateway.requests) == 1


def test_the_error_of_a_refused_logon_has_its_reason(gateway: FakeGateway) -> None:
    with pytest.raises(CrossbookError, match="MALFORMED: unlucky"), Client(gateway.address, 13):
        pass


def test_a_lost_session_is_opened_again_and_the_hole_is_reported(
    gateway: FakeGateway,
) -> None:
    with Client(gateway.address, recover=False) as client:
        seq = client.submit(BTC, "buy", quantity_lots=1, price_ticks=100).seq
        gateway.forget_sessions()
        ack = client.submit(BTC, "buy", quantity_lots=2, price_ticks=100, client_order_id="again")
        assert ack.client_order_id == "again"
        assert gateway.logons == 2
        gateway.push(execution(ack.seq + 9))
        with pytest.raises(ExecutionsMissed) as caught:
            list(client.executions(2.0))
        assert caught.value.from_seq == seq
        gateway.history = [execution(seq), execution(seq + 1), execution(ack.seq + 9)]
        assert client.catch_up(caught.value.from_seq) == gateway.history
        gateway.push(execution(ack.seq + 10))
        assert next(client.executions(5.0)) == execution(ack.seq + 10)
        assert client.last_seq == ack.seq + 10


def test_missed_executions_are_returned_before_new_ones(
    gateway: FakeGateway, client: Client
) -> None:
    seq = client.submit(BTC, "buy", quantity_lots=1, price_ticks=100).seq
    gateway.history = [execution(seq + i) for i in range(3)]
    gateway.forget_sessions()
    client.submit(BTC, "buy", quantity_lots=1, price_ticks=100)
    gateway.push(execution(seq + 50))
    seqs = [next(client.executions(5.0)).seq for _ in range(4)]
    assert seqs == [seq, seq + 1, seq + 2, seq + 50]
    assert list(client.executions(0.05)) == []


def test_a_hole_that_cannot_be_filled_is_reported_once(
    gateway: FakeGateway, client: Client
) -> None:
    seq = client.submit(BTC, "buy", quantity_lots=1, price_ticks=100).seq
    gateway.holds_all = False
    gateway.history = [execution(seq + 2)]
    gateway.forget_sessions()
    client.submit(BTC, "buy", quantity_lots=1, price_ticks=100)
    with pytest.raises(ExecutionsMissed) as caught:
        list(client.executions(5.0))
    assert caught.value.from_seq == seq
    assert next(client.executions(5.0)) == execution(seq + 2)
    with pytest.raises(ExecutionsMissed) as caught:
        client.catch_up(seq)
    assert caught.value.executions == [execution(seq + 2)]


def test_a_named_order_survives_the_loss_of_its_answer_with_the_session(
    gateway: FakeGateway, client: Client
) -> None:
    def lose_the_first(request: AnyRequest) -> list[Reply]:
        gateway.behave = answer
        gateway.forget_sessions()
        return []

    gateway.behave = lose_the_first
    ack = client.submit(BTC, "buy", quantity_lots=1, price_ticks=100, client_order_id="mine")
    assert ack.client_order_id == "mine"
    named = [request for request in gateway.requests if isinstance(request, New)]
    assert len(named) == 2
    assert named[0] == named[1]


def test_executions_are_in_order_and_end_after_a_silence(
    gateway: FakeGateway, client: Client
) -> None:
    gateway.behave = lambda request: [execution(1), *answer(request), execution(2)]
    client.ping()
    gateway.push(execution(3))
    reports = []
    for report in client.executions(5.0):
        reports.append(report)
        if len(reports) == 3:
            break
    assert reports == [execution(1), execution(2), execution(3)]
    assert list(client.executions(0.05)) == []


def test_the_answers_of_a_batch_are_in_order_and_its_frames_within_the_limit(
    gateway: FakeGateway, client: Client
) -> None:
    def even_only(request: AnyRequest) -> list[Reply]:
        if request.request_seq % 2:
            return [
                Reject(
                    request_seq=request.request_seq,
                    reason=RejectReason.BAD_LOT,
                    field="quantity",
                    text="odd",
                )
            ]
        return answer(request)

    gateway.behave = even_only
    frames = gateway.frames
    requests = [new_order(BTC, "buy", quantity_lots=1, price_ticks=100 + i) for i in range(2_500)]
    answers = client.batch([*requests, cancel_order(BTC, 1)])
    assert len(answers) == 2_501
    assert [type(each) for each in answers[:4]] in (
        [crossbook.Ack, crossbook.Reject] * 2,
        [crossbook.Reject, crossbook.Ack] * 2,
    )
    assert [each.request_seq for each in answers] == sorted(each.request_seq for each in answers)
    assert 3 <= gateway.frames - frames <= 4
    assert client.batch([]) == []
    with pytest.raises(TypeError, match="requests"):
        client.batch([Ping(0)])  # type: ignore[list-item]


def test_a_batch_with_a_missing_answer_keeps_the_others(gateway: FakeGateway) -> None:
    with Client(gateway.address, timeout_s=0.3) as client:
        gateway.behave = lambda request: (
            [] if getattr(request, "client_order_id", "") == "b" else answer(request)
        )
        orders = [
            new_order(BTC, "buy", quantity_lots=1, price_ticks=100, client_order_id=name)
            for name in "abc"
        ]
        with pytest.raises(OutcomeUnknown) as caught:
            client.batch(orders)
        assert [name for _, name in caught.value.unanswered] == ["b"]
        assert [each is None for each in caught.value.answers] == [False, True, False]


def test_an_interrupted_call_sends_nothing_later(
    gateway: FakeGateway, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(client, "_step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.submit(BTC, "buy", quantity_lots=1, price_ticks=100)
    client.ping()
    assert not any(isinstance(request, New) for request in gateway.requests)


def test_open_orders_returns_every_page(gateway: FakeGateway, client: Client) -> None:
    gateway.behave = lambda request: (
        [orders_page(request, range(1, 26), 10)] if isinstance(request, Query) else []
    )
    assert [order.order_id for order in client.open_orders()] == list(range(1, 26))
    assert sum(isinstance(request, Query) for request in gateway.requests) == 3


def test_the_pipelined_interface_returns_everything_that_arrives(
    gateway: FakeGateway, client: Client
) -> None:
    gateway.push(execution(4))
    first = client.reserve(1_500)
    client.send(
        [
            New(request_seq=first + i, symbol=BTC, side=1, quantity=1, price=100)
            for i in range(1_500)
        ]
    )
    replies: list[Reply] = []
    deadline = time.monotonic() + 5
    while len(replies) < 1_501 and time.monotonic() < deadline:
        replies += client.receive(100)
    acks = [reply.request_seq for reply in replies if isinstance(reply, Ack)]
    assert acks == list(range(first, first + 1_500))
    assert execution(4) in replies
    assert client.receive() == []
    assert client.fileno() >= 0
    assert client.ping().request_seq >= first + 1_500


def test_the_pipelined_interface_keeps_replies_received_during_a_call(
    gateway: FakeGateway, client: Client
) -> None:
    first = client.reserve(2)
    client.send([Ping(first), Ping(first + 1)])
    client.ping()
    assert [reply.request_seq for reply in client.receive()] == [first, first + 1]


def test_the_pipelined_interface_returns_a_lost_session(
    gateway: FakeGateway, client: Client
) -> None:
    gateway.forget_sessions()
    number = client.reserve(1)
    client.send([New(request_seq=number, symbol=BTC, side=1, quantity=1, price=100)])
    (reject,) = client.receive(5_000)
    assert isinstance(reject, Reject)
    assert reject.reason == RejectReason.NOT_LOGGED_ON
    client.logon()
    client.send([New(request_seq=number, symbol=BTC, side=1, quantity=1, price=100)])
    (ack,) = client.receive(5_000)
    assert isinstance(ack, Ack)


def test_an_ambiguous_bare_number_is_not_sent(gateway: FakeGateway, client: Client) -> None:
    before = len(gateway.requests)
    with pytest.raises(TypeError, match=r"price='65000' for a decimal, or price_ticks=65000"):
        client.submit(BTC, "sell", "0.1", 65000)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"stop_price_ticks=5"):
        client.amend(BTC, 1, stop_price=5)  # type: ignore[arg-type]
    client.ping()
    assert [type(request) for request in gateway.requests[before:]] == [Ping]


CLOSED_CALLS: list[Callable[[Client], object]] = [
    lambda client: client.logon(),
    lambda client: client.instruments,
    lambda client: client.submit(BTC, "buy", "1", "100"),
    lambda client: client.cancel(BTC, 1),
    lambda client: client.amend(BTC, 1, price="1"),
    lambda client: client.cancel_after(1.0),
    lambda client: client.balances(),
    lambda client: client.mass_cancel(),
    lambda client: client.batch([new_order(BTC, "buy", "1", "100")]),
    lambda client: client.open_orders(),
    lambda client: client.ping(),
    lambda client: list(client.executions()),
    lambda client: client.catch_up(1),
    lambda client: client.send([Ping(1)]),
    lambda client: client.receive(),
    lambda client: client.fileno(),
    lambda client: client.__enter__(),
]


@pytest.mark.parametrize("call", CLOSED_CALLS)
def test_a_closed_client_raises_closed(
    gateway: FakeGateway, call: Callable[[Client], object]
) -> None:
    client = Client(gateway.address)
    client.close()
    client.close()
    with pytest.raises(ClientClosed, match=gateway.address):
        call(client)
