"""Agents of a user: their methods, requests and limits in a market of built-in agents."""

from typing import Any

import pytest

from crossbook.common.types import Liquidity, RejectReason, Side
from crossbook.simulator.agent import FOK, Agent, Fill, MarketTrade, Rejection
from crossbook.simulator.market import AgentMarket
from crossbook.simulator.population import AgentChoice
from tests.crossbook.simulator.market_of_agents import Joined
from tests.crossbook.simulator.test_flow import BTC, ETH


class Script(Agent):
    """Does in each tick the acts that a test has set for it, and records all its news."""

    def on_start(self) -> None:
        self.news: list[object] = []
        self.script: dict[int, Any] = {}

    def on_fill(self, fill: Fill) -> None:
        self.news.append(fill)

    def on_trade(self, trade: MarketTrade) -> None:
        self.news.append(trade)

    def on_reject(self, rejection: Rejection) -> None:
        self.news.append(rejection)

    def on_book(self, book: AgentMarket) -> None:
        self.news.append((book.bid_ticks, book.ask_ticks))

    def act(self) -> None:
        self.script.pop(self.tick, lambda: None)()


def scripted(count: int, agents: int = 0, **parameters: object) -> tuple[Joined, list[Script]]:
    """Agents of a test in a market that is empty otherwise, at a start price of 65,000."""
    joined = Joined(AgentChoice(Script, parameters, count=count), agents=agents)
    seats = [each.seats[0] for each in joined.flow.engaged[agents:]]
    assert all(isinstance(each, Script) for each in seats)
    return joined, [each for each in seats if isinstance(each, Script)]


def test_an_agent_receives_fills_then_trades_then_rejections_then_the_book() -> None:
    joined, (maker, taker) = scripted(2)
    maker.script[1] = lambda: maker.place(Side.SELL, 6_500_000, 40, slot=7)
    joined.run(1)
    assert maker.news == taker.news == [(0, 6_500_000)]
    maker.script[2] = lambda: maker.amend(maker.orders()[0], 6_500_010)
    taker.script[2] = lambda: taker.trade(Side.BUY, 15, 100)
    joined.run(1)
    price = maker.market.last_ticks
    trade = MarketTrade(price, 15, Side.BUY)
    # A tick times a lot is ten smallest units of USDT; fees are 0.1 and 0.2 percent.
    assert maker.news[1:] == [
        Fill(
            side=Side.SELL, price_ticks=price, lots=15, liquidity=Liquidity.MAKER,
            fee_units=price * 15 * 10 // 1_000, slot=7, remaining_lots=25,
        ),
        trade, (0, 6_500_010),
    ]  # fmt: skip
    assert taker.news[1:] == [
        Fill(
            side=Side.BUY, price_ticks=price, lots=15, liquidity=Liquidity.TAKER, fee_units=30,
            slot=0, remaining_lots=0,
        ),
        trade, (0, 6_500_010),
    ]  # fmt: skip
    assert (maker.position_lots, taker.position_lots) == (-15, 15)
    assert (maker.cash_tick_lots, taker.cash_tick_lots) == (15 * price, -15 * price)
    assert (maker.base_fee_units, taker.base_fee_units) == (0, 30)
    assert maker.quote_fee_units > 0 == taker.quote_fee_units


def test_a_book_without_changes_is_not_delivered_again() -> None:
    joined, (one,) = scripted(1)
    joined.run(5)
    assert one.news == []
    one.script[6] = lambda: one.place(Side.BUY, 6_000_000, 10)
    joined.run(5)
    assert one.news == [(6_000_000, 0)]


def test_a_refused_request_is_delivered_with_its_reason_and_mark() -> None:
    joined, (maker, taker) = scripted(2)
    maker.script[1] = lambda: maker.place(Side.SELL, 6_500_000, 40)
    joined.run(1)
    taker.script[2] = lambda: taker.place(Side.BUY, 6_500_000, 5, slot=3, post_only=True)
    joined.run(1)
    assert taker.news[1:] == [Rejection("new", RejectReason.POST_ONLY_WOULD_TAKE, "price", 3)]
    assert taker.orders() == []
    assert maker.position_lots == 0


def test_an_order_filled_in_the_tick_of_its_cancel_gives_unknown_order() -> None:
    joined, (maker, taker) = scripted(2)
    maker.script[1] = lambda: maker.place(Side.SELL, 6_500_000, 5)
    joined.run(1)
    for tick in range(2, 30):
        maker.script[tick] = lambda: [maker.cancel(order) for order in maker.orders()]
        taker.script[tick] = lambda: taker.trade(Side.BUY, 5, 0)
        joined.run(1)
        maker.script[tick + 1] = lambda: maker.place(Side.SELL, 6_500_000, 5)
        joined.run(1)
        rejected = [each for each in maker.news if isinstance(each, Rejection)]
        if rejected:
            break
    assert [(each.request, each.reason) for each in rejected] == [
        ("cancel", RejectReason.UNKNOWN_ORDER)
    ]


def test_requests_of_any_method_are_sent_with_the_next_act() -> None:
    class Echo(Script):
        def on_trade(self, trade: MarketTrade) -> None:
            self.place(trade.aggressor_side, trade.price_ticks - 500, 3)

    joined = Joined(AgentChoice(Echo, count=1), agents=6).run(60)
    trades = joined.flow.statistics.tapes[0].trades
    assert trades > 5
    assert 1 <= len(joined.requests["echo"]) <= trades


def test_own_orders_never_trade_with_each_other() -> None:
    joined, (one,) = scripted(1)
    one.script[1] = lambda: one.place(Side.SELL, 6_500_000, 10)
    one.script[2] = lambda: one.place(Side.BUY, 6_500_000, 4)
    joined.run(2)
    assert joined.flow.statistics.tapes[0].trades == 0
    assert [(order.side, order.lots) for order in one.orders()] == [(Side.SELL, 10)]
    assert joined.open_lots("script") == {order.name: order.lots for order in one.orders()}
    one.script[3] = lambda: one.trade(Side.BUY, 4, 10)
    joined.run(1)
    assert one.orders() == []
    assert joined.open_lots("script") == {}


def test_a_position_stays_within_its_limit() -> None:
    joined, (maker, taker) = scripted(2, limit_quote=6_500.0)
    assert maker.limit_lots == 10_000
    maker.script[1] = lambda: [maker.place(Side.SELL, 6_500_000 + n, 4_000) for n in range(4)]
    joined.run(1)
    assert [order.lots for order in maker.orders()] == [4_000, 4_000, 2_000]
    taker.script[2] = lambda: taker.trade(Side.BUY, 20_000, 100, FOK)
    joined.run(1)
    assert (maker.position_lots, taker.position_lots) == (-10_000, 10_000)
    assert (maker.room(Side.SELL), maker.room(Side.BUY)) == (0, 20_000)
    assert not maker.place(Side.SELL, 6_500_000, 1)
    assert not maker.limited


def test_requests_and_open_orders_beyond_their_limits_are_left_out_and_counted() -> None:
    joined, (one, _) = scripted(2, requests_most=5, open_orders_most=3)
    placed: list[bool] = []
    one.script[1] = lambda: placed.extend(one.place(Side.BUY, 6_000_000 + n, 10) for n in range(5))
    joined.run(1)
    assert placed == [True, True, True, False, False]
    assert len(one.orders()) == 3
    assert one.limited == 2
    canceled: list[bool] = []
    one.script[2] = lambda: canceled.extend(one.cancel(one.orders()[0]) for _ in range(7))
    joined.run(1)
    assert canceled == [True] * 5 + [False] * 2
    assert joined.flow.statistics.limited() == {"script": 4}
    assert joined.flow.statistics.facts()["limited"] == {"script": 4}


def test_nothing_is_traded_where_the_opposite_side_is_empty() -> None:
    joined, (one,) = scripted(1)
    sent: list[bool] = []
    one.script[1] = lambda: sent.append(one.trade(Side.BUY, 10, 0))
    joined.run(1)
    assert sent == [False]
    assert joined.requests["script"] == []


def test_prices_and_lots_are_integers_within_the_limits_of_the_instrument() -> None:
    joined, (one,) = scripted(1)
    one.script[1] = lambda: (
        one.place(Side.BUY, 6_000_000.9, 7),
        one.place(Side.BUY, -5, 7),
        one.place(Side.SELL, 1e15, 7),
        one.place(Side.BUY, 6_000_000, 0),
        one.place(Side.BUY, 6_000_000, -3),
    )
    joined.run(1)
    assert [order.price_ticks for order in one.orders()] == [6_000_000, 1, BTC.max_price_ticks]


def test_the_same_agent_in_several_instruments_reaches_its_siblings() -> None:
    from crossbook.simulator.flow import AgentFlow
    from crossbook.simulator.venue import LocalVenue

    class Pair(Agent):
        def act(self) -> None:
            if self.tick == 2 and self.market.symbol == "ETH-USDT":
                self.siblings["BTC-USDT"].place(Side.BUY, 6_000_000, 9)
                self.place(Side.SELL, 400_000, 8)

    flow = AgentFlow([BTC, ETH], 0, 1, own=[AgentChoice(Pair)])
    venue = LocalVenue([BTC, ETH], 1)
    for _ in range(2):
        flow.receive(*venue.apply(flow.step()))
    assert [[order.lots for order in seat.orders()] for seat in flow.engaged[0].seats] == [[9], [8]]


def test_the_time_is_simulated() -> None:
    joined, (one,) = scripted(1)
    joined.run(25)
    assert (one.tick, one.seconds) == (25, 2.5)


@pytest.mark.parametrize("name", ["script", "script-2"])
def test_each_agent_draws_from_a_generator_of_its_own(name: str) -> None:
    alone = Joined(AgentChoice(Script, name=name), agents=0)
    pair = Joined(Script, Script, agents=2)
    draws = [alone.seat(name).chance.uniform() for _ in range(5)]
    assert [pair.seat(name).chance.uniform() for _ in range(5)] == draws
    other = "script" if name != "script" else "script-2"
    assert [pair.seat(other).chance.uniform() for _ in range(5)] != draws


@pytest.mark.parametrize("name", ["trade", "market", "position_lots", "on_book", "orders"])
def test_a_parameter_may_not_hide_what_every_agent_has(name: str) -> None:
    with pytest.raises(TypeError, match=rf"Mine\.{name} would hide {name} of Agent: rename it"):
        type("Mine", (Agent,), {"__annotations__": {name: int}, name: 3})


def test_a_derived_class_may_use_any_private_name() -> None:
    class Keeper(Agent):
        def on_start(self) -> None:
            self._actions = self._requested = self._entering = self._queue = 7

        def act(self) -> None:
            self.place(Side.BUY, 6_000_000, self._actions)

    joined = Joined(Keeper, agents=0).run(2)
    assert [order.lots for order in joined.seat("keeper").orders()] == [7, 7]


def test_an_agent_begins_at_tick_zero_with_all_its_room() -> None:
    class Beginner(Agent):
        def on_start(self) -> None:
            self.begun = (self.tick, self.seconds, self.fundamental)
            self.rooms = [self.room(Side.BUY), self.room(Side.SELL)]

    seat = Joined(Beginner, agents=0).seat("beginner")
    assert isinstance(seat, Beginner)
    assert seat.begun == (0, 0.0, 6_500_000.0)
    assert seat.rooms == [seat.limit_lots, seat.limit_lots]


def test_a_trade_without_room_is_not_sent() -> None:
    joined, (maker, taker) = scripted(2, limit_quote=6_500.0)
    maker.script[1] = lambda: maker.place(Side.SELL, 6_500_000, 10_000)
    taker.script[2] = lambda: taker.trade(Side.BUY, 10_000, 100)
    joined.run(2)
    assert taker.position_lots == taker.limit_lots
    sent: list[bool] = []
    maker.script[3] = lambda: maker.cancel(maker.orders()[0]) if maker.orders() else None
    taker.script[3] = lambda: sent.append(taker.trade(Side.BUY, 1, 100))
    joined.run(1)
    assert sent == [False]
