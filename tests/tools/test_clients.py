"""Environments of clients: made once for their pins, and a failure leaves its reason."""

import sys
from pathlib import Path

import pytest

from tools import clients

NAME = "someclient"
DONE = [[sys.executable, "-c", ""]]
FAILS = [[sys.executable, "-c", "import sys; sys.exit('ERROR: no wheel of it for this machine')"]]


@pytest.fixture(name="place")
def fixture_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pins = tmp_path / "pins"
    pins.mkdir()
    (pins / f"{NAME}.txt").write_text("someclient==1.0\n")
    monkeypatch.setattr(clients, "PINS", pins)
    monkeypatch.setattr(clients, "PLACE", tmp_path / "environments")
    monkeypatch.setattr(clients, "ROOT", tmp_path)
    return tmp_path


def commands(monkeypatch: pytest.MonkeyPatch, wanted: list[list[str]]) -> None:
    monkeypatch.setattr(clients, "_commands", lambda name: wanted)


def test_an_environment_is_absent_until_it_is_installed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clients.absence(NAME) == "not installed: `make clients` does"
    commands(monkeypatch, DONE)
    assert clients.install(NAME) == ""
    assert clients.absence(NAME) == ""
    commands(monkeypatch, FAILS)
    assert clients.install(NAME) == "", "it is there"


def test_an_environment_that_is_made_by_hand_is_used_once_it_is_there(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "BY_HAND", {"other": "made by hand"})
    assert clients.absence("other") == "made by hand"
    assert "other" not in clients.names()
    program = Path(clients.interpreter("other"))
    program.parent.mkdir(parents=True)
    program.touch()
    assert clients.absence("other") == ""


def test_other_pins_make_an_environment_anew(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands(monkeypatch, DONE)
    clients.install(NAME)
    left = clients.PLACE / NAME / "left"
    left.touch()
    (clients.PINS / f"{NAME}.txt").write_text("someclient==1.1\n")
    assert clients.absence(NAME)
    clients.install(NAME)
    assert not clients.absence(NAME)
    assert not left.exists()


def test_a_failed_installation_is_absent_with_its_reason_until_it_succeeds(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands(monkeypatch, FAILS)
    clients.main([NAME])
    reason = "it cannot be installed: ERROR: no wheel of it for this machine"
    assert clients.absence(NAME) == reason
    assert capsys.readouterr().err == f"{NAME}: {reason}; going on without it\n"
    commands(monkeypatch, DONE)
    clients.main([NAME])
    assert clients.absence(NAME) == ""


def test_a_program_that_is_not_there_is_a_reason(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands(monkeypatch, [[str(place / "npm"), "ci"]])
    assert "No such file" in clients.install(NAME)


def test_an_unknown_client_ends_the_program_with_the_known_ones(place: Path) -> None:
    with pytest.raises(SystemExit, match=f"there is no client x; there are {NAME}, npm"):
        clients.main(["x"])


def test_the_pins_in_the_repository_are_installed_by_hash_and_from_nothing_else() -> None:
    assert {"ccxt", "python-binance", "npm"} <= set(clients.names())
    for name in clients.names():
        (*_, command) = clients._commands(name) if name != "npm" else [["npm", "ci"]]
        assert name == "npm" or command[-4:] == [
            "--no-deps", "--require-hashes", "-r", str(clients.PINS / f"{name}.txt"),
        ]  # fmt: skip
