"""The only place that sets ZeroMQ options: one function for each role of a socket.

ZeroMQ's defaults are unsafe here: unlimited message size, no handshake limit, no heartbeats,
silent drops. Every socket here has LINGER set, a size limit, heartbeats and a bounded queue; those
that strangers connect to are bounded by `Connections` instead.

With a `Keyring` a socket uses CURVE where the keyring covers its realm and address; without one it
is as open as its address.
"""

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from weakref import ReferenceType, ref

import zmq
from zmq.backend import Socket as _PlainSocket
from zmq.utils.monitor import parse_monitor_message

from crossbook.common.errors import ConfigError
from crossbook.common.process.address import is_ipv6, is_on_this_machine, within_reach
from crossbook.common.process.claim import Claim, Claimed, claim_endpoint
from crossbook.common.process.keyring import Keyring, Realm, is_covered

CLIENT_MESSAGE_MAX: Final = 1024 * 1024
"""A peer that sends a larger frame to a client-facing socket is disconnected by ZeroMQ."""

REQUEST_MESSAGE_MAX: Final = 16 * 1024
"""Likewise on sockets whose requests are short."""

SUBSCRIPTION_MAX: Final = 1_024
"""Likewise on PUB sockets, whose peers send subscriptions alone; one costs 48 times its bytes. A
handshake of CURVE has more than 500."""

INTERNAL_MESSAGE_MAX: Final = 1024 * 1024 * 1024
"""Limit between processes of the exchange: a sweep through 50,000 makers is one message."""

_COMMON: Final[dict[zmq.SocketOption, int]] = {
    zmq.LINGER: 0,
    zmq.HANDSHAKE_IVL: 5_000,
    zmq.HEARTBEAT_IVL: 2_000,
    zmq.HEARTBEAT_TIMEOUT: 10_000,
    zmq.RECONNECT_IVL: 50,
    zmq.RECONNECT_IVL_MAX: 1_000,
    zmq.BACKLOG: 4_096,
    zmq.TCP_KEEPALIVE: 1,
}

_LAST_MESSAGES: Final = {zmq.LINGER: 200}
"""Of sockets whose last messages, those of a process that stops, are still sent. Any other socket
has nothing but requests and subscriptions, and would wait for a peer that stopped before."""

_ON_THIS_MACHINE: Final = {zmq.RECONNECT_IVL: 2, zmq.RECONNECT_IVL_MAX: 16}
"""An attempt costs microseconds here, and every process starts while another waits for it."""

HANDSHAKE_WAIT_MS: Final = 1_000
"""How long a handshake is waited for to learn why it fails."""

HANDSHAKES_MAX: Final = 3
"""Most handshakes that end without a detail before that is taken for the answer."""

_HANDSHAKE_FAILED: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
_MONITOR: Final = "inproc://handshake"
_NO_KEYS: Final = "it uses no keys, and this client does"

FEED_QUEUE: Final = 10_000
"""Messages of the feed that wait for one subscriber."""

_QUIET: Final = {
    zmq.HEARTBEAT_IVL: 0,
    zmq.TCP_KEEPALIVE_IDLE: 10,
    zmq.TCP_KEEPALIVE_INTVL: 5,
    zmq.TCP_KEEPALIVE_CNT: 3,
    zmq.TCP_MAXRT: 30_000,
}
"""No heartbeats of ZeroMQ: the kernel finds a machine that is gone, within half a minute."""

_CROWD: Final = {**_QUIET, zmq.RCVHWM: 0}
"""For sockets that strangers connect to; docs/decisions/0037 has the reasons.

A queue that is full stops ZeroMQ's reading; a connection that ends then, with a heartbeat unread or
due, aborts the process (libzmq 4.3.5). So no queue is ever full: `Connections` bounds its bytes. A
heartbeat that ZeroMQ waits for costs it a search of all its timers, so it sends none. It answers
those of its peers, by which `Connections` finds the silent ones.
"""

_NOBLOCK: Final = int(zmq.NOBLOCK)
_SNDMORE: Final = int(zmq.SNDMORE)
_POLLIN: Final = int(zmq.POLLIN)

_INTERNAL: Final = {zmq.MAXMSGSIZE: INTERNAL_MESSAGE_MAX}
_CLIENT: Final = {zmq.MAXMSGSIZE: CLIENT_MESSAGE_MAX}
_REQUESTS: Final = {zmq.MAXMSGSIZE: REQUEST_MESSAGE_MAX}
_SUBSCRIPTIONS: Final = {zmq.MAXMSGSIZE: SUBSCRIPTION_MAX}


def _socket(
    context: "zmq.Context[zmq.Socket[bytes]]", kind: int, *options: Mapping[Any, int]
) -> "zmq.Socket[bytes]":
    made = context.socket(kind)
    for table in (_COMMON, *options):
        for option, value in table.items():
            made.setsockopt(option, value)
    return made


_CLAIMS: "Final[list[tuple[ReferenceType[zmq.Socket[bytes]], Claim]]]" = []
"""Each socket bound to an ipc endpoint, and its claim of the endpoint. Without a claim ZeroMQ would
silently take over the endpoint of another process."""


def _bind(
    made: "zmq.Socket[bytes]",
    address: str,
    setting: str,
    keyring: Keyring | None = None,
    realm: Realm = Realm.INTERNAL,
) -> "zmq.Socket[bytes]":
    """Bind the socket to the address of a setting; raises `ConfigError` naming both."""
    if keyring is not None and keyring.covers(realm, address):
        assert keyring.server is not None, "the keys of a client, which binds nothing"
        made.setsockopt(zmq.CURVE_SERVER, 1)
        made.setsockopt(zmq.CURVE_SECRETKEY, keyring.server.secret)
        made.setsockopt(zmq.ZAP_DOMAIN, realm.encode())
        # Without a handler libzmq would admit every peer.
        made.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    try:
        if address.startswith("ipc://"):
            _bind_ipc(made, address)
        else:
            made.setsockopt(zmq.IPV6, int(is_ipv6(address)))
            made.bind(address)
    except Claimed as error:
        made.close()
        raise ConfigError(
            f"{setting}: cannot bind {address}: it is in use by process {error.owner}; end that "
            f"process, or give this exchange another DATA_DIR or {setting}"
        ) from error
    except (zmq.ZMQError, OSError) as error:
        made.close()
        reason = zmq.strerror(error.errno or 0)
        raise ConfigError(
            f"{setting}: cannot bind {address}: {reason}{_remedy(setting, error.errno)}"
        ) from error
    return made


def _bind_ipc(made: "zmq.Socket[bytes]", address: str) -> None:
    """Bind to an ipc endpoint that no process serves; only this user may connect to it."""
    for bound, claim in list(_CLAIMS):
        other = bound()
        if other is None or other.closed:
            claim.close()
            _CLAIMS.remove((bound, claim))
    claim = claim_endpoint(Path(address.removeprefix("ipc://")))
    # ZeroMQ makes the file in this thread, before `bind` returns.
    umask = os.umask(0o177)
    try:
        made.bind(address)
    except BaseException:
        claim.close()
        raise
    finally:
        os.umask(umask)
    _CLAIMS.append((ref(made), claim))


def _remedy(setting: str, number: int | None) -> str:
    if number == zmq.EADDRINUSE:
        return f"; end the process that has it, or set {setting} to another address"
    if number in (errno.ENODEV, zmq.EADDRNOTAVAIL):
        return (
            f"; {setting} takes an address of this machine or the name of a network interface, "
            "not a host name"
        )
    return ""


def _connect(
    made: "zmq.Socket[bytes]",
    address: str,
    keyring: Keyring | None = None,
    realm: Realm = Realm.INTERNAL,
) -> "zmq.Socket[bytes]":
    if keyring is not None and keyring.covers(realm, address):
        made.setsockopt(zmq.CURVE_SERVERKEY, keyring.server_public)
        made.setsockopt(zmq.CURVE_PUBLICKEY, keyring.own.public)
        made.setsockopt(zmq.CURVE_SECRETKEY, keyring.own.secret)
    address = within_reach(address)
    if is_on_this_machine(address):
        for option, value in _ON_THIS_MACHINE.items():
            made.setsockopt(option, value)
    try:
        made.setsockopt(zmq.IPV6, int(is_ipv6(address)))
        made.connect(address)
    except zmq.ZMQError as error:
        made.close()
        raise ConfigError(
            f"cannot connect to {address}: {zmq.strerror(error.errno or 0)}"
        ) from error
    return made


def commands_pull(
    context: Any, address: str, keyring: Keyring | None = None
) -> "zmq.Socket[bytes]":
    """The matcher's inbox; binds."""
    made = _socket(context, zmq.PULL, _INTERNAL, {zmq.RCVHWM: 10_000})
    return _bind(made, address, "MATCHER_COMMANDS", keyring)


def commands_push(
    context: Any, address: str, keyring: Keyring | None = None
) -> "zmq.Socket[bytes]":
    """A gateway's end of the matcher's inbox; connects. Send with NOBLOCK: EAGAIN means that the
    matcher is absent or the queue full. Nothing is queued for an absent matcher (IMMEDIATE)."""
    made = _socket(
        context, zmq.PUSH, _INTERNAL, _LAST_MESSAGES, {zmq.SNDHWM: 10_000, zmq.IMMEDIATE: 1}
    )
    return _connect(made, address, keyring)


def events_pub(context: Any, address: str, keyring: Keyring | None = None) -> "zmq.Socket[bytes]":
    """The matcher's events; binds. A subscriber that lags 10,000 batches loses some and requests
    them again."""
    made = _socket(context, zmq.PUB, _INTERNAL, _LAST_MESSAGES, {zmq.SNDHWM: 10_000})
    return _bind(made, address, "MATCHER_EVENTS", keyring)


def events_sub(context: Any, address: str, keyring: Keyring | None = None) -> "zmq.Socket[bytes]":
    """A replica's end of the matcher's events; connects and subscribes to everything."""
    made = _socket(context, zmq.SUB, _INTERNAL, {zmq.RCVHWM: 10_000})
    made.setsockopt(zmq.SUBSCRIBE, b"")
    return _connect(made, address, keyring)


def matcher_queries_router(
    context: Any, address: str, keyring: Keyring | None = None
) -> "zmq.Socket[bytes]":
    """The socket of matcher queries; binds."""
    made = _socket(context, zmq.ROUTER, _INTERNAL, _LAST_MESSAGES, {zmq.ROUTER_MANDATORY: 1})
    return _bind(made, address, "MATCHER_SYNC", keyring)


def matcher_queries_dealer(
    context: Any, address: str, keyring: Keyring | None = None
) -> "zmq.Socket[bytes]":
    """A replica's end of the matcher queries; connects."""
    made = _socket(context, zmq.DEALER, _INTERNAL, {zmq.IMMEDIATE: 1})
    return _connect(made, address, keyring)


def admin_router(context: Any, address: str, keyring: Keyring | None = None) -> "zmq.Socket[bytes]":
    """The matcher's socket for its administrator; binds."""
    made = _socket(context, zmq.ROUTER, _INTERNAL, _LAST_MESSAGES, {zmq.ROUTER_MANDATORY: 1})
    return _bind(made, address, "MATCHER_ADMIN", keyring, Realm.ADMIN)


def admin_dealer(context: Any, address: str, keyring: Keyring | None = None) -> "zmq.Socket[bytes]":
    """An administrator's end; connects. Nothing is queued for an absent matcher."""
    made = _socket(context, zmq.DEALER, _INTERNAL, {zmq.IMMEDIATE: 1})
    return _connect(made, address, keyring, Realm.ADMIN)


def faults_router(context: Any, address: str) -> "zmq.Socket[bytes]":
    """The socket of a process for its fault rules; binds. Its address follows from `DATA_DIR`."""
    made = _socket(context, zmq.ROUTER, _INTERNAL, _LAST_MESSAGES, {zmq.ROUTER_MANDATORY: 1})
    return _bind(made, address, "DATA_DIR")


def faults_dealer(context: Any, address: str) -> "zmq.Socket[bytes]":
    """A gateway's end of a process's fault rules; connects. Nothing is queued for an absent
    process (IMMEDIATE): send with NOBLOCK."""
    return _connect(_socket(context, zmq.DEALER, _INTERNAL, {zmq.IMMEDIATE: 1}), address)


def orders_router(
    context: Any, address: str, keyring: Keyring | None = None
) -> "zmq.Socket[bytes]":
    """The gateway's order-entry socket; binds. A reply to a client that is gone, or has left 1,000
    frames unread, fails instead of vanishing (ROUTER_MANDATORY with NOBLOCK). A frame may hold a
    thousand orders: a queue ten times as long would take hundreds of megabytes."""
    queue = {zmq.SNDHWM: 1_000, zmq.ROUTER_MANDATORY: 1}
    made = _socket(context, zmq.ROUTER, _CLIENT, _CROWD, _LAST_MESSAGES, queue)
    return _bind(made, address, "GATEWAY_ORDERS", keyring, Realm.ORDERS)


def orders_dealer(
    context: Any, address: str, keyring: Keyring | None = None
) -> "zmq.Socket[bytes]":
    """A client's order-entry socket; connects. It lingers a second to send a last cancel."""
    queue = {zmq.SNDHWM: 10_000, zmq.RCVHWM: 0, zmq.LINGER: 1_000, zmq.HEARTBEAT_IVL: 4_000}
    made = _socket(context, zmq.DEALER, _INTERNAL, queue)
    return _connect(made, address, keyring, Realm.ORDERS)


def feed_pub(context: Any, address: str, keyring: Keyring | None = None) -> "zmq.Socket[bytes]":
    """The public feed; binds. A stalled subscriber loses messages after 10,000 and recovers."""
    made = _socket(
        context, zmq.PUB, _SUBSCRIPTIONS, _CROWD, _LAST_MESSAGES, {zmq.SNDHWM: FEED_QUEUE}
    )
    return _bind(made, address, "PUBLISHER_FEED", keyring, Realm.FEED)


def feed_sub(context: Any, address: str, keyring: Keyring | None = None) -> "zmq.Socket[bytes]":
    """A consumer's end of the feed; connects. Subscribe with `zmq.SUBSCRIBE` per topic.

    SNDHWM is unlimited because a SUB socket's subscriptions count against it: with the default
    the 1,001st is lost silently. Without heartbeats the end of the connection behind a full queue
    harms nothing; the feed has its own.
    """
    made = _socket(context, zmq.SUB, _INTERNAL, _QUIET, {zmq.RCVHWM: 100_000, zmq.SNDHWM: 0})
    return _connect(made, address, keyring, Realm.FEED)


def snapshots_router(
    context: Any, address: str, keyring: Keyring | None = None
) -> "zmq.Socket[bytes]":
    """The publisher's request socket (snapshots, resends); binds."""
    made = _socket(
        context, zmq.ROUTER, _REQUESTS, _CROWD, _LAST_MESSAGES, {zmq.ROUTER_MANDATORY: 1}
    )
    return _bind(made, address, "PUBLISHER_SNAPSHOTS", keyring, Realm.FEED)


def snapshots_dealer(
    context: Any, address: str, keyring: Keyring | None = None
) -> "zmq.Socket[bytes]":
    """A consumer's end of the publisher's request socket; connects."""
    made = _socket(context, zmq.DEALER, _INTERNAL)
    return _connect(made, address, keyring, Realm.FEED)


def history_router(
    context: Any, address: str, keyring: Keyring | None = None
) -> "zmq.Socket[bytes]":
    """The recorder's request socket; binds."""
    made = _socket(context, zmq.ROUTER, _INTERNAL, _LAST_MESSAGES, {zmq.ROUTER_MANDATORY: 1})
    return _bind(made, address, "RECORDER_HISTORY", keyring)


def history_dealer(
    context: Any, address: str, keyring: Keyring | None = None
) -> "zmq.Socket[bytes]":
    """A gateway's or publisher's end of the recorder's request socket; connects. Nothing is queued
    for an absent recorder (IMMEDIATE): send with NOBLOCK."""
    made = _socket(context, zmq.DEALER, _INTERNAL, {zmq.IMMEDIATE: 1})
    return _connect(made, address, keyring)


def metrics_dealer(
    context: Any, address: str, keyring: Keyring | None = None, realm: Realm = Realm.INTERNAL
) -> "zmq.Socket[bytes]":
    """An end of any process's request socket, to request its metrics; connects. `realm` is that of
    the other end. Nothing is queued for an absent process (IMMEDIATE): send with NOBLOCK."""
    made = _socket(context, zmq.DEALER, _CLIENT, {zmq.IMMEDIATE: 1})
    return _connect(made, address, keyring, realm)


def zap_handler(context: Any) -> "zmq.Socket[bytes]":
    """The socket at which ZeroMQ requests the decisions about peers of this context; binds."""
    made = _socket(context, zmq.ROUTER, _CLIENT)
    made.bind("inproc://zeromq.zap.01")
    return made


def has_more(source: "zmq.Socket[bytes]") -> bool:
    """Whether a message waits. Costs a third of the exception of a receive that finds none."""
    return bool(zmq.zmq_poll([(source, _POLLIN)], 0))


def drained(source: "zmq.Socket[bytes]", limit: int) -> list[bytes]:
    """The frames that wait on a socket just reported ready, at most `limit`; never blocks.

    For sockets with one frame a message. After the first one it polls: a lone message, the usual
    case under little load, then costs no exception.
    """
    receive = source.recv
    frames: list[bytes] = []
    try:
        frames.append(receive(_NOBLOCK))
        if has_more(source):
            while len(frames) < limit:
                frames.append(receive(_NOBLOCK))
    except zmq.Again:
        pass
    return frames


def user_of(message: "zmq.Frame") -> str:
    """The user id that the handler of ZAP gave the connection of a message; for sockets with
    keys."""
    return str(message["User-Id"])


send_frame: Final = _PlainSocket.send
"""`zmq.Socket.send` of the C socket: half the cost, without the checks for draft socket types."""


def send_frames(target: "zmq.Socket[bytes]", frames: tuple[bytes, bytes, bytes]) -> None:
    """Send a feed message on a PUB socket, which never blocks. Costs a sixth of `send_multipart`,
    which checks every frame."""
    first, second, last = frames
    send_frame(target, first, _SNDMORE)
    send_frame(target, second, _SNDMORE)
    send_frame(target, last, 0)


def monitor_of(context: Any, watched: "zmq.Socket[bytes]") -> "zmq.Socket[bytes]":
    """ZeroMQ's messages about the connections that a bound socket accepts and loses. They queue
    without limit, because a full queue would block ZeroMQ's own thread."""
    address = f"inproc://connections-{id(watched)}"
    watched.monitor(address, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
    return _connect(_socket(context, zmq.PAIR, {zmq.RCVHWM: 0}), address)


def handshake_fault(
    address: str, realm: Realm, keyring: Keyring | None, timeout_ms: int = HANDSHAKE_WAIT_MS
) -> str:
    """Why a ROUTER socket of the exchange refuses handshakes with these keys; empty where it
    accepts them, or nothing listens there.

    For the errors of clients: ZeroMQ itself is silent about it. Opens connections of its own.
    """
    event, value = _handshake_end(address, realm, keyring, timeout_ms)
    uses_keys = is_covered(keyring, realm, address)
    # Which end of two with different mechanisms is first to close, and so the detail, is chance.
    if uses_keys and event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        without_keys, _ = _handshake_end(address, realm, None, timeout_ms)
        if without_keys == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            return _NO_KEYS
    return _handshake_text(event, value, uses_keys) if event else ""


def _handshake_end(
    address: str, realm: Realm, keyring: Keyring | None, timeout_ms: int
) -> tuple[int, int]:
    """ZeroMQ's event and its value at the end of a handshake; zeros where there is none.

    A connection that ends too soon for more detail is tried again by ZeroMQ.
    """
    with zmq.Context() as context:
        made, monitor = _socket(context, zmq.DEALER, _CLIENT), context.socket(zmq.PAIR)
        try:
            made.monitor(_MONITOR, zmq.EVENT_HANDSHAKE_SUCCEEDED | _HANDSHAKE_FAILED)
            monitor.connect(_MONITOR)
            _connect(made, address, keyring, realm)
            end = 0, 0
            for _ in range(HANDSHAKES_MAX):
                if not monitor.poll(timeout_ms):
                    break
                message = parse_monitor_message(monitor.recv_multipart())
                end = message["event"], message["value"]
                if end[0] != zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                    break
            return end
        finally:
            monitor.close(0)
            made.close(0)


def _handshake_text(event: int, value: int, uses_keys: bool) -> str:
    """What an event of a handshake means to a client, by what it proved."""
    if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
        return ""
    if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        return "it refuses this key: unknown, disabled, expired, or not for this socket or address"
    is_other = value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
    if not uses_keys:
        return "it admits only clients with a key, and this one has none (CLIENT_KEY_FILE)"
    if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL and is_other:
        return _NO_KEYS
    return "its key is not the one named server in this client's key file, or it is still starting"


def allow_many_sockets(context: Any) -> None:
    """Lift libzmq's default of 1,023 sockets in one context, for tools that hold many clients."""
    context.set(zmq.MAX_SOCKETS, min(65_536, context.get(zmq.SOCKET_LIMIT)))
