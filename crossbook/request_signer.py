"""Signed requests of a program of one's own, for any HTTP library.

    signer = RequestSigner("alice-1", secret)
    body = json.dumps(order).encode()
    httpx.post(url + "/api/v1/orders", content=body,
               headers=signer.headers("POST", "/api/v1/orders", body))

docs/reference/signing.md has the text that is signed. Keys of Ed25519 and RSA are given as PEM.
"""

import hmac
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import msgspec

from crossbook.common.errors import BAD_BYTES, ConfigError
from crossbook.common.signing import (
    KEY_HEADER,
    RECV_WINDOW_HEADER,
    RECV_WINDOW_MAX_MS,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    signed_text,
)

_PEM: Final = "-----BEGIN "
_OTHERS: Final = 0o077


class _KeyFile(msgspec.Struct):
    key_id: str
    secret: str


class RequestSigner:
    """Signs requests with one key; may be used by several threads.

    `secret` is that of an HMAC key, or the private key of an Ed25519 or RSA key in PEM. Raises
    `ValueError` for PEM that holds no such key, and for a window outside 1 to 60,000 ms.
    """

    def __init__(self, key_id: str, secret: str, recv_window_ms: int | None = None) -> None:
        if recv_window_ms is not None and not 0 < recv_window_ms <= RECV_WINDOW_MAX_MS:
            raise ValueError(
                f"recv_window_ms={recv_window_ms}: a number of milliseconds from 1 to "
                f"{RECV_WINDOW_MAX_MS}"
            )
        self.key_id = key_id
        self._window = "" if recv_window_ms is None else str(recv_window_ms)
        self._sign = _signs(secret)
        self._lock = threading.Lock()
        self._last_ns = 0

    @classmethod
    def from_file(cls, path: Path, recv_window_ms: int | None = None) -> Self:
        """The signer of a JSON file with `key_id` and `secret`; raises `ConfigError` for a file
        that cannot be read, that other users may read, or that holds something else."""
        try:
            if path.stat().st_mode & _OTHERS:
                raise ConfigError(f"{path}: other users may read this secret; chmod 600 {path}")
            found = msgspec.json.decode(path.read_bytes(), type=_KeyFile)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        except BAD_BYTES as error:
            raise ConfigError(f"{path}: not a key as JSON: {error}") from error
        return cls(found.key_id, found.secret, recv_window_ms)

    def __repr__(self) -> str:
        return f"RequestSigner({self.key_id!r})"

    def headers(self, method: str, target: str, body: bytes = b"") -> dict[str, str]:
        """The headers of one request, signed now.

        `target` is the path, with `?` and the query where there is one, exactly as it is sent;
        `body` is the bytes that are sent. No two requests get the same timestamp, so none is taken
        for a copy of another.
        """
        timestamp = str(self._next_ns())
        text = signed_text(
            self.key_id, timestamp, self._window, method, target.encode("latin-1"), body
        )
        found = {
            KEY_HEADER: self.key_id,
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: self._sign(text),
        }
        if self._window:
            found[RECV_WINDOW_HEADER] = self._window
        return found

    def sign_in(self, target: str = "/ws/orders") -> dict[str, str]:
        """The parameters of `sign_in`, for a WebSocket that was opened without headers."""
        sent = self.headers("GET", target)
        return {
            "key": sent[KEY_HEADER],
            "timestamp": sent[TIMESTAMP_HEADER],
            "signature": sent[SIGNATURE_HEADER],
            "recv_window": self._window,
        }

    def _next_ns(self) -> int:
        with self._lock:
            self._last_ns = max(time.time_ns(), self._last_ns + 1)
            return self._last_ns


def _signs(secret: str) -> Callable[[bytes], str]:
    """Returns the text of a signature over bytes."""
    if not secret.lstrip().startswith(_PEM):
        key = secret.encode("latin-1")
        return lambda text: hmac.digest(key, text, "sha256").hex()
    # Imported here: a secret needs none of it.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private = load_pem_private_key(secret.encode(), password=None)
    if isinstance(private, Ed25519PrivateKey):
        ed25519 = private
        return lambda text: b64encode(ed25519.sign(text)).decode()
    if isinstance(private, RSAPrivateKey):
        rsa = private
        return lambda text: b64encode(rsa.sign(text, PKCS1v15(), SHA256())).decode()
    raise ValueError("the private key is neither of Ed25519 nor of RSA")
