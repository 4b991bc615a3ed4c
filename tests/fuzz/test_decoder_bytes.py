"""Every decoder returns a message for bytes from a seed, or raises for bytes that are no
message."""

import contextlib
import random
from collections.abc import Callable
from typing import Any

import pytest

from crossbook.common.errors import CodecError
from crossbook.common.messages import codec
from crossbook.common.types import RejectReason
from tests.common.messages.test_messages import ALL_KINDS, Filling
from tests.fuzz import hostile

FRAMES = 40_000
SEED = 7


def test_requests_and_rejects_account_for_every_frame() -> None:
    chance = random.Random(SEED)
    refused = 0
    for number in range(FRAMES):
        body = hostile.body(chance)
        requests, rejects = codec.decode_requests(body)
        assert len(requests) + len(rejects) >= 1, f"seed {SEED}, frame {number}: {body!r}"
        for reject in rejects:
            refused += 1
            assert reject.reason in tuple(RejectReason), f"seed {SEED}, frame {number}"
            assert reject.field, f"seed {SEED}, frame {number}: {body!r}"
            assert reject.text, f"seed {SEED}, frame {number}: {body!r}"
    assert refused > FRAMES // 2


@pytest.mark.parametrize(
    "decode",
    [
        codec.decode_commands,
        codec.decode_events,
        codec.decode_matcher_query,
        codec.decode_matcher_reply,
        codec.decode_replies,
        codec.decode_feed,
        codec.decode_feed_request,
        codec.decode_feed_reply,
        codec.decode_metrics,
    ],
)
def test_no_bytes_make_a_decoder_raise_anything_else(decode: Callable[[bytes], Any]) -> None:
    chance = random.Random(SEED)
    messages = [codec.encode(Filling().message(kind)) for kind in ALL_KINDS]
    messages += [codec.encode([Filling().message(kind)]) for kind in ALL_KINDS]
    for number in range(5_000):
        body = hostile.mutated(chance, chance.choice(messages))
        if number % 10 == 0:
            body = hostile.body(chance)
        with contextlib.suppress(CodecError):
            codec.decoded(decode, body)
    for depth in (1_000, 100_000):
        with pytest.raises(CodecError):
            codec.decoded(decode, hostile.nested(depth))
