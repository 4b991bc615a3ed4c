"""The frames, answers and reports of a session with a gateway whose replies get lost."""

from collections.abc import Iterator
from hashlib import sha256
from random import Random

import pytest

from crossbook.client.pending import Outcome, Unanswered
from crossbook.client.session import ClientSession
from crossbook.common.messages.codec import decode_requests
from crossbook.common.messages.entry import (
    TOKEN_BYTES,
    Ack,
    CatchUp,
    CaughtUp,
    Logon,
    New,
    Ping,
    Pong,
    Reject,
    Reply,
    Request,
    Welcome,
)
from crossbook.common.shards import base_of
from crossbook.common.types import RejectReason
from tests.crossbook.client.test_recovery import SECOND, execution, give

BEGAN_NS = 50 * SECOND


class UnevenGateway:
    """Two shards' executions, acknowledgements and refusals, by chance."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.seqs = [100, base_of(1) + 100]
        self.sent = {0: [execution(99)], 1: [execution(base_of(1) + 99)]}
        self.token = 0

    def answer(self, token: int, request: Request) -> list[Reply]:
        """The replies to one request, now and then none."""
        number, draw = request.request_seq, self.chance.random()
        if draw < 0.1:
            return []
        if isinstance(request, Logon):
            if draw < 0.2:
                return [Reject(number, RejectReason.BUSY, "account", "later")]
            self.token += 1
            return [Welcome(number, self.token, 7, 1)]
        if isinstance(request, Ping):
            return [Pong(number, self.seqs[0], 0), Pong(0, self.seqs[1], 0)]
        if token != self.token:
            return [Reject(number, RejectReason.NOT_LOGGED_ON, "token", "none")]
        if draw < 0.2:
            return [Reject(number, RejectReason.BUSY, "", "later")]
        if isinstance(request, CatchUp):
            return self._caught_up(number, request.from_seq, draw)
        shard = self.chance.randint(0, 1)
        self.seqs[shard] += 1
        seq = self.seqs[shard]
        if draw < 0.3:
            return [
                Reject(
                    request_seq=number, reason=RejectReason.BAD_TICK, field="price", text="odd",
                    client_order_id="", seq=seq,
                )
            ]  # fmt: skip
        fills = [execution(seq, 2, seq, seq * 10 + n) for n in range(self.chance.randint(0, 2))]
        self.sent[shard] += [execution(seq, 1, seq), *fills]
        return [
            Ack(
                request_seq=number, seq=seq, order_id=seq, status=1,
                client_order_id=getattr(request, "client_order_id", ""), remaining_lots=5,
                time_ns=0,
            ),
            *fills,
        ]  # fmt: skip

    def _caught_up(self, number: int, from_seq: int, draw: float) -> list[Reply]:
        shard = int(from_seq >= base_of(1))
        if draw < 0.25:
            return [Reject(number, RejectReason.MALFORMED, "from_seq", "refused")]
        last = self.seqs[shard] if draw > 0.3 else from_seq - 2
        to_seq = min(last, from_seq + self.chance.randint(0, 9))
        found = [each for each in self.sent[shard] if from_seq <= each.seq <= to_seq]
        return [*found, CaughtUp(number, from_seq, to_seq, draw > 0.35)]


def facts_of(request_seq: int, outcome: Outcome) -> object:
    """An outcome in a form whose text is equal in every run."""
    if isinstance(outcome, Unanswered):
        return request_seq, outcome.request, outcome.sent, outcome.why
    return request_seq, outcome


def trace(seed: int, recover: bool, turns: int = 500) -> Iterator[object]:
    """The observable state of a session, after each quarter of a second."""
    chance = Random(seed)
    gateway, session = UnevenGateway(chance), ClientSession(7, recover, seed % 2 == 0)
    session.open()
    wire: list[Reply] = []
    now_ns = BEGAN_NS
    for turn in range(turns):
        now_ns += SECOND // 4
        if turn % 3 == 0:
            names = ("", f"n{turn}")[: chance.randint(1, 2)]
            orders = [
                New(
                    request_seq=0, symbol="BTC-USDT", side=1, quantity=1, price=1,
                    client_order_id=each,
                ) for each in names
            ]  # fmt: skip
            yield session.enqueue(orders, now_ns + chance.choice((1, 4, 20)) * SECOND)
        frames = session.frames(now_ns)
        yield frames
        for frame in frames:
            token = int.from_bytes(frame[:TOKEN_BYTES], "big")
            for request in decode_requests(frame[TOKEN_BYTES:])[0]:
                wire += gateway.answer(token, request)
        draw = chance.random()
        if draw < 0.02:
            gateway.token += 1
            wire.clear()
        elif draw < 0.04:
            wire[len(wire) // 2 :] = [Welcome(0, gateway.token, 7, 1)]
        elif draw < 0.05 and not session.recovering:
            yield session.catch_up(chance.choice((0, session.last_seqs[0], 90))).from_seq
        elif draw < 0.06:
            session.stop_catching_up()
        elif draw < 0.8:
            give(session, *wire, now_ns=now_ns)
            wire.clear()
        session.tick(now_ns)
        yield [facts_of(*each) for each in session.drain_outcomes()]
        yield [*session.stray], session.token, session.refused
        yield session.last_seq, session.last_seqs, session.recovering, session.outstanding
        yield session.losses, session.holes, session.missed_from, session.executions_dropped
        if turn % 5 == 0:
            yield [*session.executions]
            session.executions.clear()
        if turn % 50 == 0:
            yield session.claim_missed_from()
            session.forget(range(turn, turn + 30))
        if session.refused is not None and turn % 4 == 0:
            session.open()


@pytest.mark.parametrize(
    ("seed", "recover", "digest"),
    [
        (0, False, "0aee22bdcc54b18d"),
        (1, True, "69ec68b36c23dff8"),
        (2, True, "a615fced03e49a2b"),
        (3, False, "3293ae6b310ad06a"),
        (4, True, "4edd71e127396d93"),
        (5, True, "a914d304a548a91b"),
    ],
)
def test_the_same_losses_lead_to_the_same_frames_and_reports(
    seed: int, recover: bool, digest: str
) -> None:
    """The digest differs after any change of a frame, answer or report. Such a change must be
    intended."""
    seen = sha256()
    for each in trace(seed, recover):
        seen.update(repr(each).encode())
    assert seen.hexdigest().startswith(digest)
