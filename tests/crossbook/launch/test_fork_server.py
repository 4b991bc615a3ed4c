"""The names under which a system shows the processes of an exchange."""

import pytest

from crossbook.launch.fork_server import MAINS, _title
from crossbook.launch.starter import PROCESSES, StartOrder


@pytest.mark.parametrize(
    ("environment", "title"),
    [
        ({}, "python -m crossbook.matcher"),
        ({"SHARD": "0", "SHARDS": "1"}, "python -m crossbook.matcher"),
        ({"SHARD": "1", "SHARDS": "2"}, "python -m crossbook.matcher (shard 1)"),
    ],
)
def test_a_process_is_shown_as_its_module_and_shard(
    environment: dict[str, str], title: str
) -> None:
    assert _title(StartOrder("crossbook.matcher", ".", environment)) == title


def test_every_process_that_is_forked_has_its_import() -> None:
    assert set(MAINS) == set(PROCESSES)
