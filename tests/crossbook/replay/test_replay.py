"""The comparison of a replay with its recording, without an exchange."""

from collections.abc import Callable

import msgspec
import pytest

from crossbook.common.following.depth import OrderDepth
from crossbook.common.messages import entry, feed
from crossbook.common.types import RejectReason, Side
from crossbook.replay.check import CheckResult, ReplayCheck, Tally
from crossbook.replay.recording import BookDigest, BookRow, RecordedCommand, RecordedFill, Recording
from crossbook.replay.recording_files import read_recording
from crossbook.replay.requests import ReplayRequests
from crossbook.replay.sample_flow import sample_path
from tests.worlds.plain_exchange import FIRST_SEQ, Outcome, PlainExchange

replace = msgspec.structs.replace


def recording() -> Recording:
    """The first 600 commands of the shipped sample: 6 rows of ten and a digest among them."""
    whole = read_recording(sample_path())
    commands = whole.commands[:600]
    last = commands[-1].seq
    assert whole.fills is not None
    return replace(
        whole,
        commands=commands,
        fills={seq: fills for seq, fills in whole.fills.items() if seq <= last},
        books={seq: row for seq, row in whole.books.items() if seq <= last},
        digests={seq: digest for seq, digest in whole.digests.items() if seq <= last},
    )


def nothing(index: int, outcome: Outcome) -> Outcome:
    return outcome


def answer(judge: ReplayCheck, index: int, found: entry.Ack | entry.Reject) -> None:
    if isinstance(found, entry.Ack):
        judge.accepted(index, found)
    else:
        judge.refused(index, found)


def check(
    flow: Recording, change: Callable[[int, Outcome], Outcome] = nothing, *, complete: bool = True
) -> CheckResult:
    """Replay into a plain exchange; `change` may falsify the messages of command number `index`."""
    exchange = PlainExchange()
    judge = ReplayCheck(flow)
    for index, command in enumerate(flow.commands):
        outcome = change(index, exchange.apply(command))
        answer(judge, index, outcome.answer)
        for execution in outcome.executions:
            judge.executed(execution)
        judge.traded(outcome.trades)
        judge.changed(outcome.changes)
        if outcome.changes:
            judge.complete(outcome.changes[0].seq - 1)
    if complete:
        judge.complete(judge.last_seq)
    return judge.result()


def first_fill(flow: Recording) -> int:
    assert flow.fills is not None
    return next(iter(flow.fills))


def test_an_equal_replay_is_equal_in_everything() -> None:
    flow = recording()

    result = check(flow)

    assert flow.fills is not None
    fills = sum(map(len, flow.fills.values()))
    assert fills > 50
    assert result.equal
    assert result.differences == []
    assert result.fills == fills
    assert result.recorded_fills == Tally(fills, fills)
    assert result.own_fills == Tally(fills, fills)
    assert result.books == Tally(len(flow.books), len(flow.books))
    assert result.digests == Tally(1, 1)
    assert result.refused.keys() == {"UNKNOWN_ORDER"}


def test_arrival_order_between_answers_and_feed_does_not_matter() -> None:
    flow = recording()
    exchange = PlainExchange()
    outcome = [exchange.apply(command) for command in flow.commands]
    judge = ReplayCheck(flow)

    for one in outcome:
        judge.traded(one.trades)
        judge.changed(one.changes)
    judge.complete(10**9)
    for index, one in reversed(list(enumerate(outcome))):
        for execution in one.executions:
            judge.executed(execution)
        if isinstance(one.answer, entry.Ack):
            judge.accepted(index, one.answer)
        else:
            judge.refused(index, one.answer)
    judge.complete(judge.last_seq)

    assert judge.result().equal


def test_a_corrupted_expectation_is_found() -> None:
    flow = recording()
    assert flow.fills is not None
    seq = first_fill(flow)
    flow.fills[seq][0] = replace(flow.fills[seq][0], maker_id=flow.fills[seq][0].maker_id + 1)

    result = check(flow)

    assert not result.equal
    assert result.recorded_fills is not None
    assert result.recorded_fills.different == 1
    assert result.books.different == 0
    assert result.differences[0].startswith(f"fill 0 of command {seq}: ")


def test_a_fill_that_was_not_recorded_is_found() -> None:
    flow = recording()
    assert flow.fills is not None
    del flow.fills[first_fill(flow)]

    result = check(flow)

    assert not result.equal
    assert "recorded nothing" in result.differences[0]


def test_a_recorded_fill_that_did_not_happen_is_found() -> None:
    flow = recording()
    assert flow.fills is not None
    flow.fills.setdefault(0, []).append(RecordedFill(1, 1, 1))

    result = check(flow)

    assert result.differences == [
        "fill 0 of command 0: nothing, recorded 1 lots at 1 of order 1 "
        "(the recording breaks price-time priority, the exchange kept it)"
    ]


def test_a_corrupted_row_and_digest_are_found() -> None:
    flow = recording()
    seq, row = list(flow.books.items())[-1]
    flow.books[seq] = BookRow(row.bids[1:], row.asks, row.bid_levels, row.ask_levels)
    at, digest = next(iter(flow.digests.items()))
    flow.digests[at] = BookDigest(digest.resting_orders, "0" * 64)

    result = check(flow)

    assert not result.equal
    assert result.books.different == 1
    assert result.digests.different == 1
    assert result.differences[0].startswith(f"digest after command {at}: ")
    assert result.differences[1].startswith(f"book after command {seq}: bid 1 is ")


def test_a_recording_that_breaks_priority_is_distinguished_from_an_exchange_that_does() -> None:
    """In the recording the second order at a price was hit: the exchange hits the first."""
    commands = [
        RecordedCommand(
            seq=0, time_ns=0, op="new", order_id=1, side=2, price_ticks=100, quantity_lots=5,
        ),
        RecordedCommand(
            seq=1, time_ns=0, op="new", order_id=2, side=2, price_ticks=100, quantity_lots=5,
        ),
        RecordedCommand(
            seq=2, time_ns=0, op="exec", order_id=3, side=1, price_ticks=100, quantity_lots=5,
        ),
    ]  # fmt: skip
    row = BookRow((), ((100, 5),), 1, 1)
    honest = Recording(
        name="honest", commands=commands, fills={2: [RecordedFill(1, 100, 5)]}, books={2: row},
        digests={},
    )  # fmt: skip
    jumps = replace(honest, fills={2: [RecordedFill(2, 100, 5)]})

    def hit_the_second(index: int, outcome: Outcome) -> Outcome:
        second = FIRST_SEQ + 1
        trades = [replace(trade, maker_order_id=second) for trade in outcome.trades]
        changes = outcome.changes
        if index == 2:
            changes = [replace(change, order_id=second) for change in changes]
        return replace(outcome, trades=trades, changes=changes)

    result = check(honest)
    assert (result.equal, result.cause, result.breaks) == (True, "", 0)

    result = check(jumps)
    assert (result.equal, result.cause, result.breaks) == (False, "recording", 1)
    assert (result.by_recording, result.by_exchange) == (1, 0)
    assert "the recording breaks price-time priority" in result.differences[0]

    result = check(honest, hit_the_second)
    assert (result.equal, result.cause, result.breaks) == (False, "exchange", 0)
    assert "priority" not in result.differences[0]

    result = check(jumps, hit_the_second)
    assert (result.recorded_fills, result.cause) == (Tally(1, 1), "")


def test_another_cause_of_a_failed_replay_is_named_before_the_exchange() -> None:
    flow = recording()

    def refuse_first(index: int, outcome: Outcome) -> Outcome:
        if index:
            return outcome
        return Outcome(
            entry.Reject(
                request_seq=0, reason=RejectReason.INSUFFICIENT_BALANCE, field="quantity", text=""
            ),
            [],
            [],
            [],
        )

    assert check(flow, refuse_first).cause == "refusals"
    assert check(flow, lose_trade).cause == "exchange"
    judge = ReplayCheck(flow)
    judge.in_use = True
    assert judge.result().cause == "others"


def test_a_row_without_levels_is_no_equal_row() -> None:
    commands = [
        RecordedCommand(
            seq=0, time_ns=0, op="new", order_id=1, side=1, price_ticks=100, quantity_lots=5,
        ),
        RecordedCommand(1, 0, "cancel", 1),
    ]  # fmt: skip
    empty, shown = BookRow((), (), 0, 0), BookRow((), (), 1, 1)
    flow = Recording(
        name="short", commands=commands, fills={}, books={0: empty, 1: shown}, digests={},
    )  # fmt: skip

    result = check(flow)

    assert result.books == Tally(1, 1)
    assert result.rows_without_levels == 1
    assert result.equal


def test_a_row_is_judged_at_its_own_command_not_later() -> None:
    """The next command removes the level that the row shows. The row must still be equal."""
    flow = Recording(
        name="short",
        commands=[
            RecordedCommand(
                seq=0, time_ns=0, op="new", order_id=1, side=1, price_ticks=100, quantity_lots=5,
            ),
            RecordedCommand(1, 0, "cancel", 1),
        ],
        fills={}, books={0: BookRow(((100, 5),), (), 1, 1), 1: BookRow((), (), 1, 1)},
        digests={},
    )  # fmt: skip

    assert check(flow).books == Tally(2, 2)


def test_a_refusal_before_sequencing_leaves_the_book_of_the_command_before() -> None:
    commands = [
        RecordedCommand(
            seq=0, time_ns=0, op="new", order_id=1, side=1, price_ticks=100, quantity_lots=5,
        ),
        RecordedCommand(1, 0, "cancel", 9),
    ]  # fmt: skip
    flow = Recording(
        name="short", commands=commands, fills={}, books={1: BookRow(((100, 5),), (), 1, 1)},
        digests={},
    )  # fmt: skip

    def at_the_gateway(index: int, outcome: Outcome) -> Outcome:
        if isinstance(outcome.answer, entry.Reject):
            return replace(outcome, answer=replace(outcome.answer, seq=0))
        return outcome

    result = check(flow, at_the_gateway)

    assert result.books == Tally(1, 1)
    assert result.equal


def test_a_refused_order_is_a_difference() -> None:
    flow = recording()

    def refuse_first(index: int, outcome: Outcome) -> Outcome:
        if index:
            return outcome
        return Outcome(
            entry.Reject(request_seq=0, reason=RejectReason.BUSY, field="", text="queue full"),
            [],
            [],
            [],
        )

    result = check(flow, refuse_first)

    assert not result.equal
    assert result.unexpected == 1
    assert result.refused["BUSY"] == 1
    assert result.differences[0] == "command 0 (new 1) was refused: BUSY  queue full"


def lose_changes(index: int, outcome: Outcome) -> Outcome:
    return replace(outcome, changes=[]) if index == 499 else outcome


def lose_trade(index: int, outcome: Outcome) -> Outcome:
    return replace(outcome, trades=outcome.trades[1:])


def lose_execution(index: int, outcome: Outcome) -> Outcome:
    return replace(outcome, executions=outcome.executions[1:])


def swap_order(index: int, outcome: Outcome) -> Outcome:
    wrong = [replace(change, shown_lots=change.shown_lots + 1) for change in outcome.changes]
    return replace(outcome, changes=wrong) if index == 499 else outcome


@pytest.mark.parametrize("falsify", [lose_changes, lose_trade, lose_execution, swap_order])
def test_a_falsified_stream_is_found(falsify: Callable[[int, Outcome], Outcome]) -> None:
    assert not check(recording(), falsify).equal


def test_trades_of_other_accounts_are_counted_apart() -> None:
    def add_stranger(index: int, outcome: Outcome) -> Outcome:
        if index != 3:
            return outcome
        return replace(
            outcome,
            trades=[
                feed.Trade(
                    seq=10**6,
                    trade_id=10**6,
                    price_ticks=1,
                    quantity_lots=1,
                    aggressor_side=1,
                    maker_order_id=2,
                    taker_order_id=3,
                    time_ns=0,
                )
            ],
        )

    result = check(recording(), add_stranger)

    assert not result.equal
    assert result.foreign_trades == 1


def test_books_the_feed_never_reached_count_as_different() -> None:
    result = check(recording(), complete=False)

    assert not result.equal
    assert result.books.different + result.digests.different >= 1


@pytest.mark.parametrize("answers_come_late", [False, True])
def test_after_a_loss_books_are_compared_again_from_the_number_of_a_snapshot(
    answers_come_late: bool,
) -> None:
    """Lost from before the second row on; loaded as of the fourth, once some later changes are
    there."""
    flow = recording()
    rows = [i for i, command in enumerate(flow.commands) if command.seq in flow.books]
    lost, kept, loaded_at = rows[1] - 1, rows[3] - 2, rows[3] + 3
    exchange, book, judge = PlainExchange(), OrderDepth(), ReplayCheck(flow)
    late: list[tuple[int, entry.Ack | entry.Reject]] = []
    snapshot: list[list[tuple[int, int, int]]] = []
    for index, command in enumerate(flow.commands):
        outcome = exchange.apply(command)
        for execution in outcome.executions:
            judge.executed(execution)
        judge.traded(outcome.trades)
        for change in outcome.changes:
            book.apply(change)
        if not lost <= index < kept:
            judge.changed(outcome.changes)
        if answers_come_late and lost <= index <= loaded_at:
            late.append((index, outcome.answer))
        else:
            answer(judge, index, outcome.answer)
        if index == rows[3]:
            snapshot = [list(book.orders(Side.BUY)), list(book.orders(Side.SELL))]
            seq = outcome.answer.seq
        if index == loaded_at:
            judge.load(seq, *snapshot)
            for each in late:
                answer(judge, *each)
        if index < lost or index >= loaded_at:
            judge.complete(outcome.answer.seq)
    result = judge.result()
    assert result.books == Tally(len(rows), len(rows) - 2)
    digests = [i for i, command in enumerate(flow.commands) if command.seq in flow.digests]
    unseen = sum(lost <= index < rows[3] for index in digests)
    assert result.digests == Tally(len(digests), len(digests) - unseen)
    assert (result.by_exchange, result.unexpected, result.own_fills.different) == (2 + unseen, 0, 0)
    assert result.differences[0] == (
        f"book after command {flow.commands[rows[1]].seq}: the feed lost changes before it"
    )
    assert judge.fill_count == result.fills == sum(map(len, (flow.fills or {}).values()))


def test_unanswered_commands_are_a_difference() -> None:
    flow = recording()
    judge = ReplayCheck(flow)
    judge.complete(10**9)

    result = judge.result()

    assert result.unanswered == 600
    assert result.books == Tally(len(flow.books), 0)
    assert not result.equal


def test_requests_follow_the_recording() -> None:
    requests = ReplayRequests("BTC-USD", "r-")
    commands = [
        RecordedCommand(
            seq=0, time_ns=0, op="new", order_id=7, side=1, price_ticks=100, quantity_lots=50,
        ),
        RecordedCommand(
            seq=1, time_ns=0, op="exec", order_id=8, side=2, price_ticks=99, quantity_lots=20,
        ),
        RecordedCommand(2, 0, "reduce", 7, quantity_lots=10),
        RecordedCommand(3, 0, "reduce", 7, quantity_lots=40),
        RecordedCommand(4, 0, "reduce", 6, quantity_lots=1), RecordedCommand(5, 0, "cancel", 7),
    ]  # fmt: skip

    made = [requests.request(command, index) for index, command in enumerate(commands)]

    assert made == [
        entry.New(
            request_seq=0,
            symbol="BTC-USD",
            side=1,
            quantity=50,
            price=100,
            order_type=1,
            time_in_force=1,
            client_order_id="r-7",
            prevention=0,
        ),
        entry.New(
            request_seq=1,
            symbol="BTC-USD",
            side=2,
            quantity=20,
            price=99,
            order_type=1,
            time_in_force=2,
            client_order_id="r-8",
            prevention=0,
        ),
        entry.Amend(
            request_seq=2, symbol="BTC-USD", order_id=0, client_order_id="r-7", quantity=40
        ),
        entry.Cancel(request_seq=3, symbol="BTC-USD", order_id=0, client_order_id="r-7"),
        entry.Cancel(request_seq=4, symbol="BTC-USD", order_id=0, client_order_id="r-6"),
        entry.Cancel(request_seq=5, symbol="BTC-USD", order_id=0, client_order_id="r-7"),
    ]
