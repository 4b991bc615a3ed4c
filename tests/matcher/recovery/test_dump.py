"""The printed journal names who requested each act, shows no secret of an API key, and ends where
its reader does."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crossbook.common.instruments import example
from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.admin import AdminAct
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import CreateKey, MassCancelOrders, RotateKey
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.recovery import dump
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer

FIRST, SECOND = b"f1r5t" * 12, b"53c0nd" * 10
CURVE = Key(
    key_id="desk", scheme=KeyScheme.CURVE, material=b"\x07" * 32, scopes=Scope.TRADE, account=8
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The journal of a key that was created and rotated, of a CURVE key, and of a mass cancel."""
    disk = FileDisk(tmp_path)
    journal = Journal.open(disk, 7, encode([example()]), 64 * 1024)
    made = Sequencer(Engine([example()]), journal, EventResendBuffer(0))
    key = Key(
        key_id="alice",
        scheme=KeyScheme.HMAC_SHA256,
        material=FIRST,
        scopes=Scope.READ,
        account=7,
        label="bot",
    )
    for act, by in (
        (CreateKey(gateway=0, request_seq=0, account=7, instrument=0, key=key), "root"),
        (
            RotateKey(
                gateway=0,
                request_seq=0,
                account=0,
                instrument=0,
                key_id="alice",
                material=SECOND,
                overlap_ns=10**9,
            ),
            "root",
        ),
        (CreateKey(gateway=0, request_seq=0, account=8, instrument=0, key=CURVE), "local"),
        (MassCancelOrders(0, 0, 0), "local"),
    ):
        made.administer(AdminAct(1, act, by), 10**18)
    journal.close()
    disk.close()
    return tmp_path


def printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert dump.main([str(folder)]) == 0
    return capsys.readouterr().out


def test_every_act_has_the_administrator_and_its_own_fields(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.loads(line) for line in printed(folder, capsys).splitlines()]
    commands = [command for line in lines for command in line["commands"]]
    assert [(each["type"], each["requested_by"], each["act"]["type"]) for each in commands] == [
        ("Administer", "root", "CreateKey"),
        ("Administer", "root", "RotateKey"),
        ("Administer", "local", "CreateKey"),
        ("Administer", "local", "MassCancelOrders"),
    ]
    assert commands[0]["act"]["key"]["label"] == "bot"
    assert commands[1]["act"]["overlap_ns"] == 10**9
    (rotated,) = lines[1]["events"]
    assert rotated["key"]["overlap_until"] == "2001-09-09T01:46:41.000Z"
    (created,) = lines[2]["events"]
    assert created["key"]["public_keys"] == ["07" * 32]


def test_no_secret_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(folder, capsys)
    for secret in (FIRST, SECOND):
        assert any(secret in path.read_bytes() for path in folder.iterdir())
        for shown in (secret.decode(), secret.hex(), json.dumps(encode(secret).hex())):
            assert shown not in text
        assert secret[:10].decode() not in text


def test_a_reader_that_leaves_ends_the_program_without_a_word(folder: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    command = [sys.executable, "-m", dump.__spec__.name, str(folder)]
    with open(theirs, "wb") as closed:
        ended = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (-signal.SIGPIPE, b"")


def test_the_signals_of_the_process_stay_as_they_are(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGPIPE)
    assert printed(folder, capsys)
    assert signal.getsignal(signal.SIGPIPE) == before == signal.SIG_IGN
