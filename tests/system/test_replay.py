"""Recorded order flow through the three running processes, over ZeroMQ, as a user replays it."""

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crossbook.cli.main import app
from crossbook.common.following.feed_follower import FeedFollower
from crossbook.replay.sample_flow import NAME, sample_path
from tests.system.exchange import Exchange
from tests.worlds.lobster_venue import LobsterVenue

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

STREAMS = [
    # stem, commands, fills, book rows, digests
    ("bitstamp_BTCUSD", 49_489, 558, 4_986, 50),
    ("bitstamp_BTCUSD.raw", 49_698, 573, 0, 50),
    ("lobster_MSFT50_first1000", 1_223, 110, 920, 2),
]


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    with Exchange() as running:
        yield running


def replay(venue: Exchange, *words: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and reports of `crossbook replay --json`."""
    result = CliRunner().invoke(app, ["replay", "--json", *words], env=venue.addresses)
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


def all_of(count: int) -> dict[str, int]:
    return {"compared": count, "equal": count}


@pytest.mark.parametrize(("stem", "commands", "fills", "rows", "digests"), STREAMS)
def test_recorded_streams_replay_with_every_fill_row_and_digest_equal(
    venue: Exchange, stem: str, commands: int, fills: int, rows: int, digests: int
) -> None:
    path = DATA / f"{stem}.cmd.csv.gz"
    if not path.is_file():
        pytest.skip(f"no recorded stream at {path}: this clone lies beside no ../shared/data")

    status, [report] = replay(venue, str(path), "--clear")

    assert report["differences"] == []
    assert report["commands"] == commands
    assert report["fills"] == fills
    assert report["recorded_fills"] == all_of(fills)
    assert report["own_fills"] == all_of(fills)
    assert report["book_rows"] == all_of(rows)
    assert report["digests"] == all_of(digests)
    assert report["unanswered"] == report["unexpected_refusals"] == 0
    assert report["equal"] is True
    assert status == 0


def test_the_shipped_sample_replays_without_any_argument(venue: Exchange) -> None:
    status, [report] = replay(venue)

    assert report["symbol"].startswith("REPLAY-")
    assert report["commands"] == 3_000
    assert report["recorded_fills"] == all_of(754)
    assert report["book_rows"] == all_of(708)
    assert report["digests"] == all_of(6)
    assert (report["equal"], status) == (True, 0)


@pytest.mark.parametrize(("batch", "window"), [("1", "1"), ("7", "50"), ("1024", "3000")])
def test_batches_and_windows_change_nothing(venue: Exchange, batch: str, window: str) -> None:
    """The report is the same with one command at a time and with cancels that leave before their
    order's answer."""
    status, [report] = replay(venue, "--clear", "--batch", batch, "--window", window)

    assert report["differences"] == []
    assert status == 0


def test_several_files_follow_each_other_on_an_emptied_book(venue: Exchange) -> None:
    path = str(sample_path())

    status, reports = replay(venue, path, path, "--clear")

    assert [report["equal"] for report in reports] == [True, True]
    assert status == 0


def test_faster_than_recorded_keeps_the_recorded_pace(venue: Exchange) -> None:
    """The sample covers some twelve seconds: twenty times as fast it lasts more than half a
    second."""
    status, [report] = replay(venue, "--clear", "--speed", "20")

    assert report["speed"] == "20"
    assert 0.5 < report["seconds"] < 5.0
    assert status == 0


def test_lobster_files_replay(venue: Exchange, tmp_path: Path) -> None:
    recorded = LobsterVenue(11, levels=10)
    recorded.run(before=300, inside=900)

    path = recorded.write(tmp_path)
    status, [report] = replay(venue, str(path), "--clear")
    own_status, [own_report] = replay(venue, str(path))

    assert (own_report["equal"], own_status) == (True, 0)
    assert own_report["symbol"].startswith("REPLAY-")
    assert report["symbol"] == "MSFT-USD"
    assert report["differences"] == []
    assert report["recorded_fills"]["compared"] >= recorded.executions > 100
    assert report["book_rows"]["compared"] > 500
    assert (report["equal"], status) == (True, 0)


def copy_of_sample(folder: Path, kind: str, line: int, column: int, value: str) -> Path:
    """The sample with one value changed; returns its command file."""
    for path in sample_path().parent.glob(f"{NAME}.*"):
        shutil.copy(path, folder)
    path = folder / f"{NAME}.{kind}.csv.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    values = lines[line].split(",")
    assert values[column] != value
    values[column] = value
    lines[line] = ",".join(values)
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder / sample_path().name


@pytest.mark.parametrize(
    ("kind", "column", "value", "found"),
    [
        ("expect", 2, "1", "recorded_fills"),
        ("expect", 3, "6000000", "recorded_fills"),
        ("book", 2, "77", "book_rows"),
        ("digest", 1, "3", "digests"),
        ("digest", 2, "0" * 64, "digests"),
    ],
)
def test_a_corrupted_expectation_fails_the_report_and_the_exit_status(
    venue: Exchange, tmp_path: Path, kind: str, column: int, value: str, found: str
) -> None:
    path = copy_of_sample(tmp_path, kind, -1, column, value)

    status, [report] = replay(venue, str(path), "--clear")

    assert report["equal"] is False
    assert report[found]["equal"] == report[found]["compared"] - 1
    assert len(report["differences"]) == 1
    assert report["cause"] == "recording"
    assert report["differences_by"] == {"recording": 1, "exchange": 0}
    assert report["recording_breaks"] == 1
    assert status == 4


def test_lost_feed_messages_are_recovered(venue: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of nine messages of the feed the second is lost; the comparison misses nothing."""
    receive = FeedFollower.on_feed
    count = 0

    def lossy(self: FeedFollower, name: bytes, seq: int, payload: bytes) -> None:
        nonlocal count
        count += not name.startswith(b"heartbeat")
        if name.startswith(b"heartbeat") or count % 9 != 2:
            receive(self, name, seq, payload)

    monkeypatch.setattr(FeedFollower, "on_feed", lossy)

    status, [report] = replay(venue, "--clear", "--batch", "8")

    assert report["feed_gaps_recovered"] > 0
    assert report["differences"] == []
    assert status == 0


def test_a_book_in_use_is_refused_and_can_be_cleared(venue: Exchange) -> None:
    replay(venue, "--clear")

    status, [refusal] = replay(venue, "--symbol", "BTC-USDT")
    assert refusal["error"]["code"] == "BOOK_NOT_EMPTY"
    assert "--clear" in refusal["error"]["message"]
    assert status == 1

    status, [refusal] = replay(venue, "--clear", "--account", "77")
    assert "other accounts" in refusal["error"]["message"]
    assert status == 1

    status, [report] = replay(venue, "--keep-going", "--account", "78")
    assert (report["equal"], report["cause"]) == (False, "others")
    assert status == 1


def test_without_comparison_only_speed_is_reported(venue: Exchange) -> None:
    status, [report] = replay(venue, "--no-verify", "--symbol", "BTC-USDT")

    assert report["verified"] is False
    assert "fills" not in report
    assert report["commands_per_second"] > 0
    assert report["latency_us"]["p50"] <= report["latency_us"]["max"]
    assert status == 0


def test_a_busy_exchange_is_named_as_the_cause() -> None:
    """More commands without an answer than the gateway admits: refusals, not silence."""
    with Exchange(ORDER_QUEUE_SIZE="50") as small:
        status, [report] = replay(small, "--window", "3000", "--batch", "1000")
        assert report["refused"]["BUSY"] > 0
        assert report["unanswered"] == 0
        assert "the exchange was busy: a smaller window keeps within its limit" in report["notes"]
        assert status == 1

        status, [report] = replay(small, "--window", "50", "--clear")
        assert report["differences"] == []
        assert status == 0
