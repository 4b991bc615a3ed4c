"""The time of a whole exchange with `CLOCK=manual`: moved at its matchers, and followed everywhere.

A matcher answers once its journal and its events are at the new time. Gateways, publishers and
recorders follow within milliseconds; a gateway's `GET /api/v1/time` answers when all of them have.
"""

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLContext
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from crossbook.client.admin_client import AdminClient, advance_all
from crossbook.client.connection import Keys
from crossbook.common.times import time_text
from crossbook.errors import AdvanceNotFollowed

PAUSE_S: Final = 0.05
"""Wait before a gateway that refused or is away gets another request."""

_ACCOUNT: Final = 2_000_000_003
"""The account of requests for the time: they take from the queries of no trader."""


class ExchangeClock:
    """The manual clock of an exchange, for use by one thread.

        with ExchangeClock(["ipc://data/admin.sock"], ["http://127.0.0.1:8000"]) as clock:
            clock.advance("1d")

    `admin` are the admin sockets of the matchers, in the order of shards, `gateways` the HTTP
    addresses of gateways with the role `api`: `advance` returns when each of them, with its
    publishers and recorders, has reached the new time. Without `record` the exchange has no
    recorders. `keys` are those of `AdminClient`.
    """

    def __init__(
        self,
        admin: Sequence[str],
        gateways: Sequence[str] = (),
        timeout_s: float = 5.0,
        *,
        record: bool = True,
        keys: Keys | None = None,
    ) -> None:
        self._gateways = list(gateways)
        self._record = record
        self._timeout_s = timeout_s
        self._stack = ExitStack()
        self._clients = [
            self._stack.enter_context(AdminClient(address, timeout_s, keys)) for address in admin
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._stack.close()

    def now_ns(self) -> int:
        """The present time, in nanoseconds since the Unix epoch; of several shards the latest."""
        return max(client.view().time_ns for client in self._clients)

    def advance(
        self, by: str | timedelta | None = None, *, to: str | datetime | None = None
    ) -> int:
        """Move the time by a duration or to a point in time; returns it, in nanoseconds since the
        Unix epoch, when everything has followed.

        See `AdminClient.advance`. Raises `AdvanceRefused` and `ValueError` as it does, and
        `AdvanceNotFollowed` where a gateway has not reached the time within `timeout_s`.
        """
        time_ns = self.move(by, to=to)
        self.wait_for(time_ns)
        return time_ns

    def move(self, by: str | timedelta | None = None, *, to: str | datetime | None = None) -> int:
        """As `advance`, but return when the matchers have moved."""
        return max(moved.time_ns for moved in advance_all(self._clients, by, to=to))

    def wait_for(self, time_ns: int) -> None:
        """Return when every gateway, with its publishers and recorders, has reached a time; raises
        `AdvanceNotFollowed`."""
        deadline_s = time.monotonic() + self._timeout_s
        for address in self._gateways:
            while fault := time_fault(address, time_ns, self._timeout_s, record=self._record):
                if time.monotonic() + PAUSE_S > deadline_s:
                    raise AdvanceNotFollowed(address, time_text(time_ns), fault)
                time.sleep(PAUSE_S)


def time_fault(
    address: str,
    time_ns: int,
    timeout_s: float,
    *,
    record: bool = True,
    tls: SSLContext | None = None,
) -> str:
    """Why a gateway is not known to have reached a time; empty when it has. Waits some two seconds
    for it, and `timeout_s` for any answer."""
    place = urlsplit(address)
    host = place.hostname or ""
    connection = HTTPConnection(host, place.port, timeout=timeout_s)
    if place.scheme == "https":
        connection = HTTPSConnection(host, place.port, timeout=timeout_s, context=tls)
    try:
        path = f"/api/v1/time?min_time_ns={time_ns}"
        target = path if record else f"{path}&record=false"
        connection.request("GET", target, headers={"X-Account": str(_ACCOUNT)})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 200:
            return ""
        return str(json.loads(body)["error"]["message"])
    except (OSError, HTTPException) as error:
        return f"it does not answer ({error})"
    except (ValueError, KeyError, TypeError):
        return "something else answers there"
    finally:
        connection.close()
