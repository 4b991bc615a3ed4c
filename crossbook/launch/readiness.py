"""The exchange's way to ready: its processes report it, and then the gateway does."""

import contextlib
import http.client
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from crossbook.common.errors import BAD_BYTES
from crossbook.common.process.config import Settings
from crossbook.common.process.tls import own_context

LOOK_S: Final = 0.01
"""Wait between two requests of `/ready`, once every process serves."""

ANSWER_S: Final = 5.0
_DATAGRAM_MAX: Final = 4096


class ReadySocket:
    """The socket at which processes report that they serve, and the pids that have."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="crossbook-run-"))
        self.address = str(self._folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._ready: set[int] = set()

    def wait(self, pids: Callable[[], Collection[int]], stopped: threading.Event) -> bool:
        """Return true once every one of `pids` has reported; false when `stopped` is set."""
        self._socket.settimeout(0.1)
        while not stopped.is_set():
            wanted = pids()
            if wanted and 0 not in wanted and self._ready.issuperset(wanted):
                return True
            with contextlib.suppress(TimeoutError):
                self._receive(self._socket.recv(_DATAGRAM_MAX))
        return False

    def close(self) -> None:
        """Remove the socket; later reports go nowhere."""
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _receive(self, datagram: bytes) -> None:
        values = dict(line.split("=", 1) for line in datagram.decode().splitlines() if "=" in line)
        if values.get("READY") == "1" and values.get("MAINPID", "").isdigit():
            self._ready.add(int(values["MAINPID"]))


class _Ready(Struct):
    status: str
    recorder: bool


def wait_for_gateway(settings: Settings, stopped: threading.Event) -> bool:
    """Return true once `/ready` of the gateway has every part; false when `stopped` is set.

    A gateway without HTTP is ready when it serves.
    """
    if settings.gateway_roles == {"orders"}:
        return not stopped.is_set()
    host, tls = settings.api_host.strip("[]"), settings.tls()
    connection = http.client.HTTPConnection(host, settings.api_port, timeout=ANSWER_S)
    if tls is not None:
        connection = http.client.HTTPSConnection(
            host, settings.api_port, timeout=ANSWER_S, context=own_context(tls[0])
        )
    while not stopped.is_set():
        with contextlib.suppress(OSError, http.client.HTTPException, *BAD_BYTES):
            connection.request("GET", "/ready")
            answer = connection.getresponse()
            found = msgspec.json.decode(answer.read(), type=_Ready)
            if answer.status == 200 and found.recorder:
                connection.close()
                return True
        time.sleep(LOOK_S)
    return False
