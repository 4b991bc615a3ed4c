"""The journal that is kept of an exchange, with the digest of its decisions."""

from pathlib import Path

import pytest

from crossbook.matcher.journal.digest import journal_digest
from crossbook.testing import Exchange
from crossbook.testing.keeping import digest_of, keep


@pytest.mark.parametrize("shards", [1, 2])
def test_a_kept_journal_has_the_printed_digest(tmp_path: Path, shards: int) -> None:
    with Exchange(clock="manual", shards=shards, recorder=False) as exchange:
        before = exchange.journal_digest()
        exchange.advance("1d")
        shown = keep(exchange, tmp_path)
        digest = exchange.journal_digest()
    assert digest != before
    assert shown.splitlines()[-1] == f"digest of its decisions: {digest}"
    data = tmp_path / "data"
    kept = [data, *(data / f"shard-{shard}" for shard in range(1, shards))]
    assert shown.splitlines()[:-1] == [f"crossbook journal {folder}" for folder in kept]
    if shards == 1:
        assert journal_digest(data).digest == digest


def test_no_digest_is_printed_with_the_clock_of_the_machine(
    venue: Exchange, tmp_path: Path
) -> None:
    assert keep(venue, tmp_path) == f"crossbook journal {tmp_path / 'data'}"
    assert len(digest_of(venue)) == 64
