"""The resend buffer of event batches: bounded by size, exact at its edges."""

from crossbook.matcher.resend_buffer import EventResendBuffer


def filled(batches: int, max_bytes: int) -> EventResendBuffer:
    """Batches of two numbers and ten bytes each."""
    resend_buffer = EventResendBuffer(max_bytes)
    for n in range(batches):
        resend_buffer.append(2 * n + 1, 2 * n + 2, b"%010d" % n)
    return resend_buffer


def test_empty_history_holds_nothing() -> None:
    resend_buffer = EventResendBuffer(100)
    assert resend_buffer.since(1, 100) is None
    assert (resend_buffer.first_seq, resend_buffer.last_seq) == (1, 0)


def test_a_number_inside_a_batch_gives_that_batch() -> None:
    resend_buffer = filled(5, 1_000)
    assert resend_buffer.since(4, 15) == [b"%010d" % 1, b"%010d" % 2]
    assert resend_buffer.since(9, 1_000) == [b"%010d" % 4]


def test_size_limit_drops_the_oldest() -> None:
    resend_buffer = filled(10, 45)
    assert resend_buffer.first_seq == 13
    assert resend_buffer.since(12, 100) is None
    assert resend_buffer.since(13, 1_000) == [b"%010d" % n for n in range(6, 10)]


def test_answers_are_cut_at_the_size_requested_but_have_two_batches() -> None:
    """A consumer that requests its last number again receives the next one, however large."""
    resend_buffer = filled(10, 1_000)
    assert resend_buffer.since(1, 25) == [b"%010d" % 0, b"%010d" % 1]
    assert resend_buffer.since(1, 1) == [b"%010d" % 0, b"%010d" % 1]
    assert resend_buffer.since(20, 1) == [b"%010d" % 9]


def test_nothing_is_lost_when_old_entries_are_swept_out() -> None:
    resend_buffer = filled(10_000, 450)
    for seq in range(resend_buffer.first_seq, resend_buffer.last_seq + 1):
        found = resend_buffer.since(seq, 1)
        assert found is not None
        assert found[0] == b"%010d" % ((seq - 1) // 2)
    assert resend_buffer.last_seq - resend_buffer.first_seq + 1 == 90


def test_one_batch_larger_than_the_limit_is_not_kept() -> None:
    resend_buffer = EventResendBuffer(10)
    resend_buffer.append(1, 1, bytes(11))
    assert resend_buffer.since(1, 100) is None
    assert resend_buffer.first_seq == 2


def test_an_answer_ends_before_the_batch_that_is_too_much() -> None:
    resend_buffer = EventResendBuffer(10**6)
    for seq in range(1, 6):
        resend_buffer.append(seq, seq, bytes(10))
    for bound, count in ((1, 2), (19, 2), (20, 2), (29, 2), (30, 3), (50, 5), (10**6, 5)):
        found = resend_buffer.since(1, bound)
        assert found is not None
        assert len(found) == count


def test_batches_end_with_the_one_that_holds_the_last_number_requested() -> None:
    resend_buffer = filled(10, 1_000)
    for from_seq in range(1, 21):
        for to_seq in range(from_seq, 23):
            found = resend_buffer.since(from_seq, 1_000, to_seq)
            assert found == [
                b"%010d" % n for n in range((from_seq - 1) // 2, min(to_seq - 1, 19) // 2 + 1)
            ]
