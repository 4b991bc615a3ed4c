"""The real processes with `AUTH=on`, and API keys made at the matcher as an administrator does."""

import contextlib
import ssl
import urllib.request
from pathlib import Path
from typing import Any, Final, Protocol, Self
from urllib.error import HTTPError

import msgspec

from crossbook.client.admin_client import AdminClient
from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.commands import CreateKey
from crossbook.common.process.tls import own_context
from crossbook.request_signer import RequestSigner
from tests.system.exchange import Exchange

OWN: Final = {
    "MATCHER_COMMANDS": "ipc://{DATA_DIR}/commands.sock",
    "MATCHER_EVENTS": "ipc://{DATA_DIR}/events.sock",
    "MATCHER_SYNC": "ipc://{DATA_DIR}/sync.sock",
    "MATCHER_ADMIN": "ipc://{DATA_DIR}/admin.sock",
    "RECORDER_HISTORY": "ipc://{DATA_DIR}/history.sock",
}
"""Internal sockets without keys of their own."""


class Signs(Protocol):
    """Gives the headers of requests, as `RequestSigner` does."""

    def headers(self, method: str, target: str, body: bytes = b"") -> dict[str, str]:
        """The headers that sign a request."""


class KeyedExchange(Exchange):
    """As `Exchange`, with HTTP and `AUTH=on`; ready once HTTP answers."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(ready=False, **{"AUTH": "on", "GATEWAY_ROLES": "orders,api,streams",
                                         **OWN, **settings})  # fmt: skip

    def __enter__(self) -> Self:
        super().__enter__()
        with contextlib.ExitStack() as stack:
            stack.callback(self.close)
            for name in self._order:
                self.start(name)
            self.wait_until("HTTP answers", lambda: self.send(None, "GET", "/ready")[0] == 200)
            stack.pop_all()
        return self

    @property
    def admin(self) -> str:
        """Address of the matcher's administration."""
        return f"ipc://{self.data}/admin.sock"

    @property
    def api(self) -> str:
        """Address of the HTTP API."""
        secure = "s" if self._tls() is not None else ""
        return f"http{secure}://127.0.0.1:{self.api_port}"

    def add_key(
        self, key_id: str, account: int, scopes: Scope = Scope.READ | Scope.TRADE
    ) -> RequestSigner:
        """Make a key of HMAC-SHA256; return its signer once the gateway has the key."""
        secret = (key_id * 64)[:64]
        key = Key(
            key_id=key_id,
            scheme=KeyScheme.HMAC_SHA256,
            material=secret.encode(),
            scopes=scopes,
            account=account,
        )
        with AdminClient(self.admin) as admin:
            admin.act(CreateKey(gateway=0, request_seq=0, account=account, instrument=0, key=key))
        signer = RequestSigner(key_id, secret)
        self.wait_until(
            f"the gateway has key {key_id}",
            lambda: self.send(signer, "GET", "/api/v1/account")[0] != 401,
        )
        return signer

    def send(
        self, signer: Signs | None, method: str, target: str, body: object = None
    ) -> tuple[int, Any]:
        """Status and document of the answer to a request; status 0 without an answer."""
        payload = b"" if body is None else msgspec.json.encode(body)
        request = urllib.request.Request(f"{self.api}{target}", payload or None, method=method)
        request.add_header("Content-Type", "application/json")
        if signer is not None:
            for name, value in signer.headers(method, target, payload).items():
                request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=10, context=self._tls()) as answer:
                return answer.status, msgspec.json.decode(answer.read())
        except HTTPError as error:
            return error.code, msgspec.json.decode(error.read())
        except OSError:
            return 0, None

    def _tls(self) -> ssl.SSLContext | None:
        file = self.environment.get("TLS_CERTIFICATE")
        return own_context(Path(file)) if file is not None else None
