"""What an API key is made of, on its owner's side: new secrets, new pairs, and public keys as text.

A secret is made here, of the operating system's randomness. Of a pair only the public key is ever
sent.
"""

import secrets
from base64 import b64decode
from pathlib import Path
from typing import Final

from msgspec import Struct

from crossbook.common.keys import KeyScheme, material_fault

RSA_BITS: Final = 3_072
RSA_BITS_MIN: Final = 2_048

_PEM: Final = "-----BEGIN "


class NewMaterial(Struct, frozen=True):
    """The material that the exchange gets, and the text that the owner keeps: the secret of
    HMAC-SHA256 (64 hexadecimal digits of 256 random bits), else the private key (PEM, or
    hexadecimal digits for CURVE). Empty where the owner gave a public key."""

    material: bytes
    secret: str

    def __repr__(self) -> str:
        return "NewMaterial(...)"


def new_key_id() -> str:
    """An id that no other key has, but by chance of 1 to 2^63.

    >>> len(new_key_id())
    18
    """
    return f"k-{secrets.token_hex(8)}"


def new_material(scheme: KeyScheme) -> NewMaterial:
    """A new secret or pair. An RSA pair has 3,072 bits and takes some tenths of a second."""
    if scheme == KeyScheme.HMAC_SHA256:
        text = secrets.token_hex(32)
        return NewMaterial(text.encode(), text)
    if scheme == KeyScheme.CURVE:
        from crossbook.common.process.curve import new_pair

        pair = new_pair()
        return NewMaterial(pair.public, pair.secret.hex())
    # Imported here: few programs make keys, and the library takes long to import.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    if scheme == KeyScheme.ED25519:
        ed25519 = Ed25519PrivateKey.generate()
        pem = ed25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return NewMaterial(ed25519.public_key().public_bytes_raw(), pem.decode())
    rsa = generate_private_key(65_537, RSA_BITS)
    pem = rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    der = rsa.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return NewMaterial(der, pem.decode())


def public_material(scheme: KeyScheme, text: str) -> NewMaterial:
    """The material of a public key: PEM, or the name of a file with it; for Ed25519 and CURVE also
    64 hexadecimal digits, and for Ed25519 base64.

    Raises `ValueError` for other text, for a private key, and for a scheme without public keys.
    """
    if scheme == KeyScheme.HMAC_SHA256:
        raise ValueError("a key of hmac_sha256 has a secret, and no public key")
    material = _material(scheme, _text_of(text))
    if fault := material_fault(scheme, material):
        raise ValueError(f"the public key {fault}")
    return NewMaterial(material, "")


def _text_of(text: str) -> str:
    """The text itself, or that of the file it names."""
    text = text.strip()
    if text.startswith(_PEM) or "\n" in text:
        return text
    try:
        return Path(text).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError(f"{text} is no text") from None
    except OSError:
        return text


def _material(scheme: KeyScheme, text: str) -> bytes:
    if "PRIVATE KEY" in text:
        raise ValueError("that is a private key: keep it, and give the public key")
    if text.startswith(_PEM):
        return _of_pem(scheme, text)
    if scheme != KeyScheme.RSA and len(text) == 64:
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    if scheme == KeyScheme.ED25519:
        try:
            return b64decode(text, validate=True)
        except ValueError:
            pass
    kinds = {
        KeyScheme.ED25519: "PEM, 64 hexadecimal digits or base64",
        KeyScheme.RSA: "PEM",
        KeyScheme.CURVE: "64 hexadecimal digits",
    }
    raise ValueError(f"{text[:40]!r} is neither a file nor a public key: give {kinds[scheme]}")


def _of_pem(scheme: KeyScheme, text: str) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_public_key,
    )

    try:
        found = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("the PEM holds no public key") from None
    if scheme == KeyScheme.ED25519 and isinstance(found, Ed25519PublicKey):
        return found.public_bytes_raw()
    if scheme == KeyScheme.RSA and isinstance(found, RSAPublicKey):
        if found.key_size < RSA_BITS_MIN:
            raise ValueError(
                f"the RSA key has {found.key_size} bits, at least {RSA_BITS_MIN} are needed"
            )
        return found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    raise ValueError(f"the PEM holds no key of {scheme.name.lower()}")
