"""Exchanges side by side: exchanges that differ in DATA_DIR share nothing, and none takes over an
address."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crossbook.common.process.config import Settings
from crossbook.common.process.programs import MODULES
from tests.system.exchange import ADDRESS_SETTINGS, BOUND_BY, RECORDED, Exchange

DERIVED = {
    name: str(Settings.model_fields[name.lower()].default)
    for name in ADDRESS_SETTINGS
    if "{DATA_DIR}" in str(Settings.model_fields[name.lower()].default)
}
"""The internal sockets as they are by default."""


@pytest.fixture
def pair() -> Iterator[tuple[Exchange, Exchange]]:
    """Two whole exchanges, started in the same folder, that differ in ports and DATA_DIR."""
    database = "sqlite:///{DATA_DIR}/history.db"
    settings: dict[str, Any] = {**DERIVED, "DATABASE_URL": database}
    with (
        Exchange(order=RECORDED, DATA_DIR="one", **settings) as one,
        Exchange(ready=False, DATA_DIR="two", **settings) as two,
    ):
        two.directory = one.directory
        for name in RECORDED:
            two.start(name)
        two.wait_ready()
        yield one, two


def crossbook(exchange: Exchange, *words: str) -> dict[str, Any]:
    """The JSON output of a command, in the folder and environment of an exchange."""
    ran = subprocess.run(
        [sys.executable, "-m", "crossbook", *words, "--json"],
        cwd=exchange.directory, env=exchange.environment, timeout=60, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    document: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return document


def test_two_exchanges_in_one_folder_share_nothing(pair: tuple[Exchange, Exchange]) -> None:
    one, two = pair
    crossbook(one, "admin", "state", "BTC-USDT", "halted")
    states = [json.dumps(crossbook(each, "admin", "status")) for each in pair]
    assert "halted" in states[0].lower()
    assert "halted" not in states[1].lower()
    before = two.wait_ready()
    for _ in range(3):
        one.wait_ready()
    assert two.wait_ready() == before + 1, "no command of the one reached the other"
    for name in RECORDED:
        assert crossbook(one, "check", name)


def test_files_of_an_exchange_are_readable_by_their_owner_alone(
    pair: tuple[Exchange, Exchange],
) -> None:
    one, _ = pair
    one.wait_until("the record is there", (one.data / "history.db-wal").exists)
    found = {path: path.stat().st_mode for path in (one.data, *one.data.rglob("*"))}
    assert {path.name for path, mode in found.items() if stat.S_ISSOCK(mode)} == {
        Path(address).name for address in DERIVED.values()
    }
    modes = {path.name: stat.S_IMODE(mode) for path, mode in found.items()}
    assert modes.pop(one.data.name) == 0o700
    assert {"lock", "history.db-shm", "commands.sock.lock"} <= modes.keys()
    assert set(modes.values()) == {0o600}, modes


@pytest.mark.parametrize("name", RECORDED)
def test_a_second_process_of_a_role_is_refused_and_the_first_continues(
    pair: tuple[Exchange, Exchange], name: str
) -> None:
    one, _ = pair
    addresses = {setting: one.environment[setting] for setting in BOUND_BY[name]}
    placed: dict[str, Any] = {
        setting: text.replace("{DATA_DIR}", "one") for setting, text in addresses.items()
    }
    with Exchange(ready=False, DATA_DIR="three", **placed) as other:
        other.directory = one.directory
        ran = subprocess.run(
            [sys.executable, "-m", MODULES[name]], cwd=one.directory, env=other.environment,
            timeout=60, check=False, capture_output=True, text=True,
        )  # fmt: skip
    assert ran.returncode == 2, ran.stderr
    setting = BOUND_BY[name][0]
    assert f"{setting}: cannot bind {placed[setting]}" in ran.stderr
    assert "in use" in ran.stderr
    one.kill(name)
    one.start(name)
    assert one.wait_ready(), "a killed one leaves nothing that stops its next start"
