"""The resend buffer of one topic."""

from crossbook.publisher.resend_buffer import FeedResendBuffer


def test_numbers_are_dense_from_the_base_and_frames_are_ready_to_send() -> None:
    topic = FeedResendBuffer("bbo.X|", base=7, count_max=10, bytes_max=100)
    assert topic.append(b"a") == (b"bbo.X|", bytes(7) + b"\x08", b"a")
    assert topic.append(b"b") == (b"bbo.X|", bytes(7) + b"\x09", b"b")


def test_a_buffer_before_the_first_payload_holds_nothing() -> None:
    topic = FeedResendBuffer("bbo.X|", base=7, count_max=10, bytes_max=100)
    assert (topic.first_seq, topic.last_seq) == (8, 7)
    assert topic.since(7, 7, 100) is None
    assert topic.since(8, 8, 100) is None


def test_the_oldest_payload_is_dropped_at_the_count() -> None:
    topic = FeedResendBuffer("bbo.X|", base=0, count_max=2, bytes_max=100)
    for payload in (b"a", b"b", b"c"):
        topic.append(payload)
    assert topic.since(1, 3, 100) is None
    assert topic.since(2, 3, 100) == [b"b", b"c"]


def test_the_oldest_payload_is_dropped_at_the_size_but_never_the_latest() -> None:
    topic = FeedResendBuffer("bbo.X|", base=0, count_max=9, bytes_max=5)
    for payload in (b"aa", b"bbb", b"c"):
        topic.append(payload)
    assert topic.since(2, 3, 100) == [b"bbb", b"c"]
    topic.append(b"d")
    assert topic.since(2, 4, 100) == [b"bbb", b"c", b"d"], "exactly as much as may be held"
    topic.append(b"ef")
    assert (topic.first_seq, topic.since(3, 5, 100)) == (3, [b"c", b"d", b"ef"])
    topic.append(b"gh")
    assert topic.since(3, 6, 100) is None
    assert topic.since(4, 6, 100) == [b"d", b"ef", b"gh"]
    topic.append(b"too long to hold")
    assert (topic.first_seq, topic.since(7, 7, 1)) == (7, [b"too long to hold"])


def test_an_answer_is_cut_at_its_size_but_has_one_payload() -> None:
    topic = FeedResendBuffer("bbo.X|", base=0, count_max=9, bytes_max=100)
    for payload in (b"aaaa", b"bbbb", b"cccc"):
        topic.append(payload)
    assert topic.since(1, 3, 8) == [b"aaaa", b"bbbb"]
    assert topic.since(2, 99, 1) == [b"bbbb"]
    assert topic.since(3, 99, 100) == [b"cccc"]
    assert topic.since(4, 99, 100) is None
