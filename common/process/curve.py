"""Key pairs of ZeroMQ's CURVE, and the files that hold them.

A key file is TOML: `public` and `secret`, each 64 hexadecimal digits, and in the file of a client
`server`, the public key of the exchange. ZeroMQ's own text form of keys has characters that `.env`
files and shells read as their own, so it is not used.
"""

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import zmq
from msgspec import Struct
from zmq.utils import z85

from crossbook.common.errors import ConfigError
from crossbook.common.process.private import private_file, private_folder
from crossbook.common.text import utf8_text

KEY_BYTES: Final = 32

_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
_FIELDS: Final = ("public", "secret", "server")
_OTHERS: Final = 0o077
_INTERNAL: Final = b"crossbook inside"
"""Separates the derived key from any other use of the secret."""


class KeyPair(Struct, frozen=True):
    """A public key and its secret one, 32 bytes each."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public.hex()!r})"


class KeyFile(Struct, frozen=True):
    """What a key file holds; `server` is empty in the file of the exchange itself."""

    pair: KeyPair
    server: bytes = b""


def new_pair() -> KeyPair:
    """A new pair of the operating system's randomness."""
    public, secret = zmq.curve_keypair()
    return KeyPair(z85.decode(public), z85.decode(secret))


def pair_of(secret: bytes) -> KeyPair:
    """The pair of a secret key."""
    return KeyPair(z85.decode(zmq.curve_public(z85.encode(secret))), secret)


def internal_pair(pair: KeyPair) -> KeyPair:
    """The pair by which the processes of an exchange prove to each other that they have its key
    file: derived from the secret of `pair`, so that no key is used at both ends of a connection."""
    return pair_of(hashlib.blake2b(pair.secret, digest_size=KEY_BYTES, person=_INTERNAL).digest())


def parse_public(text: str) -> bytes:
    """The key of 64 hexadecimal digits; raises `ValueError`."""
    if not _HEX.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not a key of 64 hexadecimal digits")
    return bytes.fromhex(text)


def read_key_file(path: Path, setting: str) -> KeyFile:
    """The keys of a file that only its owner may read.

    Raises `ConfigError` naming the setting or option that named the file.
    """
    where = f"{setting}: {path}"
    try:
        mode = path.stat().st_mode & 0o777
        text = utf8_text(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(f"{where}: {error.strerror}") from error
    if mode & _OTHERS:
        raise ConfigError(
            f"{where} has mode {mode:04o}, so others may read the secret in it: chmod 600 {path}"
        )
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: {error}") from error
    keys = {name: _key(found, name, where) for name in _FIELDS if name != "server" or name in found}
    pair = pair_of(keys["secret"])
    if pair.public != keys["public"]:
        raise ConfigError(f"{where}: public is not the public key of secret")
    return KeyFile(pair, keys.get("server", b""))


def write_key_file(path: Path, held: KeyFile, remark: str) -> None:
    """Make a key file with mode 0600, and its folder where that is missing.

    Raises `ConfigError` for a file that exists: its secret may be in use.
    """
    lines = [f"# {remark}", f'public = "{held.pair.public.hex()}"']
    if held.server:
        lines.append(f'server = "{held.server.hex()}"')
    lines.append(f'secret = "{held.pair.secret.hex()}"')
    try:
        private_folder(path.parent)
        file = private_file(path, os.O_WRONLY | os.O_EXCL)
    except FileExistsError:
        raise ConfigError(f"{path} exists; remove it first if its key is no longer used") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    with open(file, "w", encoding="utf-8") as text:
        text.write("\n".join(lines) + "\n")


def make_exchange_key(path: Path) -> bool:
    """Make the key file of an exchange where there is none; whether it was made."""
    if path.exists():
        return False
    remark = "Key pair of a Crossbook exchange. Whoever has it may act for every account."
    write_key_file(path, KeyFile(new_pair()), remark)
    return True


def _key(found: Mapping[str, Any], name: str, where: str) -> bytes:
    text = found.get(name)
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        # Never the text itself: it may be a secret with a slip in it.
        raise ConfigError(f"{where}: {name} is not a key of 64 hexadecimal digits")
    return bytes.fromhex(text)
