"""A recorder behind a batch larger than one resend answer receives that batch and goes on.

Measured without resends in parts: behind a batch of 35 MB the recorder requested the same range
without end, while `/ready` reported it as available.
"""

import pytest

from crossbook.common.messages.codec import encode
from crossbook.common.messages.events import EventBatch
from crossbook.common.messages.matcher_queries import Resend
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import Sequencer
from crossbook.recorder.digest import RecordPosition
from crossbook.recorder.replica import RESEND_AGAIN_NS, RecorderReplica
from tests.worlds.forgetful_log import ForgetfulLog
from tests.worlds.venue import ALICE, BTC, BUY, limit


def test_a_recorder_that_missed_a_large_batch_receives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sequencer = Sequencer(Engine([BTC]), ForgetfulLog(7), EventResendBuffer(10**9))
    order = limit(ALICE, BUY, 100, 1)
    sequencer.apply([encode([order])], 1)
    large = sequencer.apply([encode([order] * 1_000)], 2)
    assert large is not None
    monkeypatch.setattr("crossbook.matcher.sequencer.RESEND_BYTES", len(large) - 1)
    sequencer.apply([encode([order])], 3)
    replica = RecorderReplica(RecordPosition(7, 1, 1, 1))
    replica.receive(
        EventBatch(incarnation=7, first_seq=1_003, last_seq=1_002, time_ns=3, events=[])
    )
    for look in range(1, 9):
        request = replica.next_request(look * 2 * RESEND_AGAIN_NS)
        if request is None:
            break
        answer = sequencer.answer(request)
        assert isinstance(answer, Resend)
        replica.receive_reply(answer)
    assert replica.seq == 1_002
