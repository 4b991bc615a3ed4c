"""Probes one process of an exchange, over a socket that the process serves."""

import urllib.request
from collections.abc import Callable
from contextlib import closing
from ssl import SSLContext
from typing import Final, TypeVar
from urllib.error import URLError

import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.messages.codec import decode_metrics, decode_replies, encode
from crossbook.common.messages.entry import TOKEN_BYTES, Ping, Pong
from crossbook.common.messages.process_metrics import Metrics, MetricsRequest
from crossbook.common.process import sockets
from crossbook.common.process.address import whereabouts, within_reach
from crossbook.common.process.config import Settings
from crossbook.common.process.keyring import Realm
from crossbook.common.process.tls import own_context
from crossbook.errors import ProcessDown

_T = TypeVar("_T")

_REQUEST_ID: Final = 1
_BUILD_METRIC: Final = "crossbook_matcher_build"


def probe(settings: Settings, process: str, timeout_s: float) -> str:
    """Request an answer of a process; returns the address that answered.

    Raises `ProcessDown` when no answer comes in time. A gateway is probed at its order entry, or
    over HTTP where it has none.
    """
    if process == "gateway" and "orders" not in settings.gateway_roles:
        return _probe_http(settings, timeout_s)
    if process == "gateway":
        address = within_reach(settings.gateway_orders)
        frame = bytes(TOKEN_BYTES) + encode(Ping(_REQUEST_ID))
        replies = _exchange(address, frame, decode_replies, timeout_s, settings, Realm.ORDERS)
        if not any(isinstance(reply, Pong) for reply in replies):
            raise _stranger(address)
        return address
    address = within_reach(
        {
            "matcher": settings.matcher_sync,
            "publisher": settings.publisher_snapshots,
            "recorder": settings.recorder_history,
        }[process]
    )
    realm = Realm.FEED if process == "publisher" else Realm.INTERNAL
    _metrics(address, timeout_s, settings, realm)
    return address


def matcher_build(settings: Settings, timeout_s: float) -> str | None:
    """Which build of the engine the matcher runs, `pure` or `compiled`; None where the matcher
    cannot be reached from here."""
    try:
        text = _metrics(within_reach(settings.matcher_sync), timeout_s, settings).text
    except ProcessDown:
        return None
    # Imported here: the import takes as long as the rest of the command.
    from prometheus_client.parser import text_string_to_metric_families

    for family in text_string_to_metric_families(text):
        if family.name == _BUILD_METRIC:
            return str(family.samples[0].labels["build"])
    return None


def _metrics(
    address: str, timeout_s: float, settings: Settings, realm: Realm = Realm.INTERNAL
) -> Metrics:
    """The metrics of the process at `address`."""
    request = encode(MetricsRequest(_REQUEST_ID))
    return _exchange(address, request, decode_metrics, timeout_s, settings, realm)


def _exchange(
    address: str,
    frame: bytes,
    decode: Callable[[bytes], _T],
    timeout_s: float,
    settings: Settings,
    realm: Realm,
) -> _T:
    """Send one request and decode its answer; raises `ProcessDown` without one."""
    timeout_ms = round(timeout_s * 1000)
    keyring = settings.client_keyring()
    with (
        zmq.Context() as context,
        closing(sockets.metrics_dealer(context, address, keyring, realm)) as dealer,
    ):
        if not dealer.poll(timeout_ms, zmq.POLLOUT):
            fault = sockets.handshake_fault(address, realm, keyring)
            nobody = f"nothing listens at {address}{whereabouts(address)}"
            raise ProcessDown(f"{address}: {fault}" if fault else nobody)
        dealer.send(frame)
        if not dealer.poll(timeout_ms):
            raise ProcessDown(f"no answer from {address} in {timeout_s:g} s")
        try:
            return decode(dealer.recv())
        except BAD_BYTES:
            raise _stranger(address) from None


def _stranger(address: str) -> ProcessDown:
    return ProcessDown(f"{address} answers, but not as this process does")


def _probe_http(settings: Settings, timeout_s: float) -> str:
    base, tls = http_url(settings), http_tls(settings)
    try:
        with urllib.request.urlopen(f"{base}/health", timeout=timeout_s, context=tls):
            return base
    except (URLError, OSError) as error:
        raise ProcessDown(f"no answer from {base}/health: {error}") from error


def http_url(settings: Settings) -> str:
    """The URL of a gateway's HTTP server, on this machine where it is bound to every address."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "[::]": "[::1]"}.get(settings.api_host)
    scheme = "http" if settings.tls() is None else "https"
    return f"{scheme}://{host or settings.api_host}:{settings.api_port}"


def http_tls(settings: Settings) -> SSLContext | None:
    """The context for that URL: it accepts the certificate of these settings and no other. None
    without TLS."""
    tls = settings.tls()
    return None if tls is None else own_context(tls[0])
