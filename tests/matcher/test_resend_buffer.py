"""The event history: bounded by size, exact at its edges."""

from crossbook.matcher.resend_buffer import EventHistory


def filled(batches: int, max_bytes: int) -> EventHistory:
    """Batches of two numbers and ten bytes each."""
    history = EventHistory(max_bytes)
    for n in range(batches):
        history.append(2 * n + 1, 2 * n + 2, b"%010d" % n)
    return history


def test_empty_history_holds_nothing() -> None:
    history = EventHistory(100)
    assert history.since(1, 100) is None
    assert (history.first_seq, history.last_seq) == (1, 0)


def test_a_number_inside_a_batch_gives_that_batch() -> None:
    history = filled(5, 1_000)
    assert history.since(4, 15) == [b"%010d" % 1]
    assert history.since(9, 1_000) == [b"%010d" % 4]


def test_size_limit_drops_the_oldest() -> None:
    history = filled(10, 45)
    assert history.first_seq == 13
    assert history.since(12, 100) is None
    assert history.since(13, 1_000) == [b"%010d" % n for n in range(6, 10)]


def test_answers_are_cut_at_the_size_asked_for_but_never_empty() -> None:
    history = filled(10, 1_000)
    assert history.since(1, 25) == [b"%010d" % 0, b"%010d" % 1]
    assert history.since(1, 1) == [b"%010d" % 0]


def test_nothing_is_lost_when_old_entries_are_swept_out() -> None:
    history = filled(10_000, 450)
    for seq in range(history.first_seq, history.last_seq + 1):
        found = history.since(seq, 1)
        assert found == [b"%010d" % ((seq - 1) // 2)]
    assert history.last_seq - history.first_seq + 1 == 90


def test_one_batch_larger_than_the_limit_is_not_kept() -> None:
    history = EventHistory(10)
    history.append(1, 1, bytes(11))
    assert history.since(1, 100) is None
    assert history.first_seq == 2


def test_an_answer_ends_before_the_batch_that_is_too_much() -> None:
    history = EventHistory(10**6)
    for seq in range(1, 6):
        history.append(seq, seq, bytes(10))
    for bound, count in ((1, 1), (19, 1), (20, 2), (29, 2), (30, 3), (50, 5), (10**6, 5)):
        found = history.since(1, bound)
        assert found is not None
        assert len(found) == count
