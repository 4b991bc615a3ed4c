"""The time of a logon: at once, after a wait that doubles, and not after an answer."""

from crossbook.client.logon import LOGON_RETRY_MAX_NS, LOGON_RETRY_NS, LogonAttempts


def test_no_logon_is_due_before_one_is_begun_or_after_its_answer() -> None:
    logon = LogonAttempts()
    assert not logon.due(0)
    logon.begin()
    assert logon.due(0)
    logon.sent(1, 0)
    logon.end()
    assert not logon.due(LOGON_RETRY_MAX_NS)
    assert not logon.pending
    assert logon.request_seq == 0


def test_the_wait_doubles_up_to_a_limit_and_begins_anew() -> None:
    logon = LogonAttempts()
    logon.begin()
    logon.sent(1, 0)
    now_ns, waits = 0, []
    for request_seq in range(2, 8):
        seconds = next(n for n in range(1, 100) if logon.due(now_ns + n * LOGON_RETRY_NS))
        assert not logon.due(now_ns + seconds * LOGON_RETRY_NS - 1)
        waits.append(seconds)
        now_ns += seconds * LOGON_RETRY_NS
        logon.sent(request_seq, now_ns)
    assert waits == [1, 2, 4, 8, 8, 8]
    logon.begin()
    logon.sent(8, now_ns)
    assert logon.due(now_ns + LOGON_RETRY_NS)
