"""Keys of tests, the functions that sign with them, and signed requests."""

import hmac
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.signing import signed_text

ALL: Final = Scope.READ | Scope.TRADE | Scope.ADMIN
Signs = Callable[[bytes], str]
"""Function from bytes to the text of their signature."""


class Owner(NamedTuple):
    """A key, and the function that signs with it."""

    key: Key
    sign: Signs

    def headers(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        at_ns: int,
        recv_window: str = "",
        digits: int = 19,
    ) -> dict[str, str]:
        """The headers of a signed request."""
        timestamp = str(at_ns)[:digits]
        text = signed_text(
            self.key.key_id, timestamp, recv_window, method, target.encode("latin-1"), body
        )
        found = {
            "CROSSBOOK-KEY": self.key.key_id,
            "CROSSBOOK-TIMESTAMP": timestamp,
            "CROSSBOOK-SIGNATURE": self.sign(text),
        }
        return found | ({"CROSSBOOK-RECV-WINDOW": recv_window} if recv_window else {})


def hmac_owner(
    key_id: str = "alice-1", scopes: Scope = ALL, account: int = 7, **more: object
) -> Owner:
    """A key of HMAC-SHA256."""
    secret = (key_id.encode() * 32)[:64]
    key = Key(key_id, KeyScheme.HMAC_SHA256, secret, scopes, account, **more)  # type: ignore[arg-type]
    return Owner(key, lambda text: hmac.digest(secret, text, "sha256").hex())


def ed25519_owner(key_id: str = "ed-1", scopes: Scope = ALL, account: int = 7) -> Owner:
    """A key of Ed25519."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = private.public_key().public_bytes_raw()
    key = Key(key_id, KeyScheme.ED25519, public, scopes, account)
    return Owner(key, lambda text: b64encode(private.sign(text)).decode())


@cache
def _rsa() -> RSAPrivateKey:
    return generate_private_key(65_537, 2_048)


def rsa_owner(key_id: str = "rsa-1", scopes: Scope = ALL, account: int = 7) -> Owner:
    """A key of RSA with 2,048 bits."""
    private = _rsa()
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = Key(key_id, KeyScheme.RSA, public, scopes, account)
    return Owner(key, lambda text: b64encode(private.sign(text, PKCS1v15(), SHA256())).decode())
