"""Events keep every promise, and a reader of them rebuilds the state."""

from collections.abc import Callable
from itertools import groupby
from operator import attrgetter

import pytest
from msgspec.structs import replace

from crossbook.common.messages.commands import NewOrder
from crossbook.common.messages.events import Event, TradeExecuted
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.engine.queries import balances
from tests.properties.generator import random_commands
from tests.properties.market import INSTRUMENTS, PLAIN, rules_of, venue
from tests.properties.stream_checker import StreamChecker


@pytest.mark.parametrize("seed", range(500, 515))
def test_events_keep_every_promise_and_rebuild_the_books(seed: int) -> None:
    engine = venue(Engine, rules_of(seed))
    reader = StreamChecker(INSTRUMENTS)
    for command, time_ns in random_commands(seed, 2_000):
        for _, events in groupby(engine.apply(command, time_ns), key=attrgetter("seq")):
            reader.read(list(events))
        if not time_ns % 5:
            for instrument in INSTRUMENTS:
                rebuilt = reader.book_state(instrument.id)
                assert rebuilt == engine.book_state(instrument.id), f"seed {seed}, {time_ns}"
    reader.check_levels()
    if engine.ledger is not None:
        for account in range(5):
            kept = {
                each.asset: each.total_units
                for each in balances(engine, account)
                if each.total_units
            }
            expected = {
                asset: total
                for (owner, asset), total in reader.balances.items()
                if owner == account and total
            }
            assert account not in engine.accounts or kept == expected, f"seed {seed}: {account}"


def _swap(i: int, j: int) -> Callable[[list[list[Event]]], None]:
    def spoil(stream: list[list[Event]]) -> None:
        sweep = stream[-1]
        sweep[i], sweep[j] = sweep[j], sweep[i]

    return spoil


def _drop(command: int, event: int) -> Callable[[list[list[Event]]], None]:
    def spoil(stream: list[list[Event]]) -> None:
        del stream[command][event]
        if not stream[command]:
            del stream[command]

    return spoil


def _change(field: str, by: int) -> Callable[[list[list[Event]]], None]:
    def spoil(stream: list[list[Event]]) -> None:
        trade = stream[-1][1]
        assert isinstance(trade, TradeExecuted)
        stream[-1][1] = replace(trade, **{field: getattr(trade, field) + by})

    return spoil


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        pytest.param(_swap(2, 3), "traded through", id="trade at a worse price first"),
        pytest.param(_swap(1, 2), "came first", id="makers out of turn"),
        pytest.param(_swap(0, 1), "not an answer", id="trade before its answer"),
        pytest.param(_drop(-1, 2), "traded through", id="a lost trade"),
        pytest.param(_drop(-1, 3), "crossed", id="a lost last trade"),
        pytest.param(_drop(0, 0), "expected seq 1", id="a lost command"),
        pytest.param(_change("price_ticks", -1), "traded through", id="not the maker's price"),
        pytest.param(_change("maker_fee", 1), "fee", id="a maker fee too high"),
        pytest.param(_change("taker_fee", -1), "fee", id="a taker fee too low"),
        pytest.param(_change("maker_remaining_lots", 1), "totals", id="a wrong total"),
        pytest.param(_change("trade_id", 1), "trade id", id="a hole in the trade ids"),
        pytest.param(_change("quantity_lots", -2), "zero lots", id="a trade of nothing"),
        pytest.param(_change("aggressor_side", 1), "aggressor", id="the wrong aggressor"),
    ],
)
def test_a_broken_promise_is_reported(
    spoil: Callable[[list[list[Event]]], None], complaint: str
) -> None:
    engine = venue(Engine)
    sells = [
        NewOrder(
            gateway=0,
            request_seq=0,
            account=1,
            instrument=PLAIN.id,
            side=2,
            order_type=1,
            time_in_force=1,
            price_ticks=price,
            quantity_lots=2,
        )
        for price in (50, 50, 51)
    ]
    stream = [engine.apply(command) for command in sells]
    stream.append(
        engine.apply(
            NewOrder(
                gateway=0,
                request_seq=0,
                account=2,
                instrument=PLAIN.id,
                side=1,
                order_type=1,
                time_in_force=1,
                price_ticks=51,
                quantity_lots=6,
            )
        )
    )
    assert len(stream[-1]) == 4
    spoil(stream)
    with pytest.raises(AssertionError, match=complaint):
        _read(stream)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        ({}, ""),
        ({"status": 3}, "status"),
        ({"filled_lots": 1}, "filled lots"),
        ({"remaining_lots": 2}, "open lots"),
        ({"account": 2}, "another order"),
        ({"client_order_id": "b"}, "another order"),
    ],
)
def test_a_retry_with_another_answer_is_reported(spoil: dict[str, object], complaint: str) -> None:
    engine = venue(Engine)
    order = NewOrder(
        gateway=0,
        request_seq=0,
        account=1,
        instrument=PLAIN.id,
        side=2,
        order_type=1,
        time_in_force=1,
        price_ticks=50,
        quantity_lots=5,
        client_order_id="a",
    )
    stream = [engine.apply(command) for command in (order, replace(order, account=2))]
    stream.append(
        engine.apply(
            NewOrder(
                gateway=0,
                request_seq=0,
                account=2,
                instrument=PLAIN.id,
                side=1,
                order_type=1,
                time_in_force=1,
                price_ticks=50,
                quantity_lots=2,
            )
        )
    )
    stream.append([replace(engine.apply(order)[0], **spoil)])
    if complaint:
        with pytest.raises(AssertionError, match=complaint):
            _read(stream)
    else:
        _read(stream)


def _read(stream: list[list[Event]]) -> None:
    reader = StreamChecker(INSTRUMENTS)
    for events in stream:
        reader.read(events)
