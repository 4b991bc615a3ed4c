"""New secrets and pairs, and public keys from text and files."""

from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from crossbook.client.key_material import new_key_id, new_material, public_material
from crossbook.common.keys import Key, KeyScheme, Scope, is_drawn, key_faults, material_fault

ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RAW = ED25519.public_key().public_bytes_raw()
PEM = ED25519.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize("scheme", [KeyScheme.HMAC_SHA256, KeyScheme.ED25519, KeyScheme.CURVE])
def test_new_material_is_sound_and_never_the_same(scheme: KeyScheme) -> None:
    made = [new_material(scheme) for _ in range(3)]
    assert len({each.material for each in made}) == 3
    assert len({each.secret for each in made}) == 3
    for each in made:
        assert not material_fault(scheme, each.material)
        assert each.secret not in repr(each)


def test_a_new_rsa_pair_belongs_together() -> None:
    made = new_material(KeyScheme.RSA)
    private = load_pem_private_key(made.secret.encode(), None)
    public = private.public_key()
    assert made.material == public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert not material_fault(KeyScheme.RSA, made.material)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert public_material(KeyScheme.RSA, pem).material == made.material


def test_a_new_id_is_valid_for_a_key() -> None:
    key = Key(
        key_id=new_key_id(),
        scheme=KeyScheme.CURVE,
        material=bytes(32),
        scopes=Scope.READ,
        account=1,
    )
    assert not list(key_faults(key))
    assert len({new_key_id() for _ in range(100)}) == 100
    assert is_drawn(new_key_id())


@pytest.mark.parametrize("text", [PEM, RAW.hex(), b64encode(RAW).decode(), f"  {RAW.hex()}\n"])
def test_a_public_key_is_read_as_text_and_from_a_file(text: str, tmp_path: Path) -> None:
    made = public_material(KeyScheme.ED25519, text)
    assert (made.material, made.secret) == (RAW, "")
    path = tmp_path / "public"
    path.write_text(text)
    assert public_material(KeyScheme.ED25519, str(path)) == made


def test_a_curve_key_is_read_as_hexadecimal_digits() -> None:
    assert public_material(KeyScheme.CURVE, "ab" * 32).material == bytes.fromhex("ab" * 32)


@pytest.mark.parametrize(
    ("scheme", "text", "words"),
    [
        (KeyScheme.HMAC_SHA256, "00" * 32, "has a secret, and no public key"),
        (KeyScheme.ED25519, "no-file", "neither a file nor a public key: give PEM, 64 hex"),
        (KeyScheme.ED25519, b64encode(RAW[:31]).decode(), "has 31 bytes, not 32"),
        (KeyScheme.CURVE, "zz" * 32, "give 64 hexadecimal digits"),
        (KeyScheme.CURVE, PEM, "holds no key of curve"),
        (KeyScheme.RSA, PEM, "holds no key of rsa"),
        (KeyScheme.RSA, "00" * 32, "give PEM"),
        (KeyScheme.ED25519, "-----BEGIN PUBLIC KEY-----\nx\n", "holds no public key"),
        (KeyScheme.ED25519, new_material(KeyScheme.ED25519).secret, "is a private key: keep it"),
    ],
)
def test_other_text_is_refused_with_the_reason(scheme: KeyScheme, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        public_material(scheme, text)


def test_a_small_rsa_key_is_refused() -> None:
    small = generate_private_key(65_537, 1_024).public_key()
    pem = small.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValueError, match="has 1024 bits, at least 2048 are needed"):
        public_material(KeyScheme.RSA, pem)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "public"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="is no text"):
        public_material(KeyScheme.ED25519, str(path))
