"""A gateway accepts the signed requests of the client library, in every scheme."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from crossbook.common.errors import ConfigError
from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.gateway.auth.access import Asked, Signed
from crossbook.gateway.auth.key_access import KeyAccess
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.request_signer import RequestSigner

SECRET = "ae3f" * 16


def pem(private: Any) -> str:
    encoded: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return encoded.decode()


def keys() -> list[tuple[Key, str]]:
    """A key of each scheme, and its secret."""
    ed25519 = Ed25519PrivateKey.generate()
    long = rsa.generate_private_key(65_537, 2_048)
    der = long.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    materials = [
        (KeyScheme.HMAC_SHA256, SECRET.encode(), SECRET),
        (KeyScheme.ED25519, ed25519.public_key().public_bytes_raw(), pem(ed25519)),
        (KeyScheme.RSA, der, pem(long)),
    ]
    return [
        (Key(key_id="k", scheme=scheme, material=public, scopes=Scope.READ, account=7), secret)
        for scheme, public, secret in materials
    ]


@pytest.mark.parametrize("window_ms", [None, 100, 60_000])
def test_a_gateway_accepts_the_signed_requests(window_ms: int | None) -> None:
    for key, secret in keys():
        table = KeyTable()
        table.put(key)
        access = KeyAccess(table, time.time_ns, time.time_ns)
        signer = RequestSigner("k", secret, window_ms)
        target, body = "/api/v1/orders?limit=5", b'{"a":1}'
        headers = signer.headers("POST", target, body)
        request = Asked(
            method="POST", target=target.encode(), headers=(), peer="127.0.0.1", account=None
        )
        signed = Signed(
            headers["CROSSBOOK-KEY"],
            headers["CROSSBOOK-TIMESTAMP"],
            headers["CROSSBOOK-SIGNATURE"],
            headers.get("CROSSBOOK-RECV-WINDOW", ""),
        )
        assert signed.recv_window == ("" if window_ms is None else str(window_ms))
        assert access.check(request, signed, Scope.READ, body) is key
        request = Asked(
            method="GET", target=b"/ws/orders", headers=(), peer="127.0.0.1", account=None
        )
        assert access.check(request, Signed(**signer.sign_in()), Scope.READ, b"") is key


def test_no_two_requests_have_the_same_timestamp() -> None:
    signer = RequestSigner("k", SECRET)
    times = [int(signer.headers("GET", "/")["CROSSBOOK-TIMESTAMP"]) for _ in range(1_000)]
    assert len(set(times)) == 1_000
    assert times == sorted(times)


@pytest.mark.parametrize("window_ms", [0, -1, 60_001])
def test_a_window_outside_the_limits_is_refused(window_ms: int) -> None:
    with pytest.raises(ValueError, match=f"recv_window_ms={window_ms}: .* from 1 to 60000"):
        RequestSigner("k", SECRET, window_ms)


def test_pem_that_holds_no_such_key_is_refused() -> None:
    with pytest.raises(ValueError, match="neither of Ed25519 nor of RSA"):
        RequestSigner("k", pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(ValueError, match="PEM"):
        RequestSigner("k", "-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----\n")


def test_no_secret_is_shown() -> None:
    assert repr(RequestSigner("k", SECRET)) == "RequestSigner('k')"


def test_a_key_is_read_from_a_file_of_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        RequestSigner.from_file(path)
    path.write_text('{"key_id":"k","secret":"' + SECRET + '","label":"desk"}')
    os.chmod(path, 0o640)
    with pytest.raises(ConfigError, match="other users may read this secret; chmod 600"):
        RequestSigner.from_file(path)
    os.chmod(path, 0o600)
    assert RequestSigner.from_file(path).key_id == "k"
    path.write_text("{}")
    with pytest.raises(ConfigError, match="key_id"):
        RequestSigner.from_file(path)
