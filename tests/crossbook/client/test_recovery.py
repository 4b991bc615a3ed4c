"""Filling holes: every execution once and in order, after any loss and repetition."""

from random import Random

import pytest

from crossbook.client.pending import TRY_AGAIN_NS, Unanswered
from crossbook.client.session import CATCH_UP_NS, LOGONS_PER_REQUEST, ClientSession
from crossbook.common.messages.codec import decode_requests, encode
from crossbook.common.messages.entry import (
    TOKEN_BYTES,
    Ack,
    CatchUp,
    CaughtUp,
    Execution,
    Logon,
    New,
    Ping,
    Pong,
    Reject,
    Reply,
    Request,
    Welcome,
)
from crossbook.common.types import ExecutionKind, RejectReason

SECOND = 1_000_000_000
TOKEN = 5


def execution(seq: int, kind: int = 2, order_id: int = 1, trade_id: int = 0) -> Execution:
    return Execution(
        request_seq=0,
        seq=seq,
        symbol="BTC-USDT",
        order_id=order_id,
        client_order_id="",
        kind=kind,
        status=2,
        side=1,
        price_ticks=100,
        quantity_lots=1,
        filled_lots=1,
        remaining_lots=4,
        time_ns=0,
        trade_id=trade_id,
    )


def sent_by(session: ClientSession, now_ns: int = 0) -> list[Request]:
    sent: list[Request] = []
    for frame in session.frames(now_ns):
        requests, rejects = decode_requests(frame[TOKEN_BYTES:])
        assert not rejects
        sent += requests
    return sent


def give(session: ClientSession, *replies: Reply, now_ns: int = 0) -> None:
    session.receive(encode(list(replies)), now_ns)


def log_on(session: ClientSession, token: int = TOKEN, seq: int = 100) -> None:
    logon, ping = sent_by(session)
    assert isinstance(logon, Logon)
    assert isinstance(ping, Ping)
    give(
        session,
        Welcome(request_seq=logon.request_seq, token=token, account=7, gateway=1),
        Pong(ping.request_seq, seq, 0),
    )


def logged_on(seq: int = 100) -> ClientSession:
    session = ClientSession(account=7)
    session.open()
    log_on(session, seq=seq)
    return session


def lose_session(session: ClientSession, token: int = TOKEN + 1) -> None:
    """Make the gateway refuse the session of the next request; the client logs on again."""
    session.enqueue([Ping(0)], 100 * SECOND)
    (ping,) = sent_by(session)
    give(
        session,
        Reject(
            request_seq=ping.request_seq,
            reason=RejectReason.NOT_LOGGED_ON,
            field="token",
            text="who?",
        ),
    )
    log_on(session, token)


def requested(session: ClientSession, now_ns: int = 0) -> tuple[Ping | None, CatchUp]:
    """The requests of a session that fill its hole."""
    sent = sent_by(session, now_ns)
    catch_up = sent[-1]
    assert isinstance(catch_up, CatchUp), sent
    pings = [request for request in sent if isinstance(request, Ping)]
    return (pings[-1] if pings else None), catch_up


def kinds(session: ClientSession) -> list[tuple[int, int]]:
    received = [(each.seq, each.kind) for each in session.executions]
    session.executions.clear()
    return received


def test_a_hole_begins_after_the_last_report_received() -> None:
    session = logged_on(seq=100)
    lose_session(session)
    assert requested(session)[1].from_seq == 101
    session = logged_on(seq=100)
    give(session, execution(105))
    lose_session(session)
    # Of number 105 more may have been on its way.
    assert requested(session)[1].from_seq == 105


def test_executions_are_held_until_the_hole_is_filled_and_come_once_in_order() -> None:
    session = logged_on()
    give(session, execution(104, 1), execution(105, 2, trade_id=1))
    assert kinds(session) == [(104, 1), (105, 2)]
    lose_session(session)
    ping, catch_up = requested(session)
    assert ping is not None
    give(session, execution(120), Pong(ping.request_seq, 119, 0))
    assert kinds(session) == []
    expected = [execution(105, 2, trade_id=1), execution(105, 2, trade_id=2), execution(105, 4),
            execution(110, 1), execution(119, 2)]  # fmt: skip
    give(
        session,
        execution(119, 2),
        *expected,
        CaughtUp(request_seq=catch_up.request_seq, from_seq=105, to_seq=119, complete=True),
    )
    assert kinds(session) == [(105, 2), (105, 4), (110, 1), (119, 2), (120, 2)]
    assert not session.recovering
    give(session, execution(121))
    assert kinds(session) == [(121, 2)]
    assert (session.holes, session.last_seq) == (0, 121)


def test_pages_are_requested_until_the_number_of_the_ping() -> None:
    session = logged_on()
    lose_session(session)
    ping, first = requested(session)
    assert ping is not None
    give(session, Pong(ping.request_seq, 300, 0))
    give(
        session,
        execution(150),
        CaughtUp(request_seq=first.request_seq, from_seq=101, to_seq=200, complete=True),
    )
    assert kinds(session) == [(150, 2)]
    ping, second = requested(session)
    assert ping is None
    assert second.from_seq == 201
    give(
        session,
        execution(301),
        execution(250),
        CaughtUp(request_seq=second.request_seq, from_seq=201, to_seq=300, complete=True),
    )
    assert kinds(session) == [(250, 2), (301, 2)]
    assert not session.recovering


def test_an_execution_that_an_ack_stood_for_is_not_returned() -> None:
    session = logged_on()
    numbers = session.enqueue(
        [New(request_seq=0, symbol="BTC-USDT", side=1, quantity=1, price=1)] * 2, SECOND
    )
    sent_by(session)
    give(
        session,
        Ack(
            request_seq=numbers[0],
            seq=101,
            order_id=101,
            status=1,
            client_order_id="",
            remaining_lots=1,
            time_ns=0,
        ),
    )
    lose_session(session)
    (unknown,) = [
        outcome for _, outcome in session.drain_outcomes() if not isinstance(outcome, Ack)
    ]
    assert isinstance(unknown, Unanswered)
    ping, catch_up = requested(session)
    assert ping is not None
    new = ExecutionKind.NEW
    give(
        session,
        Pong(ping.request_seq, 102, 0),
        execution(101, new, 101),
        execution(102, new, 102),
        CaughtUp(request_seq=catch_up.request_seq, from_seq=101, to_seq=102, complete=True),
    )
    assert kinds(session) == [(102, new)]


def test_a_session_found_on_a_new_connection_catches_up() -> None:
    session = logged_on()
    give(session, Welcome(request_seq=0, token=TOKEN, account=7, gateway=1))
    ping, catch_up = requested(session)
    assert ping is not None
    give(
        session,
        Pong(ping.request_seq, 101, 0),
        execution(101),
        CaughtUp(request_seq=catch_up.request_seq, from_seq=101, to_seq=101, complete=True),
    )
    assert kinds(session) == [(101, 2)]
    assert session.losses == 0


def test_throttled_requests_are_sent_again_after_the_wait_of_the_gateway() -> None:
    session = logged_on()
    order = New(request_seq=0, symbol="BTC-USDT", side=1, quantity=1, price=1, client_order_id="a")
    (named,) = session.enqueue([order], 100 * SECOND)
    sent_by(session)
    lose_session(session)
    sent_by(session)
    give(
        session,
        Reject(
            request_seq=named,
            reason=RejectReason.THROTTLED,
            field="",
            text="",
            client_order_id="a",
            retry_after_ms=3_000,
        ),
    )
    assert not any(isinstance(each, New) for each in sent_by(session, 3 * SECOND - 1))
    assert any(isinstance(each, New) for each in sent_by(session, 3 * SECOND))


def test_throttled_catch_up_is_requested_again_after_the_wait_of_the_gateway() -> None:
    session = logged_on()
    lose_session(session)
    _, catch_up = requested(session)
    give(
        session, Reject(catch_up.request_seq, RejectReason.THROTTLED, "", "", retry_after_ms=3_000)
    )
    assert sent_by(session, 3 * SECOND - 1) == []
    requested(session, 3 * SECOND)


def test_a_busy_or_silent_catch_up_is_repeated_and_another_loss_begins_anew() -> None:
    session = logged_on()
    lose_session(session)
    _, catch_up = requested(session)
    give(
        session,
        Reject(request_seq=catch_up.request_seq, reason=RejectReason.BUSY, field="", text="later"),
    )
    assert sent_by(session, TRY_AGAIN_NS - 1) == []
    requested(session, TRY_AGAIN_NS)
    session.tick(TRY_AGAIN_NS + CATCH_UP_NS)
    _, catch_up = requested(session, 2 * CATCH_UP_NS)
    give(
        session,
        Reject(
            request_seq=catch_up.request_seq,
            reason=RejectReason.NOT_LOGGED_ON,
            field="token",
            text="who?",
        ),
    )
    log_on(session, TOKEN + 2)
    ping, catch_up = requested(session, 2 * CATCH_UP_NS)
    assert ping is not None
    assert catch_up.from_seq == 101
    give(
        session,
        Pong(ping.request_seq, 100, 0),
        CaughtUp(request_seq=catch_up.request_seq, from_seq=101, to_seq=100, complete=True),
    )
    assert not session.recovering
    assert session.holes == 0


@pytest.mark.parametrize(
    "end",
    [
        CaughtUp(request_seq=0, from_seq=110, to_seq=120, complete=False),
        CaughtUp(request_seq=0, from_seq=101, to_seq=40, complete=True),
        Reject(request_seq=0, reason=1, field="tag", text="what?"),
    ],
)
def test_a_hole_that_stays_is_reported(end: CaughtUp | Reject) -> None:
    session = logged_on()
    lose_session(session)
    ping, catch_up = requested(session)
    assert ping is not None
    give(session, Pong(ping.request_seq, 40 if end.__class__ is CaughtUp else 120, 0))
    fields = {**{name: getattr(end, name) for name in end.__struct_fields__}}
    give(session, type(end)(**{**fields, "request_seq": catch_up.request_seq}))
    assert (session.holes, session.missed_from, session.recovering) == (1, 101, False)


def test_named_order_is_sent_again_after_a_loss_and_busy_does_not_end_it() -> None:
    session = logged_on()
    orders = [
        New(request_seq=0, symbol="BTC-USDT", side=1, quantity=1, price=1, client_order_id="a"),
        New(request_seq=0, symbol="BTC-USDT", side=1, quantity=1, price=1),
    ]
    named, nameless = session.enqueue(orders, 10 * SECOND)
    sent_by(session)
    lose_session(session)
    ((number, outcome),) = session.drain_outcomes()
    assert number == nameless
    assert isinstance(outcome, Unanswered)
    assert [each.request_seq for each in sent_by(session) if isinstance(each, New)] == [named]
    give(
        session,
        Reject(
            request_seq=named, reason=RejectReason.BUSY, field="", text="later", client_order_id="a"
        ),
    )
    assert not any(isinstance(each, New) for each in sent_by(session, TRY_AGAIN_NS - 1))
    assert [type(each) for each in sent_by(session, TRY_AGAIN_NS)] == [New]
    answer = Ack(
        request_seq=named,
        seq=150,
        order_id=120,
        status=1,
        client_order_id="a",
        remaining_lots=1,
        time_ns=0,
        repeated=True,
    )
    give(session, answer)
    assert session.drain_outcomes() == [(named, answer)]


def test_a_named_order_without_an_answer_is_unknown_and_not_refused() -> None:
    session = logged_on()
    (named,) = session.enqueue(
        [New(request_seq=0, symbol="BTC-USDT", side=1, quantity=1, price=1, client_order_id="a")],
        10 * SECOND,
    )
    sent_by(session)
    lose_session(session)
    for again in range(LOGONS_PER_REQUEST + 1):
        assert named in [each.request_seq for each in sent_by(session)]
        give(
            session,
            Reject(
                request_seq=named, reason=RejectReason.NOT_LOGGED_ON, field="token", text="who?"
            ),
        )
        log_on(session, TOKEN + 10 + again)
    outcomes = dict(session.drain_outcomes())
    outcome = outcomes[named]
    assert isinstance(outcome, Unanswered)
    assert outcome.sent


class GrowingGateway:
    """A gateway with a growing history of one account; replies may be lost with a session."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.seq = 100
        self.history: list[Execution] = []
        self.token = 0
        self.open = False

    def trade(self) -> list[Execution]:
        """A command with its executions."""
        self.seq += 1
        count = self.rng.randint(0, 3)
        made = [execution(self.seq, trade_id=self.seq * 10 + i) for i in range(count)]
        self.history += made
        return made

    def answer(self, token: int, request: Request) -> list[Reply]:
        """The replies to one request."""
        number = request.request_seq
        if isinstance(request, Logon):
            self.token += 1
            self.open = True
            return [Welcome(request_seq=number, token=self.token, account=7, gateway=1)]
        known = self.open and token == self.token
        if not known and not (isinstance(request, Ping) and not token):
            return [
                Reject(
                    request_seq=number,
                    reason=RejectReason.NOT_LOGGED_ON,
                    field="token",
                    text="who?",
                )
            ]
        if isinstance(request, Ping):
            return [Pong(number, self.seq, 0)]
        assert isinstance(request, CatchUp)
        if self.rng.random() < 0.2:
            return [Reject(request_seq=number, reason=RejectReason.BUSY, field="", text="later")]
        to_seq = min(self.seq, request.from_seq + self.rng.randint(0, 20))
        found = [each for each in self.history if request.from_seq <= each.seq <= to_seq]
        return [
            *found,
            CaughtUp(
                request_seq=number,
                from_seq=request.from_seq,
                to_seq=max(to_seq, request.from_seq - 1),
                complete=True,
            ),
        ]


@pytest.mark.parametrize("seed", range(40))
def test_no_execution_is_lost_or_doubled(seed: int) -> None:
    rng = Random(seed)
    gateway = GrowingGateway(rng)
    session = ClientSession(account=7)
    session.open()
    received: list[Execution] = []
    wire: list[Reply] = []
    now_ns = 0
    for turn in range(400):
        now_ns += SECOND // 4
        well = not 3 < turn < 330
        if 3 < turn < 350:
            made = gateway.trade()
            wire += made if gateway.open else []
        for frame in session.frames(now_ns):
            token = int.from_bytes(frame[:TOKEN_BYTES], "big")
            requests, _ = decode_requests(frame[TOKEN_BYTES:])
            for request in requests:
                wire += gateway.answer(token, request)
        roll = rng.random()
        if not well and roll < 0.05:
            # The session is gone, with the replies on their way.
            gateway.open = False
            wire.clear()
        elif not well and roll < 0.1 and gateway.open:
            # Another connection: a part of the replies on their way is lost.
            del wire[rng.randint(0, len(wire)) :]
            wire.append(Welcome(request_seq=0, token=gateway.token, account=7, gateway=1))
        elif wire and (well or roll < 0.8):
            give(session, *wire, now_ns=now_ns)
            wire.clear()
        session.tick(now_ns)
        received += session.executions
        session.executions.clear()
    repeat = f"pytest tests/crossbook/client/test_recovery.py -k 'doubled and {seed}'"
    assert session.holes == 0, repeat
    assert received, repeat
    assert received == gateway.history, repeat


def test_a_base_received_later_counts_until_the_first_report() -> None:
    session = logged_on(seq=0)
    give(session, Pong(0, 500, 0))
    lose_session(session)
    assert requested(session)[1].from_seq == 501
    session = logged_on(seq=0)
    give(session, execution(3), Pong(0, 500, 0))
    lose_session(session)
    assert requested(session)[1].from_seq == 3


def test_a_named_order_is_sent_again_over_a_new_connection() -> None:
    session = logged_on()
    (named,) = session.enqueue(
        [New(request_seq=0, symbol="BTC-USDT", side=1, quantity=1, price=1, client_order_id="a")],
        10 * SECOND,
    )
    sent_by(session)
    give(session, Welcome(request_seq=0, token=TOKEN, account=7, gateway=1))
    assert named in [each.request_seq for each in sent_by(session)]
    give(
        session,
        Ack(
            request_seq=named,
            seq=150,
            order_id=120,
            status=1,
            client_order_id="a",
            remaining_lots=1,
            time_ns=0,
            repeated=True,
        ),
    )
    assert [number for number, _ in session.drain_outcomes()] == [named]
