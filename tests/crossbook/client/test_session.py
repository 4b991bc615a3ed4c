"""The order-entry session without a socket: its requests, and the outcomes of answers."""

import pytest

from crossbook.client.logon import LOGON_RETRY_NS
from crossbook.client.pending import Unanswered, payloads
from crossbook.client.session import (
    KEEP_ALIVE_NS,
    LOGONS_PER_REQUEST,
    ClientSession,
)
from crossbook.common.errors import CodecError
from crossbook.common.messages.codec import MAX_CLIENT_FRAME, MAX_REQUESTS, decode_requests, encode
from crossbook.common.messages.entry import (
    TOKEN_BYTES,
    Ack,
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
from crossbook.common.types import RejectReason

SECOND = 1_000_000_000
TOKEN = 0x1122334455667788


def requests_of(frame: bytes) -> tuple[int, list[Request]]:
    requests, rejects = decode_requests(frame[TOKEN_BYTES:])
    assert not rejects
    return int.from_bytes(frame[:TOKEN_BYTES], "big"), list(requests)


def sent_by(session: ClientSession, now_ns: int = 0) -> list[tuple[int, list[Request]]]:
    return [requests_of(frame) for frame in session.frames(now_ns)]


def give(session: ClientSession, *replies: Reply, now_ns: int = 0) -> None:
    session.receive(encode(list(replies)), now_ns)


def logged_on(token: int = TOKEN) -> ClientSession:
    session = ClientSession(account=7, recover=False)
    session.open()
    ((_, (logon,)),) = sent_by(session)
    give(session, Welcome(request_seq=logon.request_seq, token=token, account=7, gateway=1))
    return session


def log_on_again(session: ClientSession, token: int) -> None:
    ((zero, (logon,)),) = sent_by(session)
    assert zero == 0
    assert isinstance(logon, Logon)
    give(session, Welcome(request_seq=logon.request_seq, token=token, account=7, gateway=1))


def ack(request_seq: int) -> Ack:
    return Ack(
        request_seq=request_seq,
        seq=100 + request_seq,
        order_id=100 + request_seq,
        status=1,
        client_order_id="",
        remaining_lots=5,
        time_ns=0,
    )


def not_logged_on(request_seq: int) -> Reject:
    return Reject(
        request_seq=request_seq,
        reason=RejectReason.NOT_LOGGED_ON,
        field="token",
        text="log on first",
    )


def execution(seq: int) -> Execution:
    return Execution(
        request_seq=0,
        seq=seq,
        symbol="BTC-USDT",
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


ORDER = New(request_seq=0, symbol="BTC-USDT", side=1, quantity=5, price=100)


def test_logon_goes_first_with_token_zero_and_requests_wait_for_welcome() -> None:
    session = ClientSession(account=7, recover=False)
    numbers = session.enqueue([ORDER], SECOND)
    assert sent_by(session) == [(0, [Logon(2, 7)])]
    assert sent_by(session) == []
    give(session, Welcome(request_seq=2, token=TOKEN, account=7, gateway=3))
    assert session.gateway == 3
    assert sent_by(session) == [
        (TOKEN, [New(request_seq=numbers[0], symbol="BTC-USDT", side=1, quantity=5, price=100)])
    ]
    assert sent_by(session) == []


def test_answers_find_their_requests_in_any_order() -> None:
    session = logged_on()
    first, second = session.enqueue([ORDER, Ping(0)], SECOND)
    sent_by(session)
    pong, acked = Pong(second, 9, 0), ack(first)
    give(session, pong, execution(5), acked)
    assert session.drain_outcomes() == [(second, pong), (first, acked)]
    assert list(session.executions) == [execution(5)]
    assert session.outstanding == 0


def test_a_request_without_an_answer_is_unknown_at_its_deadline() -> None:
    session = logged_on()
    (number,) = session.enqueue([ORDER], SECOND)
    sent_by(session)
    session.tick(SECOND - 1)
    assert session.drain_outcomes() == []
    session.tick(SECOND)
    ((found, outcome),) = session.drain_outcomes()
    assert found == number
    assert isinstance(outcome, Unanswered)
    assert outcome.sent


def test_deadlines_hold_in_any_order() -> None:
    session = logged_on()
    late = session.enqueue([ORDER], 3 * SECOND)
    early = session.enqueue([ORDER], SECOND)
    middle = session.enqueue([ORDER], 2 * SECOND)
    sent_by(session)
    for now, numbers in ((SECOND, early), (2 * SECOND, middle), (3 * SECOND, late)):
        session.tick(now - 1)
        assert session.drain_outcomes() == []
        session.tick(now)
        assert [number for number, _ in session.drain_outcomes()] == list(numbers)


def test_a_request_that_was_never_sent_certainly_did_not_happen() -> None:
    session = ClientSession(account=7, recover=False)
    session.enqueue([ORDER], SECOND)
    sent_by(session)
    session.tick(SECOND)
    ((_, outcome),) = session.drain_outcomes()
    assert isinstance(outcome, Unanswered)
    assert not outcome.sent
    give(session, Welcome(request_seq=2, token=TOKEN, account=7, gateway=1))
    assert sent_by(session) == []


def test_a_late_answer_is_kept_apart() -> None:
    session = logged_on()
    (number,) = session.enqueue([ORDER], SECOND)
    sent_by(session)
    session.tick(SECOND)
    session.drain_outcomes()
    give(session, ack(number))
    assert session.drain_outcomes() == []
    assert list(session.stray) == [ack(number)]


def test_a_lost_session_resends_refused_requests_and_gives_up_unanswered_ones() -> None:
    session = logged_on()
    first, second = session.enqueue([ORDER, ORDER], SECOND)
    sent_by(session)
    (third,) = session.enqueue([ORDER], SECOND)
    (fourth,) = session.enqueue([ORDER], SECOND)
    sent_by(session)
    # The gateway answered the first, restarted, and never received the second.
    give(session, ack(first), not_logged_on(third))
    (late,) = session.enqueue([ORDER], SECOND)
    log_on_again(session, token=99)
    give(session, not_logged_on(fourth))
    frames = sent_by(session)
    assert [token for token, _ in frames] == [99]
    assert [request.request_seq for request in frames[0][1]] == [third, fourth, late]
    outcomes = dict(session.drain_outcomes())
    assert outcomes.pop(first) == ack(first)
    unknown = outcomes.pop(second)
    assert isinstance(unknown, Unanswered)
    assert unknown.sent
    assert not outcomes
    assert session.losses == 1
    give(session, ack(third), ack(fourth), ack(late))
    assert [number for number, _ in session.drain_outcomes()] == [third, fourth, late]


def test_a_refusal_under_an_old_token_does_not_end_the_new_session() -> None:
    session = logged_on()
    (first,) = session.enqueue([ORDER], SECOND)
    sent_by(session)
    (second,) = session.enqueue([ORDER], SECOND)
    sent_by(session)
    give(session, not_logged_on(first))
    log_on_again(session, token=99)
    give(session, not_logged_on(second))
    assert session.token == 99
    assert session.losses == 1


def test_a_request_refused_in_every_session_is_reported_at_last() -> None:
    session = logged_on()
    (number,) = session.enqueue([ORDER], SECOND)
    sent_by(session)
    for token in range(1, LOGONS_PER_REQUEST + 1):
        give(session, not_logged_on(number))
        assert session.drain_outcomes() == []
        log_on_again(session, token)
        assert len(sent_by(session)) == 1
    give(session, not_logged_on(number))
    assert session.drain_outcomes() == [(number, not_logged_on(number))]


def test_logon_is_repeated_and_only_the_last_welcome_counts() -> None:
    session = ClientSession(account=7, recover=False)
    session.open()
    assert sent_by(session, 0) == [(0, [Logon(1, 7)])]
    assert sent_by(session, LOGON_RETRY_NS - 1) == []
    assert sent_by(session, LOGON_RETRY_NS) == [(0, [Logon(2, 7)])]
    # The wait doubles.
    assert sent_by(session, 3 * LOGON_RETRY_NS - 1) == []
    give(session, Welcome(request_seq=1, token=5, account=7, gateway=1))
    assert session.token == 0
    give(session, Welcome(request_seq=2, token=6, account=7, gateway=1))
    assert session.token == 6


def test_a_refused_logon_refuses_the_requests_that_wait_for_it() -> None:
    session = ClientSession(account=7, recover=False)
    (number,) = session.enqueue([ORDER], SECOND)
    sent_by(session)
    refusal = Reject(request_seq=2, reason=RejectReason.BUSY, field="", text="full")
    give(session, refusal)
    assert session.refused == refusal
    outcome = Reject(request_seq=number, reason=RejectReason.BUSY, field="", text="full")
    assert session.drain_outcomes() == [(number, outcome)]
    assert sent_by(session, 10 * SECOND) == []


def test_dropped_requests_are_neither_sent_nor_resent() -> None:
    session = logged_on()
    session.forget(session.enqueue([ORDER], SECOND))
    assert sent_by(session) == []
    numbers = session.enqueue([ORDER], SECOND)
    sent_by(session)
    session.forget(numbers)
    give(session, not_logged_on(numbers[0]))
    assert session.outstanding == 0
    assert session.drain_outcomes() == []


def test_silence_is_probed_with_a_ping_under_the_token() -> None:
    session = logged_on()
    session.tick(KEEP_ALIVE_NS)
    ((token, (probe,)),) = sent_by(session)
    assert token == TOKEN
    assert isinstance(probe, Ping)
    session.tick(KEEP_ALIVE_NS + 1)
    assert sent_by(session) == []
    give(session, Pong(probe.request_seq, 0, 0), now_ns=KEEP_ALIVE_NS + 1)
    assert session.drain_outcomes() == []
    session.tick(3 * KEEP_ALIVE_NS)
    ((_, (probe,)),) = sent_by(session)
    give(session, not_logged_on(probe.request_seq))
    assert session.losses == 1
    assert isinstance(sent_by(session)[0][1][0], Logon)


def test_bytes_that_are_no_replies_raise() -> None:
    session = logged_on()
    with pytest.raises(CodecError):
        session.receive(b"\xc1nonsense", 0)


def test_frames_keep_within_the_gateways_limits() -> None:
    wide = New(
        request_seq=1,
        symbol="B" * 20,
        side=1,
        quantity="9" * 40,
        price="9" * 40,
        order_type=1,
        time_in_force=1,
        client_order_id="ü" * 36,
        quote_amount="9" * 40,
    )
    requests = [wide] * (2 * MAX_REQUESTS + 1)
    made = payloads(requests)
    assert sum(count for _, count in made) == len(requests)
    assert all(len(payload) <= MAX_CLIENT_FRAME for payload, _ in made)
    assert all(count <= MAX_REQUESTS for _, count in made)
    assert payloads([]) == []
