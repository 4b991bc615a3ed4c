"""The processes of an exchange, and the settings that place it."""

from pathlib import Path

import pytest

from crossbook.common.process.config import Settings
from crossbook.launch.layout import (
    STAGES,
    addresses_of,
    own_settings,
    process_environment,
    programs,
)
from crossbook.launch.ports import Ports

SHARDED = ("matcher", "publisher", "recorder")


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_every_process_but_the_gateway_runs_once_a_shard(shards: int) -> None:
    found = programs(shards)
    names = [each.name for each in found]
    assert names.count("gateway") == 1
    for process in SHARDED:
        own = [each for each in found if each.name.startswith(process)]
        if shards == 1:
            assert [each.name for each in own] == [process]
            assert own[0].environment == {}
        else:
            assert [each.name for each in own] == [f"{process}-{n}" for n in range(shards)]
            assert [each.environment for each in own] == [{"SHARD": str(n)} for n in range(shards)]


@pytest.mark.parametrize("shards", [1, 2])
def test_the_demo_has_a_simulator_beside_them_and_nothing_else(shards: int) -> None:
    plain, demo = programs(shards), programs(shards, demo_symbols=["BTC-USDT", "ETH-USDT"])
    assert demo[:-1] == plain
    assert demo[-1].name == "simulator"
    assert "simulate" in demo[-1].arguments
    assert "BTC-USDT,ETH-USDT" in demo[-1].arguments
    assert demo[-1].is_late


def test_every_program_has_a_stage_and_the_simulator_ends_first() -> None:
    stages = [each.stage for each in programs(2, demo_symbols=["BTC-USDT", "ETH-USDT"])]
    assert min(stages) == stages[-1] == STAGES["simulator"]
    assert set(stages) == set(STAGES.values())


@pytest.mark.parametrize("shards", [1, 2])
def test_settings_of_its_own_place_everything_in_the_folder_or_at_a_free_port(
    tmp_path: Path, shards: int
) -> None:
    ports = Ports()
    given = own_settings(tmp_path / "data", ports, shards=shards, instruments=tmp_path / "file")
    ports.close()
    assert given["INSTRUMENTS_FILE"] == str(tmp_path / "file")
    settings = Settings.model_validate({name.lower(): value for name, value in given.items()})
    taken = [str(settings.api_port)]
    for shard in settings.each_shard():
        folder = tmp_path / "data" / "shard-1" if shard.shard else tmp_path / "data"
        assert shard.matcher_admin == f"ipc://{folder}/admin.sock"
        assert shard.recorder_history == f"ipc://{folder}/history.sock"
        taken += [shard.publisher_feed, shard.publisher_snapshots]
    assert len(set(taken)) == 1 + 2 * shards


def test_an_environment_keeps_all_but_the_settings_of_another_exchange() -> None:
    found = process_environment(
        {"API_PORT": "1"}, {"HOME": "/there", "DATA_DIR": "theirs", "shard": "3"}
    )
    assert found == {"HOME": "/there", "API_PORT": "1"}


def test_addresses_are_those_of_every_shard(tmp_path: Path) -> None:
    file = tmp_path / "instruments.toml"
    file.write_text((Path(__file__).resolve().parents[3] / "instruments.toml").read_text())
    settings = Settings(
        api_host="[::1]", api_port=9, shards=2, data_dir=tmp_path, instruments_file=file
    )
    found = addresses_of(settings)
    assert found.http_url == "http://[::1]:9"
    assert found.websocket_url == "ws://[::1]:9/ws"
    assert found.feeds == ["tcp://127.0.0.1:5570", "tcp://127.0.0.1:5580"]
    assert found.administrators == [
        f"ipc://{tmp_path}/admin.sock", f"ipc://{tmp_path}/shard-1/admin.sock"
    ]  # fmt: skip
    assert "BTC-USDT" in found.instruments
