"""TLS contexts: an unusable file is refused with its setting, and the probe accepts only the
exchange's own certificate."""

import ssl
from pathlib import Path

import pytest

from crossbook.common.errors import ConfigError
from crossbook.common.process.tls import load_certificate, own_context, server_context
from tests.worlds.certificates import certificate


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """The client's end of a connection in memory; raises `ssl.SSLError`."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname="127.0.0.9"),
    )
    waiting = list(ends)
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    return ends[1]


def test_the_probe_accepts_the_own_certificate_by_any_name_and_no_other(tmp_path: Path) -> None:
    own, other = certificate(tmp_path, "venue.example"), certificate(tmp_path, "other.example")
    end = shake_hands(server_context(*own), own_context(own[0]))
    assert end.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server_context(*other), own_context(own[0]))


def test_old_protocols_are_refused(tmp_path: Path) -> None:
    assert server_context(*certificate(tmp_path)).minimum_version >= ssl.TLSVersion.TLSv1_2


def test_files_that_cannot_be_used_are_refused_with_their_setting(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    other = certificate(tmp_path, "other.example")[1]
    absent, garbage = tmp_path / "absent", tmp_path / "garbage"
    garbage.write_text("nothing")
    for files, text in (
        ((absent, key), f"TLS_CERTIFICATE={absent}: cannot be read: No such file"),
        ((pem, absent), f"TLS_KEY={absent}: cannot be read: No such file"),
        ((pem, tmp_path), f"TLS_KEY={tmp_path}: cannot be read: Is a directory"),
        ((garbage, key), "not a certificate in PEM and its private key"),
        ((pem, garbage), "not a certificate in PEM and its private key"),
        ((pem, other), "KEY_VALUES_MISMATCH"),
    ):
        with pytest.raises(ConfigError, match=text.replace("(", r"\(")):
            server_context(*files)


def test_a_refused_certificate_leaves_the_earlier_one(tmp_path: Path) -> None:
    own, other = certificate(tmp_path), certificate(tmp_path, "other.example")
    context = server_context(*own)
    garbage = tmp_path / "garbage"
    garbage.write_text("nothing")
    with pytest.raises(ConfigError):
        load_certificate(context, garbage, own[1])
    assert shake_hands(context, own_context(own[0]))
    load_certificate(context, *other)
    assert shake_hands(context, own_context(other[0]))
