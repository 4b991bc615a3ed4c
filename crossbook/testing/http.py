"""HTTP to one gateway on a connection that is kept."""

import http.client
import json
import time
from contextlib import suppress
from itertools import cycle
from typing import Any, Final

from crossbook.request_signer import RequestSigner

TIMEOUT_S: Final = 10.0

_LOOK_UP_ACCOUNTS: Final = range(2_000_002_001, 2_000_003_001)
"""Accounts that nothing is entered for: each has queries of its own, which no bot lacks."""

_THROTTLED: Final = 429


class Http:
    """Requests to the gateway at a port of loopback, for use by one thread at a time; signed where
    there is a `signer`."""

    def __init__(self, port: int, signer: RequestSigner | None = None) -> None:
        self._port = port
        self._signer = signer
        self._connection: http.client.HTTPConnection | None = None
        self._accounts = cycle(_LOOK_UP_ACCOUNTS)
        self._retry_after_s = 0

    def look_up(self, path: str) -> tuple[int, Any]:
        """Status and JSON document of a question that is not the test's; raises as `request` does.

        No account of the test spends anything for it. Where the address has sent too much, the
        answer 429 is returned after the time that it names.
        """
        status, document = self.request("GET", path, account=next(self._accounts))
        if status == _THROTTLED:
            time.sleep(self._retry_after_s)
        return status, document

    def request(
        self, method: str, path: str, body: object = None, account: int | None = None
    ) -> tuple[int, Any]:
        """Status and JSON document of the answer; raises `OSError` where nothing answers."""
        headers = {} if account is None else {"X-Account": str(account)}
        payload = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            payload = json.dumps(body)
        fresh = self._connection is None
        try:
            return self._exchange(method, path, payload, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # A kept connection ends with its gateway; the next gateway may be there already.
            if not fresh and method == "GET":
                with suppress(http.client.HTTPException):
                    return self._exchange(method, path, payload, headers)
            raise error if isinstance(error, OSError) else ConnectionError(str(error)) from error

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(
        self, method: str, path: str, payload: str | None, headers: dict[str, str]
    ) -> tuple[int, Any]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                "127.0.0.1", self._port, timeout=TIMEOUT_S
            )
        if self._signer is not None:
            body = (payload or "").encode()
            headers = headers | self._signer.headers(method, path, body)
        self._connection.request(method, path, payload, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        self._retry_after_s = int(answer.headers.get("Retry-After", 0))
        return answer.status, json.loads(text) if text else None
