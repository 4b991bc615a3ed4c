"""Order entry of connections with keys: the owner of a session, its permitted requests, and its
end."""

from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.codec import encode
from crossbook.common.messages.entry import (
    Ack,
    Amend,
    Cancel,
    CancelAfter,
    CatchUp,
    CaughtUp,
    Execution,
    Instruments,
    ListInstruments,
    Logon,
    MassCancel,
    New,
    Ping,
    Pong,
    Query,
    QueryBalances,
    Reject,
    Reply,
    Request,
    Welcome,
)
from crossbook.common.peer_admission import EXCHANGE, user_of
from crossbook.common.types import RejectReason
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.gateway.orders.keyed_desk import KeyedDesk, nobody
from tests.worlds.desk_world import DeskWorld

FULL = Scope.READ | Scope.TRADE
ALICE = Key(key_id="alice", scheme=KeyScheme.CURVE, material=b"a" * 32, scopes=FULL, account=7)
READER = Key(
    key_id="reader", scheme=KeyScheme.CURVE, material=b"r" * 32, scopes=Scope.READ, account=7
)
BOB = Key(key_id="bob", scheme=KeyScheme.CURVE, material=b"b" * 32, scopes=FULL, account=8)
ORDER = New(request_seq=2, symbol="BTC-USDT", side=1, quantity="0.01", price="50000")

TRADING: list[Request] = [
    ORDER,
    Cancel(3, "BTC-USDT", 1),
    Amend(4, "BTC-USDT", 1, quantity="0.02"),
    MassCancel(5),
    CancelAfter(6, 0),
]
READING: list[Request] = [Query(7), QueryBalances(8), CatchUp(9, 1)]


class KeyedWorld(DeskWorld):
    """A desk behind keys: `identity` of a call is the address, `key` that of its connection."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = KeyTable()
        for key in (ALICE, READER, BOB):
            self.keys.put(key)
        self.now_ns = 1_000
        self.last: dict[bytes, list[Reply]] = {}
        self.keyed = KeyedDesk(self.desk, self.keys, str, lambda: self.now_ns)
        self.desk.admit_logon = self.keyed.admit_logon

    def replies_of(
        self, key: Key | str, token: int, *requests: Request, identity: bytes = b""
    ) -> Any:
        """The replies to one frame of a connection with a key; a single reply is returned bare."""
        user = key if isinstance(key, str) else user_of(key, key.material)
        address = identity or user.encode()
        frame = token.to_bytes(8, "big") + encode(list(requests))
        self.keyed.receive_frame(address, frame, user)
        self.settle()
        self.last = self.keyed.collect_replies()
        replies = self.last.get(address, [])
        return replies[0] if len(replies) == 1 else replies

    def session(self, key: Key | str, account: int, identity: bytes = b"") -> int:
        """The token of a new session."""
        welcome = self.replies_of(key, 0, Logon(1, account), identity=identity)
        assert isinstance(welcome, Welcome), welcome
        return welcome.token

    def received(self, key: Key) -> list[Any]:
        """The replies that wait for the connection of a key."""
        return self.keyed.collect_replies().get(user_of(key, key.material).encode(), [])


@pytest.fixture
def world() -> KeyedWorld:
    return KeyedWorld()


def is_forbidden(reply: Any, field: str) -> bool:
    return (reply.reason, reply.field) == (RejectReason.FORBIDDEN, field)


def test_a_logon_has_the_account_of_its_key(world: KeyedWorld) -> None:
    token = world.session(ALICE, 7)
    assert isinstance(world.replies_of(ALICE, token, ORDER), Ack)
    assert list(world.engine.accounts) == [7]


def test_a_logon_for_another_account_is_refused(world: KeyedWorld) -> None:
    refused = world.replies_of(ALICE, 0, Logon(1, 8))
    assert is_forbidden(refused, "account")
    assert refused.text == "this key is of account 7, not 8"
    assert len(world.desk.sessions) == 0


def test_a_logon_within_a_session_changes_no_account(world: KeyedWorld) -> None:
    token = world.session(ALICE, 7)
    assert is_forbidden(world.replies_of(ALICE, token, Logon(2, 8)), "account")
    assert isinstance(world.replies_of(ALICE, token, ORDER), Ack)


def test_the_token_of_another_key_names_no_session(world: KeyedWorld) -> None:
    token = world.session(ALICE, 7)
    for key in (BOB, READER, EXCHANGE):
        for stolen in world.replies_of(key, token, Query(3), Ping(4)):
            assert stolen.reason == RejectReason.NOT_LOGGED_ON
    assert world.replies_of(BOB, token, ORDER).reason == RejectReason.NOT_LOGGED_ON
    assert isinstance(world.replies_of(ALICE, token, ORDER), Ack)
    assert isinstance(world.replies_of(ALICE, token, Ping(5)), Pong)


def test_no_other_key_receives_replies_at_the_address_of_a_session(world: KeyedWorld) -> None:
    world.session(ALICE, 7, identity=b"chosen")
    stolen = world.replies_of(BOB, 0, ORDER, identity=b"chosen")
    assert stolen.reason == RejectReason.NOT_LOGGED_ON


def test_a_session_moves_with_its_key(world: KeyedWorld) -> None:
    token = world.session(ALICE, 7)
    welcome, ack = world.replies_of(ALICE, token, ORDER, identity=b"elsewhere")
    assert isinstance(welcome, Welcome)
    assert isinstance(ack, Ack)


@pytest.mark.parametrize("request_", TRADING, ids=lambda each: type(each).__name__)
def test_a_key_of_scope_read_may_not_trade(world: KeyedWorld, request_: Request) -> None:
    token = world.session(READER, 7)
    refused = world.replies_of(READER, token, request_)
    assert is_forbidden(refused, "key")
    assert refused.request_seq == request_.request_seq
    assert refused.text == "this key has no scope trade"
    assert world.engine.seq == 0


def test_a_key_of_scope_read_reads_and_receives_executions(world: KeyedWorld) -> None:
    reader, trader = world.session(READER, 7), world.session(ALICE, 7)
    assert isinstance(world.replies_of(READER, reader, *READING), CaughtUp)
    assert world.desk.queries_waiting == 2
    assert isinstance(world.replies_of(ALICE, trader, ORDER), Ack)
    world.replies_of(BOB, world.session(BOB, 8), replace(ORDER, side=2))
    (execution,) = world.last[user_of(READER, READER.material).encode()]
    assert isinstance(execution, Execution)


@pytest.mark.parametrize("request_", READING, ids=lambda each: type(each).__name__)
def test_a_key_of_scope_trade_may_not_read(world: KeyedWorld, request_: Request) -> None:
    world.keys.put(replace(ALICE, scopes=Scope.TRADE))
    token = world.session(ALICE, 7)
    assert is_forbidden(world.replies_of(ALICE, token, request_), "key")
    assert isinstance(world.replies_of(ALICE, token, ORDER), Ack)


def test_permitted_requests_of_a_frame_are_applied_and_each_is_answered(world: KeyedWorld) -> None:
    token = world.session(READER, 7)
    replies = world.replies_of(READER, token, Ping(1), ORDER, ListInstruments(3))
    assert [type(each) for each in replies] == [Reject, Pong, Instruments]


def test_unsound_requests_of_a_reader_are_answered_once(world: KeyedWorld) -> None:
    token = world.session(READER, 7)
    frame = token.to_bytes(8, "big") + encode([Ping(1), [2, "unsound"]])
    world.keyed.receive_frame(b"reader", frame, user_of(READER, READER.material))
    replies = world.keyed.collect_replies()[b"reader"]
    assert [type(each) for each in replies].count(Pong) == 1
    assert [each.reason for each in replies if isinstance(each, Reject)] == [RejectReason.MALFORMED]
    world.keyed.receive_frame(b"reader", b"short", user_of(READER, READER.material))
    assert len(world.keyed.collect_replies()[b"reader"]) == 1


def test_a_reader_has_no_orders_canceled_by_leaving(world: KeyedWorld) -> None:
    refused = world.replies_of(READER, 0, Logon(1, 7, cancel_on_disconnect=True))
    assert is_forbidden(refused, "cancel_on_disconnect")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (replace(ALICE, enabled=False), "key alice is disabled"),
        (replace(ALICE, expires_ns=1_000), "key alice expired at"),
        (replace(ALICE, material=b"z" * 32), "key alice is no longer the one of this connection"),
        (None, "key alice is no longer the one of this connection"),
    ],
)
def test_a_key_that_changes_loses_its_sessions_at_once(
    world: KeyedWorld, changed: Key | None, why: str
) -> None:
    token, other = world.session(ALICE, 7), world.session(BOB, 8)
    reading = world.session(READER, 7)
    if changed is None:
        world.keys.remove("alice")
    else:
        world.keys.put(changed)
    (notice,) = world.received(ALICE)
    assert is_forbidden(notice, "key")
    assert notice.text.startswith(why)
    assert is_forbidden(world.replies_of(ALICE, token, ORDER), "key")
    assert world.replies_of(ALICE, token, Ping(4)).reason == RejectReason.NOT_LOGGED_ON
    again = world.replies_of(ALICE, 0, Logon(5, 7))
    assert is_forbidden(again, "key")
    assert again.text.startswith(why)
    assert isinstance(world.replies_of(BOB, other, ORDER), Ack)
    assert isinstance(world.replies_of(READER, reading, Ping(1)), Pong)


def test_a_key_expires_while_nothing_else_happens(world: KeyedWorld) -> None:
    world.keys.put(replace(ALICE, expires_ns=2_000))
    world.session(ALICE, 7)
    world.now_ns = 1_999
    world.keyed.collect_notices()
    assert world.received(ALICE) == []
    world.now_ns = 2_000
    world.keyed.collect_notices()
    (notice,) = world.received(ALICE)
    assert notice.text.startswith("key alice expired at")


def test_the_overlap_of_a_rotation_ends_the_sessions_of_the_key_before(world: KeyedWorld) -> None:
    token = world.session(ALICE, 7)
    rotated = replace(
        ALICE, material=b"n" * 32, previous=ALICE.material, previous_until_ns=2_000
    )  # fmt: skip
    world.keys.put(rotated)
    assert isinstance(world.replies_of(ALICE, token, ORDER), Ack)
    new = world.session(rotated, 7)
    world.now_ns = 2_000
    world.keyed.collect_notices()
    (notice,) = world.received(ALICE)
    assert is_forbidden(notice, "key")
    assert isinstance(world.replies_of(rotated, new, Ping(1)), Pong)


def test_a_key_that_is_enabled_again_may_log_on_again(world: KeyedWorld) -> None:
    world.session(ALICE, 7)
    world.keys.put(replace(ALICE, enabled=False))
    assert is_forbidden(world.received(ALICE)[0], "key")
    assert is_forbidden(world.replies_of(ALICE, 0, Logon(1, 7)), "key")
    world.keys.put(ALICE)
    assert isinstance(world.replies_of(ALICE, world.session(ALICE, 7), ORDER), Ack)


def test_the_exchanges_own_key_may_log_on_for_any_account(world: KeyedWorld) -> None:
    for account in (7, 8, 2**31 - 1):
        assert isinstance(world.replies_of(EXCHANGE, world.session(EXCHANGE, account), ORDER), Ack)


def test_sessions_of_this_process_are_out_of_reach(world: KeyedWorld) -> None:
    local = world.desk.sessions.open(7, b"\0local-1")
    assert local is not None
    token = int.from_bytes(local.token, "big")
    assert world.replies_of(ALICE, token, ORDER).reason == RejectReason.NOT_LOGGED_ON
    world.keys.put(replace(ALICE, enabled=False))
    world.keyed.collect_replies()
    assert local.token in world.desk.sessions.by_token


def test_without_keys_no_connection_may_log_on(world: KeyedWorld) -> None:
    user = nobody(object())
    refused = world.replies_of(user, 0, Logon(1, 7))
    assert is_forbidden(refused, "key")
    assert "CURVE_KEY_FILE" in refused.text
    assert isinstance(world.replies_of(user, 0, Ping(2)), Pong)
    assert isinstance(world.replies_of(user, 0, ListInstruments(3)), Instruments)
    assert is_forbidden(world.replies_of(user, 0, ORDER), "key")


def test_addresses_are_not_remembered_without_limit(
    world: KeyedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossbook.gateway.orders.keyed_desk.USERS_MAX", 3)
    for number in range(9):
        world.replies_of(ALICE, 0, Ping(1), identity=b"%d" % number)
    token = world.session(ALICE, 7, identity=b"9")
    assert isinstance(world.replies_of(ALICE, token, ORDER, identity=b"9"), Ack)
    assert len(world.keyed._users) <= 4
