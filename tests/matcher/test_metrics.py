"""The matcher's exposition: every sample has its own value."""

from crossbook.matcher.build import running
from crossbook.matcher.metrics import MatcherMetrics
from tests.worlds.exposition import once, parts, samples


def test_every_sample_has_its_own_value() -> None:
    exposition = MatcherMetrics(
        parts(
            seq=11, commands=12, events=13, malformed=14, resent={"memory": 15, "journal": 16},
            time_ns=20_000_000_000,
        ),
        parts(segment_names=["a", "b"], used_bytes=17, first_seq=18),
        parts(size=19),
        parts(written=21, failed=22, last_seq=23, pauses=once(24_000_000_000)),
        parts(syncs=once(25_000_000_000), free_bytes=lambda: 26),
        parts(
            now_ns=lambda: 19_000_000_000, refused=True, refusals=27, clock_ns=22_500_000_000,
            is_manual=True,
        ),
        parts(messages=once(28), commands=once(29), times=once(30_000_000_000)),
    )  # fmt: skip
    assert samples(exposition) == {
        f"matcher_build {running()}": 1,
        "matcher_sequence": 11,
        "matcher_commands_total": 12,
        "matcher_events_total": 13,
        "matcher_malformed_total": 14,
        "matcher_batch_messages_count": 1,
        "matcher_batch_messages_sum": 28,
        "matcher_batch_commands_count": 1,
        "matcher_batch_commands_sum": 29,
        "matcher_batch_seconds_count": 1,
        "matcher_batch_seconds_sum": 30,
        "matcher_sync_seconds_count": 1,
        "matcher_sync_seconds_sum": 25,
        "matcher_resends_total memory": 15,
        "matcher_resends_total journal": 16,
        "matcher_clock_refused": 1,
        "matcher_clock_refusals_total": 27,
        "matcher_clock_manual": 1,
        "matcher_clock_ahead_seconds": 2.5,
        "matcher_journal_segments": 2,
        "matcher_journal_bytes": 17,
        "matcher_journal_first_sequence": 18,
        "matcher_history_bytes": 19,
        "matcher_disk_free_bytes": 26,
        "matcher_snapshots_total": 21,
        "matcher_snapshot_failures_total": 22,
        "matcher_snapshot_sequence": 23,
        "matcher_snapshot_pause_seconds_count": 1,
        "matcher_snapshot_pause_seconds_sum": 24,
    }
