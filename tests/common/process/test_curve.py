"""Key pairs of CURVE and their files."""

import stat
from pathlib import Path

import pytest

from crossbook.common.errors import ConfigError
from crossbook.common.process.curve import (
    KeyFile,
    KeyPair,
    internal_pair,
    new_pair,
    pair_of,
    parse_public,
    read_key_file,
    write_key_file,
)

SECRET = bytes(range(32))
PAIR = pair_of(SECRET)
PUBLIC = "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f"
"""Of that secret, by RFC 7748."""


def test_the_public_key_of_a_secret_is_that_of_x25519() -> None:
    assert PAIR.public.hex() == PUBLIC


def test_a_pair_shows_no_secret() -> None:
    assert repr(PAIR) == f"KeyPair(public='{PUBLIC}')"
    assert SECRET.hex() not in repr(KeyFile(PAIR))


def test_new_pairs_differ_and_belong_together() -> None:
    first, second = new_pair(), new_pair()
    assert first != second
    assert pair_of(first.secret) == first


def test_the_internal_pair_follows_from_the_secret_and_is_another_one() -> None:
    assert internal_pair(PAIR) == internal_pair(KeyPair(PAIR.public, SECRET))
    assert not {PAIR.public, PAIR.secret} & set(vars_of(internal_pair(PAIR)))


def vars_of(pair: KeyPair) -> tuple[bytes, bytes]:
    return pair.public, pair.secret


def test_a_file_that_was_written_is_read_and_only_its_owner_may(tmp_path: Path) -> None:
    path = tmp_path / "new" / "alice.key"
    held = KeyFile(PAIR, new_pair().public)
    write_key_file(path, held, "The key of alice.")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("# The key of alice.\n")
    assert read_key_file(path, "CLIENT_KEY_FILE") == held


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "curve.key"
    write_key_file(path, KeyFile(PAIR), "First.")
    with pytest.raises(ConfigError, match=r"curve\.key exists"):
        write_key_file(path, KeyFile(new_pair()), "Second.")
    assert read_key_file(path, "CURVE_KEY_FILE").pair == PAIR


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "curve.key"
    write_key_file(path, KeyFile(PAIR), "Open.")
    path.chmod(mode)
    with pytest.raises(ConfigError, match=rf"^CURVE_KEY_FILE: .* has mode 0{mode:o}.*chmod 600"):
        read_key_file(path, "CURVE_KEY_FILE")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "public is not a key"),
        ("public = 7", "public is not a key"),
        (f'public = "{PUBLIC}"', "secret is not a key"),
        (f'public = "{PUBLIC}"\nsecret = "{SECRET.hex()[:-1]}"', "secret is not a key"),
        (f'public = "{"0" * 64}"\nsecret = "{SECRET.hex()}"', "public is not the public key"),
        (f'public = "{PUBLIC}"\nsecret = "{SECRET.hex()}"\nserver = "x"', "server is not a key"),
        ("public = ", "Invalid value"),
        ("\x00", "Invalid"),
    ],
)
def test_a_wrong_file_is_refused_without_its_secret(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "curve.key"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"^CURVE_KEY_FILE: .*{why}") as refused:
        read_key_file(path, "CURVE_KEY_FILE")
    assert SECRET.hex()[:20] not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^CLIENT_KEY_FILE: .*none: No such file"):
        read_key_file(tmp_path / "none", "CLIENT_KEY_FILE")


def test_a_public_key_is_64_hexadecimal_digits() -> None:
    assert parse_public(PUBLIC) == PAIR.public
    for text in ("", PUBLIC[1:], PUBLIC + "0", "z" + PUBLIC[1:], PUBLIC + "\n"):
        with pytest.raises(ValueError, match="is not a key of 64 hexadecimal digits"):
            parse_public(text)
