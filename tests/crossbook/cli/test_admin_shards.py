"""The shard whose administrator receives a command."""

import pytest

from crossbook.cli.admin_shards import NO_SHARD, AdminShards
from crossbook.cli.console import CommandError


def shards(count: int) -> AdminShards:
    """The administrators of so many shards, where no process listens."""
    return AdminShards([f"inproc://admin-{number}" for number in range(count)], 0.1)


@pytest.mark.parametrize(
    ("count", "shard", "taken"), [(1, NO_SHARD, 0), (1, 0, 0), (2, 0, 0), (2, 1, 1), (3, 2, 2)]
)
def test_a_command_goes_to_the_shard_it_names_or_to_the_only_one(
    count: int, shard: int, taken: int
) -> None:
    with shards(count) as those:
        assert those.named(shard) is those.clients[taken]


@pytest.mark.parametrize(("count", "shard"), [(1, 1), (2, NO_SHARD), (2, 2), (3, 3)])
def test_an_unknown_shard_is_refused_with_the_existing_ones(count: int, shard: int) -> None:
    with shards(count) as those, pytest.raises(CommandError, match=f"0 to {count - 1}") as refused:
        those.named(shard)
    assert refused.value.field == "shard"
