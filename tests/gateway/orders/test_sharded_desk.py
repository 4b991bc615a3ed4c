"""One gateway before two matchers: the matcher of each request, the joined replies, and service by
one matcher while the other is away."""

from collections import Counter
from random import Random

import pytest
from msgspec.structs import replace

from crossbook.common.instruments import Instrument, example
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import AddInstrument
from crossbook.common.messages.entry import (
    Ack,
    Amend,
    Balance,
    Balances,
    Cancel,
    CancelAfter,
    CatchUp,
    CaughtUp,
    Execution,
    Instruments,
    ListInstruments,
    MassCancel,
    New,
    OpenOrders,
    Ping,
    Pong,
    Query,
    QueryBalances,
    Reject,
    Reply,
)
from crossbook.common.shards import base_of, shard_of
from crossbook.common.types import ExecutionKind, RejectReason, Side
from tests.worlds.desk_world import INSTRUMENTS
from tests.worlds.link_world import EngineMatcher
from tests.worlds.sharded_world import ASSIGNMENT, ShardedWorld, ready

ANN, BOB = b"ann", b"bob"
SYMBOLS = {ASSIGNMENT[each.id]: each.symbol for each in reversed(INSTRUMENTS)}
"""One instrument of each shard."""


def order(seq: int, shard: int, side: int = Side.SELL, name: str = "") -> New:
    return New(
        request_seq=seq,
        symbol=SYMBOLS[shard],
        side=side,
        quantity="2",
        price="5000",
        client_order_id=name,
    )


def the_ack(replies: list[Reply]) -> Ack:
    [ack] = [reply for reply in replies if isinstance(reply, Ack)]
    return ack


def the_reject(replies: list[Reply]) -> Reject:
    [reject] = replies
    assert isinstance(reject, Reject), reject
    return reject


@pytest.mark.parametrize("shard", [0, 1])
def test_an_order_goes_to_the_matcher_of_its_instrument(shard: int) -> None:
    world, token = ready()
    ack = the_ack(world.replies_to(ANN, token, order(5, shard)))
    assert (ack.request_seq, ack.order_id) == (5, base_of(shard) + 1)
    amended = the_ack(
        world.replies_to(ANN, token, Amend(6, SYMBOLS[shard], ack.order_id, quantity="1"))
    )
    assert shard_of(amended.seq) == shard
    assert (
        the_ack(world.replies_to(ANN, token, Cancel(7, SYMBOLS[shard], ack.order_id))).request_seq
        == 7
    )


def test_an_order_named_under_the_wrong_instrument_is_not_found() -> None:
    world, token = ready()
    ack = the_ack(world.replies_to(ANN, token, order(5, 1)))
    reject = the_reject(world.replies_to(ANN, token, Cancel(6, SYMBOLS[0], ack.order_id)))
    assert reject.reason == RejectReason.UNKNOWN_ORDER
    reject = the_reject(world.replies_to(ANN, token, Cancel(7, "NO-SUCH", ack.order_id)))
    assert (reject.reason, reject.field) == (RejectReason.UNKNOWN_SYMBOL, "symbol")


def test_a_mass_cancel_is_answered_once_with_all_its_orders() -> None:
    world, token = ready()
    ids = [the_ack(world.replies_to(ANN, token, order(n, n % 2))).order_id for n in range(5, 10)]
    replies = world.replies_to(ANN, token, MassCancel(20))
    ack = the_ack(replies)
    assert (ack.request_seq, ack.count) == (20, 5)
    canceled = [reply for reply in replies if isinstance(reply, Execution)]
    assert sorted(each.order_id for each in canceled) == sorted(ids)
    assert {each.request_seq for each in canceled} == {20}
    assert len(replies) == 6


def test_a_mass_cancel_of_one_instrument_leaves_the_other() -> None:
    world, token = ready()
    world.replies_to(ANN, token, order(5, 0), order(6, 1))
    assert the_ack(world.replies_to(ANN, token, MassCancel(7, SYMBOLS[1]))).count == 1
    [answer] = world.replies_to(ANN, token, Query(8))
    assert isinstance(answer, OpenOrders)
    assert [each.symbol for each in answer.orders] == [SYMBOLS[0]]


def test_open_orders_are_listed_shard_after_shard_and_page_by_page() -> None:
    world, token = ready()
    ids = sorted(
        the_ack(world.replies_to(ANN, token, order(n, n % 2))).order_id for n in range(5, 12)
    )
    found: list[int] = []
    more = True
    while more:
        after = found[-1] if found else 0
        [page] = world.replies_to(ANN, token, Query(30, after_order_id=after, limit=2))
        assert isinstance(page, OpenOrders)
        assert page.request_seq == 30
        found += [each.order_id for each in page.orders]
        more = page.more
    assert found == ids
    [one] = world.replies_to(ANN, token, Query(31, order_id=ids[-1]))
    assert isinstance(one, OpenOrders)
    assert [each.order_id for each in one.orders] == [ids[-1]]


def test_balances_are_those_of_all_shards() -> None:
    world, token = ready()
    [answer] = world.replies_to(ANN, token, QueryBalances(5))
    assert isinstance(answer, Balances)
    assert answer.request_seq == 5
    assert answer.balances == [
        Balance(asset="BTC", total_units=10, held_units=2),
        Balance(asset="X1", total_units=2, held_units=0),
        Balance(asset="X2", total_units=2, held_units=0),
    ]


def test_a_ping_is_answered_with_the_last_number_of_every_shard() -> None:
    world, token = ready()
    world.replies_to(ANN, token, order(5, 0), order(6, 1), order(7, 1))
    pongs = world.replies_to(ANN, token, Ping(8))
    assert [type(pong) for pong in pongs] == [Pong, Pong]
    assert [(pong.request_seq, pong.seq) for pong in pongs if isinstance(pong, Pong)] == [
        (0, base_of(1) + 2),
        (8, 1),
    ]


def test_each_shard_is_caught_up_by_its_own_numbers() -> None:
    world, token = ready()
    world.replies_to(ANN, token, order(5, 0), order(6, 1), order(7, 1))
    bob = world.log_on(BOB, 7)
    for shard, count in ((0, 1), (1, 2)):
        world.send(BOB, bob, CatchUp(9, base_of(shard)))
        world.step(10)
        replies = world.received.pop(BOB)
        end = replies[-1]
        assert isinstance(end, CaughtUp)
        first = base_of(shard) + 1
        assert (end.from_seq, end.to_seq, end.complete) == (first, base_of(shard) + count, True)
        assert len(replies) == count + 1
    reject = the_reject(world.replies_to(BOB, bob, CatchUp(10, base_of(2) + 1)))
    assert (reject.reason, reject.field) == (RejectReason.MALFORMED, "from_seq")


def test_every_instrument_is_listed() -> None:
    world = ShardedWorld()
    [answer] = world.replies_to(ANN, 0, ListInstruments(5))
    assert isinstance(answer, Instruments)
    assert answer.instruments == list(INSTRUMENTS)


def test_an_instrument_added_to_a_shard_is_traded_there() -> None:
    world, token = ready()
    doge = replace(example(), id=77, symbol="DOGE-USDT", base="DOGE")
    matcher = world.shards[1].matcher
    assert matcher is not None
    added: list[str] = []
    world.desk.instrument_listeners.append(lambda instrument: added.append(instrument.symbol))
    batch = matcher.apply(
        [
            encode(
                [
                    AddInstrument(
                        gateway=0, request_seq=0, account=0, instrument=doge.id, definition=doge,
                    )
                ]
            )
        ],
        1,
    )  # fmt: skip
    world.shards[1].link.receive_events(batch)
    assert added == ["DOGE-USDT"]
    ack = the_ack(
        world.replies_to(
            ANN, token,
            New(request_seq=5, symbol="DOGE-USDT", side=Side.BUY, quantity="1", price="5"),
        )
    )  # fmt: skip
    assert shard_of(ack.order_id) == 1


def test_an_instrument_added_to_a_second_shard_changes_nothing() -> None:
    world, token = ready()
    twin = next(each for each in INSTRUMENTS if ASSIGNMENT[each.id] == 0)
    matcher = world.shards[1].matcher
    assert matcher is not None
    batch = matcher.apply(
        [
            encode(
                [
                    AddInstrument(
                        gateway=0, request_seq=0, account=0, instrument=twin.id, definition=twin,
                    )
                ]
            )
        ],
        1,
    )  # fmt: skip
    world.shards[1].link.receive_events(batch)
    assert [event for event, _ in world.desk.collect_notices()] == ["instrument_on_two_shards"]
    assert shard_of(the_ack(world.replies_to(ANN, token, order(5, 0))).order_id) == 0


def test_an_added_instrument_keeps_its_number_and_its_name_to_its_shard() -> None:
    world, _ = ready()
    doge = replace(example(), id=77, symbol="DOGE-USDT", base="DOGE")
    same_number = replace(doge, symbol="SHIB-USDT", base="SHIB")
    same_name = replace(doge, id=78)
    added: list[Instrument] = []
    world.desk.instrument_listeners.append(added.append)
    for shard, instrument in ((1, doge), (0, same_number), (0, same_name)):
        matcher = world.shards[shard].matcher
        assert matcher is not None
        command = AddInstrument(
            gateway=0, request_seq=0, account=0, instrument=instrument.id, definition=instrument,
        )  # fmt: skip
        world.shards[shard].link.receive_events(matcher.apply([encode([command])], 1))
    assert added == [doge]
    assert world.desk.collect_notices() == [
        ("instrument_on_two_shards", {"instrument": number, "kept": 1, "ignored": 0})
        for number in (77, 78)
    ]


def test_while_one_matcher_is_away_the_other_trades_on() -> None:
    world, token = ready()
    bob = world.log_on(BOB, 8)
    world.replies_to(ANN, token, order(5, 0), order(6, 1, name="mine"))
    away = world.kill(1)
    world.step(5)
    busy = the_reject(world.replies_to(ANN, token, order(7, 1)))
    assert busy.reason == RejectReason.BUSY
    fills = world.replies_to(BOB, bob, order(8, 0, Side.BUY))
    assert [each.kind for each in fills if isinstance(each, Execution)] == [ExecutionKind.FILL]
    world.step(120)
    assert not world.desk.is_accepting
    world.shards[1].matcher = away
    world.step(30)
    assert world.desk.is_accepting
    again = the_ack(world.replies_to(ANN, token, order(9, 1, name="mine")))
    assert again.repeated
    assert again.order_id == base_of(1) + 1


def test_a_command_that_reached_one_matcher_only_is_rejected_with_its_effects() -> None:
    world, token = ready()
    world.replies_to(ANN, token, order(5, 0), order(6, 0), order(7, 1))
    away = world.kill(1)
    replies = world.replies_to(ANN, token, MassCancel(8))
    [reject] = [reply for reply in replies if not isinstance(reply, Execution)]
    assert isinstance(reject, Reject)
    assert (reject.request_seq, reject.reason) == (8, RejectReason.OUTCOME_UNKNOWN)
    assert reject.text.startswith("shard 1: the matcher")
    assert reject.text.endswith("done on the other 1, where 2 orders were canceled")
    reject = the_reject(world.replies_to(ANN, token, Query(9)))
    assert (reject.reason, reject.text[:8]) == (RejectReason.BUSY, "shard 1:")
    [left] = world.replies_to(ANN, token, Query(10, SYMBOLS[0]))
    assert isinstance(left, OpenOrders)
    assert not left.orders
    world.kill(0)
    assert the_reject(world.replies_to(ANN, token, MassCancel(11))).reason == RejectReason.BUSY
    world.shards[1].matcher = away
    world.step(30)
    [rest] = world.replies_to(ANN, token, Query(12, SYMBOLS[1]))
    assert isinstance(rest, OpenOrders)
    assert len(rest.orders) == 1


def test_orders_of_a_deserted_account_are_canceled_on_a_shard_once_it_is_back() -> None:
    world = ShardedWorld()
    world.step(5)
    token = world.log_on(ANN, 7, leaves=True)
    world.replies_to(ANN, token, order(5, 0), order(6, 1))
    away = world.kill(1)
    world.desk.sessions.close_address(ANN)
    world.step(20)
    assert world.shards[0].matcher is not None
    assert not world.shards[0].matcher.engine.open_orders(7)[0]
    world.shards[1].matcher = away
    world.step(60)
    assert not away.engine.open_orders(7)[0]


def test_cancel_after_runs_on_every_shard() -> None:
    world, token = ready()
    ack = the_ack(world.replies_to(ANN, token, CancelAfter(5, 2_000)))
    assert ack.request_seq == 5
    for shard in world.shards:
        assert shard.matcher is not None
        deadline = shard.matcher.engine.accounts[7].deadline
        assert deadline is not None
        assert deadline[0] >= ack.time_ns + 2_000_000_000


def test_commands_are_not_sent_to_a_matcher_of_another_shard() -> None:
    world = ShardedWorld()
    world.shards[1].matcher = EngineMatcher(9, 0)
    world.step(200)
    assert [event for event, _ in world.shards[1].link.collect_notices()] == [
        "matcher_of_another_shard"
    ]
    token = world.log_on(ANN, 7)
    assert the_reject(world.replies_to(ANN, token, order(5, 1))).reason == RejectReason.BUSY


@pytest.mark.parametrize("seed", range(8))
def test_every_request_is_answered_once_whichever_matcher_dies(seed: int) -> None:
    rng = Random(seed)
    world, token = ready()
    away: dict[int, EngineMatcher] = {}
    sent: list[int] = []
    for seq in range(10, 400):
        kind = rng.random()
        shard = rng.randrange(2)
        request = (
            order(seq, shard, rng.choice((Side.BUY, Side.SELL)), f"n{seq}") if kind < 0.8
            else MassCancel(seq) if kind < 0.85
            else CancelAfter(seq, 60_000) if kind < 0.9
            else Query(seq) if kind < 0.95
            else QueryBalances(seq)
        )  # fmt: skip
        sent.append(seq)
        world.send(ANN, token, request)
        if rng.random() < 0.05 and shard not in away:
            away[shard] = world.kill(shard)
        elif rng.random() < 0.1 and shard in away:
            world.shards[shard].matcher = away.pop(shard)
        world.step(rng.randint(0, 3))
    for shard, matcher in away.items():
        world.shards[shard].matcher = matcher
    world.step(700)
    replies = world.received[ANN]
    answers = Counter(
        reply.request_seq
        for reply in replies
        if isinstance(reply, Ack | Reject | OpenOrders | Balances)
    )
    assert answers == Counter(sent)
    assert all(reply.request_seq >= 0 for reply in replies)
    acked = [
        reply.client_order_id
        for reply in replies
        if isinstance(reply, Ack) and reply.client_order_id
    ]
    entered = Counter(
        getattr(event, "client_order_id", "")
        for shard in world.shards
        if shard.matcher is not None
        for event in shard.matcher.events
        if type(event).__name__ == "OrderAccepted"
    )
    assert set(entered.values()) == {1}
    assert set(acked) <= set(entered)
    assert len(acked) > 100
