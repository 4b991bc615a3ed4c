"""Every ZeroMQ socket of an exchange with keys, and every peer that it has to refuse."""

import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import zmq
from msgspec.structs import replace
from zmq.utils.monitor import parse_monitor_message

from crossbook import Client, GatewayUnavailable, MarketData, MarketDataError, OrderRejected
from crossbook.client.admin_client import AdminClient
from crossbook.common.errors import CrossbookError
from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.commands import CreateKey, SetInstrumentState, SetKeyEnabled
from crossbook.common.messages.entry import MassCancel, Reject
from crossbook.common.process.curve import KeyPair, new_pair
from crossbook.common.process.keyring import Keyring, Realm
from crossbook.common.types import InstrumentState, RejectReason
from tests.system.exchange import RECORDED, Exchange
from tests.system.session import RawSession

ACCOUNT = 7
BOTH = Scope.READ | Scope.TRADE
REFUSED = "refuses this key"
WITHOUT = "admits only clients with a key"
STRANGER = "not the one named server"

SOCKETS: dict[str, tuple[Realm, int]] = {
    "MATCHER_COMMANDS": (Realm.INTERNAL, zmq.PUSH),
    "MATCHER_EVENTS": (Realm.INTERNAL, zmq.SUB),
    "MATCHER_SYNC": (Realm.INTERNAL, zmq.DEALER),
    "MATCHER_ADMIN": (Realm.ADMIN, zmq.DEALER),
    "RECORDER_HISTORY": (Realm.INTERNAL, zmq.DEALER),
    "GATEWAY_ORDERS": (Realm.ORDERS, zmq.DEALER),
    "PUBLISHER_FEED": (Realm.FEED, zmq.SUB),
    "PUBLISHER_SNAPSHOTS": (Realm.FEED, zmq.DEALER),
}
"""Every socket that an exchange binds at tcp, and the kind of its peers."""

ADMITTED = {
    "trader": {Realm.ORDERS, Realm.FEED},
    "reader": {Realm.ORDERS, Realm.FEED},
    "boss": {Realm.ADMIN, Realm.FEED},
    "exchange": set(Realm),
}
"""The keys, each with the sockets that admit it."""


class KeyedExchange:
    """An exchange whose every socket has keys, and clients with keys of their own."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        assert exchange.keyring is not None
        self.own = exchange.keyring
        self.pairs: dict[str, KeyPair] = {}
        self.create("trader", BOTH, ACCOUNT)
        self.create("reader", Scope.READ, ACCOUNT)
        self.create("other", BOTH, 8)
        self.create("boss", Scope.ADMIN, 0)
        self.create("disabled", BOTH, ACCOUNT)
        self.create("elsewhere", BOTH, ACCOUNT, addresses=("192.0.2.0/24",))
        self.act(
            SetKeyEnabled(
                gateway=0, request_seq=0, account=0, instrument=0, key_id="disabled", enabled=False
            )
        )

    def admin(self, keys: Keyring | None = None, timeout_s: float = 5.0) -> AdminClient:
        address = self.exchange.addresses["MATCHER_ADMIN"]
        return AdminClient(address, timeout_s, keys or self.own)

    def act(self, command: CreateKey | SetKeyEnabled) -> None:
        with self.admin() as admin:
            admin.act(command)

    def create(
        self,
        key_id: str,
        scopes: Scope,
        account: int,
        *,
        addresses: tuple[str, ...] = (),
        expires_ns: int = 0,
    ) -> None:
        pair = self.pairs[key_id] = new_pair()
        key = Key(
            key_id=key_id,
            scheme=KeyScheme.CURVE,
            material=pair.public,
            scopes=scopes,
            account=account,
            addresses=addresses,
            expires_ns=expires_ns,
        )
        self.act(CreateKey(gateway=0, request_seq=0, account=account, instrument=0, key=key))

    def keys(self, name: str) -> Keyring:
        if name == "exchange":
            return self.own
        return Keyring(self.pairs[name], self.own.server_public)

    def client(self, name: str, account: int = ACCOUNT, timeout_s: float = 5.0) -> Client:
        return Client(self.exchange.orders, account, timeout_s, keys=self.keys(name))


def knock(address: str, kind: int, keyring: Keyring | None) -> str:
    """The first event of a handshake with these keys, or without any."""
    events = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    events |= zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    with (
        zmq.Context() as context,
        context.socket(kind) as made,
        context.socket(zmq.PAIR) as monitor,
    ):
        made.linger = 0
        if keyring is not None:
            made.curve_serverkey = keyring.server_public
            made.curve_publickey, made.curve_secretkey = keyring.own.public, keyring.own.secret
        made.monitor("inproc://events", events)
        monitor.connect("inproc://events")
        made.connect(address)
        assert monitor.poll(10_000), f"{address}: neither admitted nor refused"
        return str(zmq.Event(parse_monitor_message(monitor.recv_multipart())["event"]).name)


def refusal_of(client: Client, seconds: float = 20.0) -> OrderRejected:
    """The first refusal of a request. Earlier ones were accepted."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            client.mass_cancel()
        except OrderRejected as error:
            return error
    raise AssertionError("never refused")


def is_accepted(client: Client) -> bool:
    """Whether a request is accepted now."""
    try:
        client.mass_cancel()
    except OrderRejected:
        return False
    return True


@pytest.fixture(scope="module")
def world() -> Iterator[KeyedExchange]:
    with Exchange(AUTH="on", FEED_ACCESS="keyed", order=RECORDED) as exchange:
        yield KeyedExchange(exchange)


@pytest.mark.parametrize("setting", SOCKETS)
def test_every_socket_admits_its_keys_and_no_other(world: KeyedExchange, setting: str) -> None:
    realm, kind = SOCKETS[setting]
    address = world.exchange.addresses[setting]
    for name, realms in ADMITTED.items():
        outcome = knock(address, kind, world.keys(name))
        expected = "SUCCEEDED" if realm in realms else "FAILED_AUTH"
        assert outcome == f"HANDSHAKE_{expected}", name
    strangers = {name: world.keys(name) for name in ("disabled", "elsewhere")}
    strangers["unknown"] = Keyring(new_pair(), world.own.server_public)
    for name, keys in strangers.items():
        assert knock(address, kind, keys) == "HANDSHAKE_FAILED_AUTH", name
    without = knock(address, kind, None)
    other_server = knock(address, kind, replace(world.own, server_public=new_pair().public))
    for outcome in (without, other_server):
        assert outcome in ("HANDSHAKE_FAILED_PROTOCOL", "HANDSHAKE_FAILED_NO_DETAIL")


def test_a_client_trades_for_the_account_of_its_key_and_no_other(world: KeyedExchange) -> None:
    with world.client("trader") as client:
        ack = client.submit("BTC-USDT", "buy", "0.01", "50000")
        client.cancel("BTC-USDT", ack.order_id)
    with (
        pytest.raises(OrderRejected, match="this key is of account 7, not 8") as refused,
        world.client("trader", 8),
    ):
        pass
    assert (refused.value.reason, refused.value.field) == (RejectReason.FORBIDDEN, "account")


def test_a_key_of_scope_read_queries_and_trades_nothing(world: KeyedExchange) -> None:
    with world.client("reader") as client:
        assert client.open_orders() == []
        calls: tuple[Callable[[], object], ...] = (
            partial(client.submit, "BTC-USDT", "buy", "0.01", "50000"),
            partial(client.cancel, "BTC-USDT", 1),
            client.mass_cancel,
            partial(client.cancel_after, 1.0),
        )
        for call in calls:
            with pytest.raises(OrderRejected, match="this key has no scope trade") as refused:
                call()
            assert refused.value.reason == RejectReason.FORBIDDEN


def test_the_token_of_another_session_is_refused(world: KeyedExchange) -> None:
    orders = world.exchange.orders
    with (
        RawSession(orders, ACCOUNT, keyring=world.keys("trader")) as victim,
        RawSession(orders, 8, keyring=world.keys("other")) as thief,
    ):
        thief.token = victim.token
        stolen = thief.reply_to(MassCancel(thief.next_seq()))
        assert isinstance(stolen, Reject)
        assert stolen.reason == RejectReason.NOT_LOGGED_ON
        assert not isinstance(victim.reply_to(MassCancel(victim.next_seq())), Reject)


def test_a_key_that_is_disabled_loses_its_session_at_once_and_logs_on_once_it_is_enabled(
    world: KeyedExchange,
) -> None:
    world.create("brief", BOTH, 9)
    with world.client("brief", 9) as client:
        client.mass_cancel()
        world.act(
            SetKeyEnabled(
                gateway=0, request_seq=0, account=0, instrument=0, key_id="brief", enabled=False
            )
        )
        assert refusal_of(client).text == "key brief is disabled"
        with pytest.raises(GatewayUnavailable, match=REFUSED), world.client("brief", 9, 0.2):
            pass
        world.act(
            SetKeyEnabled(
                gateway=0, request_seq=0, account=0, instrument=0, key_id="brief", enabled=True
            )
        )
        world.exchange.wait_until("the key is enabled", lambda: is_accepted(client))


def test_a_key_that_expires_loses_its_session(world: KeyedExchange) -> None:
    world.create("short", BOTH, 10, expires_ns=time.time_ns() + 4_000_000_000)
    with world.client("short", 10) as client:
        refused = refusal_of(client)
        assert refused.text.startswith("key short expired at")
        assert refused.reason == RejectReason.FORBIDDEN


def test_a_keyed_feed_is_read_with_a_key(world: KeyedExchange) -> None:
    feed, snapshots = world.exchange.feed, world.exchange.snapshots
    with MarketData(feed, snapshots, ["BTC-USDT"], keys=world.keys("reader")) as market:
        market.wait_ready(10)
    for keys, why in ((None, WITHOUT), (world.keys("disabled"), REFUSED)):
        market = MarketData(feed, snapshots, ["BTC-USDT"], keys=keys)
        with market, pytest.raises(MarketDataError, match=why):
            market.wait_ready(0.2)


def test_a_refused_client_receives_the_reason(world: KeyedExchange) -> None:
    orders = world.exchange.orders
    other = Keyring(world.pairs["trader"], new_pair().public)
    for keys, why in ((None, WITHOUT), (world.keys("boss"), REFUSED), (other, STRANGER)):
        client = Client(orders, ACCOUNT, 0.2, keys=keys)
        with pytest.raises(GatewayUnavailable, match=why), client:
            pass


def test_an_administrator_acts_over_the_network_with_a_key_that_the_journal_names(
    world: KeyedExchange,
) -> None:
    world.create("deputy", Scope.ADMIN, 0)
    with world.admin(world.keys("deputy")) as deputy:
        view = deputy.view()
        assert view.instruments
        deputy.act(
            SetInstrumentState(
                gateway=0, request_seq=0, account=0, instrument=1, state=InstrumentState.OPEN
            )
        )
        assert "deputy" in world.exchange.log("matcher")
        world.act(
            SetKeyEnabled(
                gateway=0, request_seq=0, account=0, instrument=0, key_id="deputy", enabled=False
            )
        )
        with pytest.raises(CrossbookError, match="key deputy is disabled"):
            deputy.act(
                SetInstrumentState(
                    gateway=0, request_seq=0, account=0, instrument=1, state=InstrumentState.HALTED
                )
            )
    stranger = world.admin(world.keys("trader"), 0.2)
    with stranger, pytest.raises(GatewayUnavailable, match=REFUSED):
        stranger.view()
