"""The recorder's exposition: every sample has its own value."""

from crossbook.recorder.metrics import RecorderMetrics
from tests.worlds.exposition import once, parts, samples


def test_every_sample_has_its_own_value() -> None:
    written = parts(
        rows={"orders": 11, "fills": 12}, transactions=once(13_000_000_000),
        delays=once(14_000_000_000), failures=15, failing=True, gaps=16, held=17, malformed=18,
        forgotten=19,
    )  # fmt: skip
    answers = parts(answers={"orders": 21, "not_yet": 22}, waiting=23)
    assert samples(RecorderMetrics(parts(seq=10, written=written), answers)) == {
        "recorder_sequence": 10,
        "recorder_rows_total orders": 11,
        "recorder_rows_total fills": 12,
        "recorder_transaction_seconds_count": 1,
        "recorder_transaction_seconds_sum": 13,
        "recorder_delay_seconds_count": 1,
        "recorder_delay_seconds_sum": 14,
        "recorder_database_failures_total": 15,
        "recorder_database_failing": 1,
        "recorder_gaps_total": 16,
        "recorder_held_batches": 17,
        "recorder_malformed_total": 18,
        "recorder_forgotten_rows_total": 19,
        "recorder_answers_total orders": 21,
        "recorder_answers_total not_yet": 22,
        "recorder_waiting_questions": 23,
    }
