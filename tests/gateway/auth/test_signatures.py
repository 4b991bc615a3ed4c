"""Signatures: every scheme, every part of the signed text, and text that is no signature."""

import hmac
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from crossbook.common.keys import KeyScheme
from crossbook.common.signing import signed_text
from crossbook.gateway.auth.signatures import is_signed
from tests.gateway.auth.keyed import Owner, ed25519_owner, hmac_owner, rsa_owner

OWNERS = pytest.mark.parametrize(
    "owner", [hmac_owner(), ed25519_owner(), rsa_owner()], ids=["hmac", "ed25519", "rsa"]
)
PARTS = ("alice-1", "1764500000000", "5000", "POST", b"/api/v1/orders?a=1", b'{"a":1}')


@OWNERS
def test_a_signature_of_a_key_is_valid_for_its_text_and_no_other(owner: Owner) -> None:
    text = signed_text(*PARTS)
    signature = owner.sign(text)
    assert is_signed(owner.key, text, signature, 0)
    assert not is_signed(owner.key, text + b" ", signature, 0)
    assert not is_signed(owner.key, text, owner.sign(b""), 0)


def test_hexadecimal_has_either_case() -> None:
    owner = hmac_owner()
    assert is_signed(owner.key, b"text", owner.sign(b"text").upper(), 0)


@OWNERS
@pytest.mark.parametrize(
    "signature", ["", "0", "zz", "é" * 64, "=" * 88, "A" * 88, "00" * 32, " " * 64, "0" * 2_000]
)
def test_text_that_is_no_signature_is_refused(owner: Owner, signature: str) -> None:
    assert not is_signed(owner.key, b"text", signature, 0)


@OWNERS
def test_a_signature_with_anything_around_it_is_refused(owner: Owner) -> None:
    signature = owner.sign(b"text")
    for around in (f" {signature}", f"{signature}\n", f"{signature}00", signature[:-2]):
        assert not is_signed(owner.key, b"text", around, 0)


def test_the_previous_secret_counts_until_the_overlap_ends() -> None:
    old, new = hmac_owner("old"), hmac_owner("new")
    key = replace(new.key, previous=old.key.material, previous_until_ns=100)
    assert is_signed(key, b"text", old.sign(b"text"), 99)
    assert not is_signed(key, b"text", old.sign(b"text"), 100)
    assert is_signed(key, b"text", new.sign(b"text"), 100)


def test_no_signature_is_valid_for_an_unreadable_key_or_one_that_cannot_sign() -> None:
    owner = hmac_owner()
    curve = replace(owner.key, scheme=KeyScheme.CURVE, material=bytes(32))
    assert not is_signed(curve, b"text", hmac.digest(bytes(32), b"text", "sha256").hex(), 0)
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    elliptic = point.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for material in (elliptic, b"\x30\x82" + bytes(300)):
        rsa = replace(owner.key, scheme=KeyScheme.RSA, material=material)
        assert not is_signed(rsa, b"text", b64encode(bytes(256)).decode(), 0)
