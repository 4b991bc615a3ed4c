"""The processes that `crossbook run` starts."""

import pytest

from crossbook.cli.run import programs

SHARDED = ("matcher", "publisher", "recorder")


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_every_process_but_the_gateway_runs_once_a_shard(shards: int) -> None:
    found = programs(shards, demo=False)
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
    plain, demo = programs(shards, demo=False), programs(shards, demo=True)
    assert demo[:-1] == plain
    assert demo[-1].name == "simulator"
    assert "simulate" in demo[-1].arguments
