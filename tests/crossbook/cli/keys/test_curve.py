"""`crossbook keys curve-server` and `curve-client`: the files that they make, and their output."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossbook.cli.main import app
from crossbook.common.process.curve import new_pair, read_key_file

HEX = new_pair().public.hex()


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATA_DIR", "CURVE_KEY_FILE", "AUTH"):
        monkeypatch.delenv(name, raising=False)


def run(*words: str) -> tuple[int, str]:
    """Exit status and whole output."""
    result = CliRunner().invoke(app, ["keys", *words])
    return result.exit_code, result.output


def test_the_exchanges_key_is_made_once_and_its_public_key_shown() -> None:
    status, text = run("curve-server")
    path = Path("data/curve.key")
    held = read_key_file(path, "CURVE_KEY_FILE")
    public = held.pair.public.hex()
    assert (status, text) == (
        0, f"data/curve.key made; the public key of the exchange:\n{public}\n"
    )  # fmt: skip
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert held.pair.secret.hex() not in text
    status, text = run("curve-server", "--json")
    assert json.loads(text) == {"file": "data/curve.key", "public": public, "made": False}
    assert read_key_file(path, "CURVE_KEY_FILE") == held


def test_a_clients_key_file_names_the_exchange_of_this_machine() -> None:
    _, text = run("curve-server", "--json")
    status, client = run("curve-client", "alice.key", "--json")
    held = read_key_file(Path("alice.key"), "CLIENT_KEY_FILE")
    assert status == 0
    assert json.loads(client) == {"file": "alice.key", "public": held.pair.public.hex()}
    assert held.server.hex() == json.loads(text)["public"]


def test_a_clients_key_file_names_the_exchange_it_is_given() -> None:
    status, text = run("curve-client", "alice.key", "--server", HEX)
    held = read_key_file(Path("alice.key"), "CLIENT_KEY_FILE")
    assert status == 0
    assert held.server.hex() == HEX
    assert text.splitlines() == [
        "alice.key made; the public key of this client:", held.pair.public.hex()
    ]  # fmt: skip


def test_no_file_is_made_over_another_or_for_an_unknown_exchange() -> None:
    status, text = run("curve-client", "alice.key")
    assert status == 2
    assert "CURVE_KEY_FILE: data/curve.key: No such file" in text
    run("curve-client", "alice.key", "--server", HEX)
    status, text = run("curve-client", "alice.key", "--server", HEX)
    assert status == 2
    assert "alice.key exists" in text
    status, text = run("curve-client", "bob.key", "--server", "no key")
    assert status == 2
    assert "is not a key of 64 hexadecimal digits" in text
    assert not Path("bob.key").exists()
