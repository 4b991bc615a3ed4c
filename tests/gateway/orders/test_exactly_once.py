"""Commands applied and answered exactly once, events received exactly once, over bad networks."""

from collections import Counter
from random import Random

import pytest

from crossbook.common.messages.entry import (
    Ack,
    Cancel,
    CatchUp,
    CaughtUp,
    Execution,
    MassCancel,
    New,
    Reject,
)
from crossbook.common.messages.events import (
    Event,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderRepeated,
    TradeExecuted,
)
from crossbook.common.types import RejectReason, Side, TimeInForce
from tests.worlds.link_world import SYMBOL, LinkWorld, NetworkFaults, caught_up

ACCOUNTS = {b"ann": 7, b"ann2": 7, b"bob": 8, b"cat": 9}


def random_request(rng: Random, seq: int, names: list[str]) -> New | Cancel | MassCancel:
    roll = rng.random()
    name = rng.choice(names) if names else "none"
    if roll < 0.25:
        return Cancel(seq, SYMBOL, 0, name)
    if roll < 0.27:
        return MassCancel(seq)
    side = rng.choice((Side.BUY, Side.SELL))
    tif = TimeInForce.IOC if rng.random() < 0.2 else TimeInForce.GTC
    price = 5_000_000 + rng.randint(-3, 3)
    return New(
        request_seq=seq, symbol=SYMBOL, side=side, quantity=rng.randint(1_000, 5_000), price=price,
        order_type=1, time_in_force=tif, client_order_id=f"r{seq}",
    )  # fmt: skip


def view(events: list[Event], account: int) -> list[tuple[int, int, int, int]]:
    """(seq, order id, kind, trade id) of an account's executions, derived from the events alone."""
    seen: list[tuple[int, int, int, int]] = []
    for event in events:
        if isinstance(event, TradeExecuted):
            if event.maker_account == account:
                seen.append((event.seq, event.maker_order_id, 2, event.trade_id))
            if event.taker_account == account:
                seen.append((event.seq, event.taker_order_id, 2, event.trade_id))
        elif isinstance(event, OrderAccepted) and event.account == account:
            seen.append((event.seq, event.seq, 1, 0))
        elif (
            isinstance(event, OrderCanceled | OrderExpired | OrderAmended | OrderCompleted)
            and event.account == account
        ):
            kind = {OrderCanceled: 3, OrderExpired: 4, OrderAmended: 5, OrderCompleted: 6}
            seen.append((event.seq, event.order_id, kind[type(event)], 0))
    return seen


def keys(executions: list[Execution]) -> list[tuple[int, int, int, int]]:
    return [(each.seq, each.order_id, each.kind, each.trade_id) for each in executions]


def run(seed: int, reorder: bool) -> tuple[LinkWorld, dict[bytes, int], dict[int, bytes]]:
    """A world after random trading, faults and matcher restarts, once it has settled."""
    rng = Random(seed)
    faults = NetworkFaults(
        rng.choice((0, 0.1, 0.4)), rng.choice((0, 0.2)), rng.choice((0, 0.3, 0.7))
    )
    faults.reorder = reorder
    world = LinkWorld(seed)
    world.step(5)
    tokens = {identity: world.log_on(identity, acc) for identity, acc in ACCOUNTS.items()}
    world.faults.__dict__.update(faults.__dict__)
    sent: dict[int, bytes] = {}
    names: list[str] = []
    seq = 10
    for _ in range(150):
        identity = rng.choice(list(tokens))
        requests: list[New | Cancel | MassCancel] = []
        for _ in range(rng.randint(0, 4)):
            seq += 1
            request = random_request(rng, seq, names)
            sent[seq] = identity
            names.append(f"r{seq}")
            requests.append(request)
        if requests:
            world.send(identity, tokens[identity], *requests)
        if rng.random() < 0.03:
            matcher = world.kill_matcher()
            world.step(rng.randint(0, 60))
            world.matcher = matcher
        world.step(rng.randint(0, 3))
    world.settle()
    return world, tokens, sent


@pytest.mark.parametrize("reorder", [False, True])
@pytest.mark.parametrize("seed", range(15))
def test_everything_happens_exactly_once(seed: int, reorder: bool) -> None:
    world, tokens, sent = run(seed, reorder)
    repeat = f"pytest 'tests/gateway/orders/test_exactly_once.py' -k 'exactly_once and {seed}'"
    matcher = world.matcher
    assert matcher is not None
    events = matcher.events
    answered = Counter(
        reply.request_seq
        for replies in world.received.values()
        for reply in replies
        if isinstance(reply, Ack | Reject)
    )
    assert answered == Counter(sent.keys()), repeat
    assert len(world.desk.in_flight) == 0
    assert not world.link.fenced
    accepted = Counter(e.client_order_id for e in events if isinstance(e, OrderAccepted))
    assert set(accepted.values()) <= {1}, repeat
    assert not any(isinstance(event, OrderRepeated) for event in events), repeat
    for identity, replies in world.received.items():
        for reply in replies:
            if isinstance(reply, Reject):
                assert reply.reason != RejectReason.OUTCOME_UNKNOWN, repeat
                if reply.reason == RejectReason.BUSY:
                    assert f"r{reply.request_seq}" not in accepted, repeat
            elif isinstance(reply, Ack) and reply.client_order_id == f"r{reply.request_seq}":
                assert accepted[reply.client_order_id] == 1, repeat
        live = keys([reply for reply in replies if isinstance(reply, Execution)])
        assert len(set(live)) == len(live), repeat
        own = {r.seq for r in replies if isinstance(r, Ack) and r.order_id}
        expected = [
            k for k in view(events, ACCOUNTS[identity]) if k[0] not in own or k[2] in (2, 4)
        ]
        assert live == expected, repeat
    for identity, token in tokens.items():
        world.received.clear()
        world.send(identity, token, CatchUp(900_000, 1))
        world.step(100)
        got, end = caught_up(world, identity)
        assert (end.to_seq, end.complete) == (matcher.engine.seq, True)
        assert keys(got) == view(events, ACCOUNTS[identity]), repeat


@pytest.mark.parametrize("seed", range(10))
def test_catching_up_over_a_bad_network_ends_with_the_same_view(seed: int) -> None:
    world, tokens, _ = run(seed, reorder=False)
    assert world.matcher is not None
    world.received.clear()
    rng = Random(seed)
    world.faults.lose, world.faults.delay, world.faults.double = 0.3, 0.5, 0.2
    for identity, token in tokens.items():
        world.send(identity, token, CatchUp(900_000, 1))
    for _ in range(3):
        world.step(rng.randint(1, 30))
        world.matcher = world.kill_matcher()
    world.settle(600)
    for identity in tokens:
        replies = world.received[identity]
        ends = [reply for reply in replies if isinstance(reply, CaughtUp | Reject)]
        assert len(ends) == 1
        got = keys([reply for reply in replies if isinstance(reply, Execution)])
        expected = view(world.matcher.events, ACCOUNTS[identity])
        if isinstance(ends[0], CaughtUp):
            assert got == expected
        else:
            assert got == expected[: len(got)]
