"""The agents' view of a market, over books made by hand."""

from crossbook.common.instruments import example
from crossbook.simulator.market import BUY, SELL, AgentMarket, OpenOrder


def market() -> AgentMarket:
    made = AgentMarket(example(), 5_000_000, 10)
    made.add(OpenOrder(name="a", agent=1, side=BUY, price_ticks=4_999_990, lots=30))
    made.add(OpenOrder(name="b", agent=2, side=BUY, price_ticks=4_999_990, lots=20))
    made.add(OpenOrder(name="c", agent=1, side=BUY, price_ticks=4_999_980, lots=7))
    made.add(OpenOrder(name="d", agent=2, side=SELL, price_ticks=5_000_010, lots=5))
    return made


def test_best_prices_and_depth() -> None:
    made = market()
    assert (made.bid_ticks, made.ask_ticks) == (4_999_990, 5_000_010)
    assert (made.opposite(BUY), made.opposite(SELL)) == (5_000_010, 4_999_990)
    assert made.lots_near(BUY, 1) == 50
    assert made.lots_near(BUY, 10) == 57
    assert list(made.of(1)) == ["a", "c"]


def test_a_level_ends_with_its_last_order() -> None:
    made = market()
    made.remove("a")
    assert made.bid_ticks == 4_999_990
    made.resize("b", 0)
    assert made.bid_ticks == 4_999_980
    made.remove("c")
    assert made.bid_ticks == 0


def test_a_fill_leaves_the_rest() -> None:
    made = market()
    made.resize("a", 12)
    assert made.lots_near(BUY, 1) == 32
    assert made.orders["a"].lots == 12


def test_a_move_takes_the_lots_along() -> None:
    made = market()
    made.move("c", 5_000_000)
    assert made.bid_ticks == 5_000_000
    assert made.lots_near(BUY, 10) == 57


def test_an_unknown_order_changes_nothing() -> None:
    made = market()
    made.remove("z")
    made.resize("z", 3)
    made.move("z", 1)
    assert made.lots_near(BUY, 10) == 57
    assert made.lots_near(SELL, 10) == 5


def test_the_middle_stays_where_a_side_is_empty() -> None:
    made = market()
    made.advance()
    assert made.middle == 5_000_000
    made.remove("d")
    made.remove("a")
    made.remove("b")
    made.advance()
    assert made.middle == 5_000_000


def test_averages_follow_the_middle_at_their_speeds() -> None:
    made = market()
    for name in ("a", "b", "c"):
        made.move(name, 5_000_000)
    made.advance()
    assert made.middle == 5_000_005
    assert made.fast == 5_000_000.5
    assert made.slow == 5_000_000.05
    assert made.moves == 0.1


def test_lots_and_prices_are_within_the_instruments_limits() -> None:
    made = market()
    assert made.sound_price(-5.0) == 1
    assert made.sound_price(1e12) == example().max_price_ticks
    assert made.sound_lots(0, 5_000_000) == 0
    assert made.sound_lots(10**12, 5_000_000) == example().max_quantity_lots
    made.minimum_notional = 10**8
    # One lot of 0.00001 BTC at 50,000 is worth half a USDT, and a whole one is required.
    assert made.sound_lots(1, 5_000_000) == 0
    assert made.sound_lots(2, 5_000_000) == 2


def test_lots_are_worth_the_requested_amount() -> None:
    assert market().lots_worth(1_000.0) == 2_000


def test_a_cleared_market_is_empty() -> None:
    made = market()
    made.clear()
    assert (made.bid_ticks, made.ask_ticks, made.orders, made.of(1)) == (0, 0, {}, {})
