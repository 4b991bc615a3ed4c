"""Signatures of API keys over requests. No I/O.

`is_signed` checks any bytes, so that every face of the exchange can sign its own text. The native
interfaces sign `crossbook.common.signing.signed_text`.
"""

import hmac
from base64 import b64decode
from binascii import Error as NotDecoded
from binascii import unhexlify
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from crossbook.common.keys import Key, KeyScheme

SIGNATURE_MAX: Final = 1_400
"""Most characters of a signature: base64 of an RSA key of 8,192 bits, and a few."""

_READ_KEYS_MAX: Final = 1_024
"""Most public keys that are kept as read from their bytes."""


def is_signed(key: Key, text: bytes, signature: str, now_ns: int) -> bool:
    """Whether the owner of a key has signed a text.

    HMAC-SHA256: hexadecimal. Ed25519 and RSA (PKCS #1 v1.5 with SHA-256): base64. The comparison
    takes the same time whatever is given. Costs some 3 us for HMAC, 100 us for the others.

    >>> from crossbook.common.keys import Scope
    >>> key = Key("alice-1", KeyScheme.HMAC_SHA256, b"s" * 32, Scope.READ, 7)
    >>> is_signed(key, b"text", hmac.digest(b"s" * 32, b"text", "sha256").hex(), 0)
    True
    >>> is_signed(key, b"text", "00" * 32, 0), is_signed(key, b"text", "no", 0)
    (False, False)
    """
    if len(signature) > SIGNATURE_MAX:
        return False
    is_hmac = key.scheme == KeyScheme.HMAC_SHA256
    try:
        given = unhexlify(signature) if is_hmac else b64decode(signature, validate=True)
    except (NotDecoded, ValueError):
        return False
    check = _CHECKS.get(key.scheme)
    return check is not None and any(
        check(material, text, given) for material in key.materials(now_ns)
    )


def _has_hmac(secret: bytes, text: bytes, given: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(secret, text, "sha256"), given)


def _has_ed25519(public: bytes, text: bytes, given: bytes) -> bool:
    try:
        _ed25519_of(public).verify(given, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _has_rsa(public: bytes, text: bytes, given: bytes) -> bool:
    try:
        _rsa_of(public).verify(given, text, PKCS1v15(), SHA256())
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


@lru_cache(_READ_KEYS_MAX)
def _ed25519_of(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)


@lru_cache(_READ_KEYS_MAX)
def _rsa_of(public: bytes) -> RSAPublicKey:
    """Raises `ValueError` for the bytes of another kind of key."""
    found = load_der_public_key(public)
    if not isinstance(found, RSAPublicKey):
        raise ValueError("not an RSA key")
    return found


_CHECKS: Final = {
    KeyScheme.HMAC_SHA256: _has_hmac,
    KeyScheme.ED25519: _has_ed25519,
    KeyScheme.RSA: _has_rsa,
}
