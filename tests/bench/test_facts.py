"""The facts of a flow are counted rightly, on flows made by hand."""

from pathlib import Path

import pytest

from bench.facts import measure, recorded, simulated
from bench.facts_plot import draw
from bench.stylised import quantile, survival
from bench.tape import Tape
from crossbook.common.instruments import example
from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command, NewOrder
from crossbook.matcher.engine.engine import Engine
from crossbook.replay.sample_flow import sample_path

SECOND = 1_000_000_000
BUY, SELL, GTC, IOC = 1, 2, 1, 3


def new(side: int, price: int, lots: int, time_in_force: int = GTC) -> NewOrder:
    return NewOrder(
        gateway=0,
        request_seq=0,
        account=7,
        instrument=1,
        side=side,
        order_type=1,
        time_in_force=time_in_force,
        price_ticks=price,
        quantity_lots=lots,
    )


def tape(*timed: tuple[float, Command]) -> Tape:
    """The tape of commands at seconds, sampled every second."""
    engine, made = Engine([example()]), Tape(1, SECOND, depth_every=1)
    for seconds, command in timed:
        time_ns = int(seconds * SECOND)
        made.watch(time_ns, engine.apply(command, time_ns))
    return made


QUOTES = ((1.0, new(BUY, 99_990, 50)), (1.0, new(SELL, 100_010, 70)))


def test_samples_are_of_the_book_at_their_second() -> None:
    made = tape(*QUOTES, (2.5, new(BUY, 100_000, 5)), (4.5, new(BUY, 90_000, 1)))
    assert made.middles == [100_000.0, 100_005.0, 100_005.0]
    assert made.spreads_bps[0] == pytest.approx(2.0)
    assert made.spreads_bps[1] == pytest.approx(1.0, rel=1e-3)


def test_seconds_without_both_sides_are_left_out() -> None:
    made = tape((1.0, new(BUY, 99_990, 50)), (3.5, new(SELL, 100_010, 70)), (4.5, QUOTES[0][1]))
    assert made.one_sided == 2
    assert len(made.middles) == 1


def test_depth_is_counted_by_basis_point_on_both_sides() -> None:
    deep, far = (1.0, new(BUY, 99_500, 30)), (1.0, new(SELL, 200_000, 9))
    made = tape(*QUOTES, deep, far, (2.5, QUOTES[0][1]))
    [profile] = made.depth
    assert {place: lots for place, lots in enumerate(profile) if lots} == {1: 120, 50: 30}


def test_amends_move_the_depth_and_trades_use_it_up() -> None:
    made = tape(
        *QUOTES,
        (1.1, new(BUY, 99_990, 10)),
        (
            1.2,
            AmendOrder(
                gateway=0,
                request_seq=0,
                account=7,
                instrument=1,
                order_id=1,
                price_ticks=99_980,
                quantity_lots=40,
            ),
        ),
        (1.4, new(BUY, 100_010, 25, IOC)),
        (2.5, new(BUY, 1, 1)),
    )
    [profile] = made.depth
    assert {place: lots for place, lots in enumerate(profile) if lots} == {1: 55, 2: 40}
    assert made.amends == 1


def test_lifetimes_are_of_orders_canceled_whole_and_begun_in_sight() -> None:
    made = tape(
        *QUOTES,
        (2.0, new(BUY, 90_000, 5)),
        (3.0, new(BUY, 99_995, 5)),
        (3.5, new(SELL, 99_995, 2, IOC)),
        (4.0, CancelOrder(gateway=0, request_seq=0, account=7, instrument=1, order_id=1)),
        (4.5, CancelOrder(gateway=0, request_seq=0, account=7, instrument=1, order_id=3)),
        (5.0, CancelOrder(gateway=0, request_seq=0, account=7, instrument=1, order_id=4)),
    )
    assert made.lifetimes_s == [2.5]
    assert made.cancels == 3


def test_all_fills_of_one_taker_are_one_trade() -> None:
    made = tape(*QUOTES, (2.0, new(SELL, 100_020, 30)), (3.0, new(BUY, 100_020, 90, IOC)),
                (4.0, new(SELL, 99_990, 5, IOC)))  # fmt: skip
    assert made.trade_lots == [90, 5]
    assert made.trade_signs == [1, -1]


def test_other_instruments_are_left_out() -> None:
    made = Tape(2, SECOND)
    made.watch(SECOND, Engine([example()]).apply(QUOTES[0][1], SECOND))
    assert made.orders == 0


def test_quantiles_and_survival_are_those_of_the_values() -> None:
    assert quantile([], 0.5) == 0.0
    assert [quantile([1, 2, 3, 4], share) for share in (0.0, 0.5, 1.0)] == [1, 3, 4]
    values, shares = survival(list(range(10_000)), points=100)
    assert len(values) == 100
    assert (values[50], shares[50]) == (5_000, 0.5)


def test_a_recording_is_replayed_and_measured() -> None:
    facts = measure("sample", recorded(sample_path(), sample_s=1))
    assert facts.values["new orders per s"] > 0
    assert facts.values["spread bp, median"] > 0


def test_the_simulated_market_has_the_facts_of_one(tmp_path: Path) -> None:
    tapes = simulated(1, 5.0)
    for each in tapes:
        values = measure("simulated", each).values
        assert each.one_sided == 0
        assert 0.5 < values["spread bp, median"] < 10
        assert values["return excess kurtosis"] > 1
        assert values["trade size 99 % / median"] > 5
        assert values["lifetime 95 % / median"] > 4
        assert values["autocorrelation of |returns|, 1"] > 0.1
        assert abs(values["autocorrelation of returns, 1"]) < 0.4
    picture = tmp_path / "facts.png"
    draw(picture, "facts", {"one": tapes[0], "other": tapes[1]})
    assert picture.read_bytes().startswith(b"\x89PNG")
