"""Asks one process of an exchange whether it works, over a socket it has anyway."""

import re
import urllib.request
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final
from urllib.error import URLError

import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.messages.codec import decode_metrics, decode_replies, encode
from crossbook.common.messages.entry import TOKEN_BYTES, Ping, Pong
from crossbook.common.messages.process_metrics import Metrics, MetricsRequest
from crossbook.common.process import sockets
from crossbook.common.process.address import within_reach
from crossbook.common.process.config import Settings
from crossbook.errors import ProcessDown

_NUMBER: Final = 1
_BUILD: Final = re.compile(r'^crossbook_matcher_build{build="(\w+)"} 1', re.MULTILINE)


def probe(settings: Settings, process: str, timeout_s: float) -> str:
    """Where the process answered; raises `ProcessDown` when it does not within the time.

    A gateway is asked at its order entry, or over HTTP where it has none.
    """
    if process == "gateway" and "orders" not in settings.gateway_roles:
        return _probe_http(f"http://{_host(settings.api_host)}:{settings.api_port}", timeout_s)
    if process == "gateway":
        frame = bytes(TOKEN_BYTES) + encode(Ping(_NUMBER))
        return _probe_zmq(settings.gateway_orders, frame, _is_pong, timeout_s)
    address = {
        "matcher": settings.matcher_sync,
        "publisher": settings.publisher_snapshots,
        "recorder": settings.recorder_history,
    }[process]
    return _probe_zmq(address, encode(MetricsRequest(_NUMBER)), _is_metrics, timeout_s)


def matcher_build(settings: Settings, timeout_s: float) -> str | None:
    """Which build of the engine the matcher runs, `pure` or `compiled`; None where nobody can be
    asked: only those on the matcher's own socket are told."""
    found: list[str] = []

    def told(payload: bytes) -> bool:
        found.extend(_BUILD.findall(decode_metrics(payload).text))
        return True

    try:
        _probe_zmq(settings.matcher_sync, encode(MetricsRequest(_NUMBER)), told, timeout_s)
    except ProcessDown:
        return None
    return found[0] if found else None


def _probe_zmq(
    address: str, frame: bytes, is_answer: Callable[[bytes], bool], timeout_s: float
) -> str:
    address = within_reach(address)
    timeout_ms = round(timeout_s * 1000)
    with zmq.Context() as context, closing(sockets.metrics_dealer(context, address)) as dealer:
        if not dealer.poll(timeout_ms, zmq.POLLOUT):
            raise ProcessDown(f"nobody is at {address}")
        dealer.send(frame)
        if not dealer.poll(timeout_ms):
            raise ProcessDown(f"no answer from {address} in {timeout_s:g} s")
        try:
            if is_answer(dealer.recv()):
                return address
        except BAD_BYTES:
            pass
    raise ProcessDown(f"{address} answers, but not as this process does")


def _probe_http(base: str, timeout_s: float) -> str:
    try:
        with urllib.request.urlopen(f"{base}/health", timeout=timeout_s):
            return base
    except (URLError, OSError) as error:
        raise ProcessDown(f"no answer from {base}/health: {error}") from error


def _is_metrics(payload: bytes) -> bool:
    return isinstance(decode_metrics(payload), Metrics)


def _is_pong(payload: bytes) -> bool:
    replies: list[Any] = decode_replies(payload)
    return any(isinstance(reply, Pong) for reply in replies)


def _host(host: str) -> str:
    """A process that is bound to every address of this machine is asked at its loopback one."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]", "[::]": "[::1]"}.get(host, host)
