"""News reach agents that override a method, and hold nothing that differs between two runs."""

from msgspec.structs import replace

from crossbook.common.messages.entry import Cancel, Execution, New, Reject
from crossbook.common.types import ExecutionKind, Liquidity, OrderStatus, RejectReason, Side
from crossbook.simulator.agent import Agent, Fill, MarketTrade, Rejection
from crossbook.simulator.chance import Chance
from crossbook.simulator.market import AgentMarket
from crossbook.simulator.news import AgentNews
from crossbook.simulator.population import Engaged
from tests.crossbook.simulator.test_flow import BTC

FILL = Execution(
    request_seq=8, seq=77, symbol="BTC-USDT", order_id=5, client_order_id="x",
    kind=ExecutionKind.FILL, status=OrderStatus.PARTIALLY_FILLED, side=Side.SELL,
    price_ticks=6_500_000, quantity_lots=3, filled_lots=3, remaining_lots=2, time_ns=99,
    trade_id=4, liquidity=Liquidity.MAKER, fee_units=11,
)  # fmt: skip
REFUSED = Reject(request_seq=8, reason=RejectReason.BAD_LOT, field="quantity", text="no")


class Noted(Agent):
    """Records all its news."""

    def on_start(self) -> None:
        self.news: list[object] = []

    def on_fill(self, fill: Fill) -> None:
        self.news.append(fill)

    def on_trade(self, trade: MarketTrade) -> None:
        self.news.append(trade)

    def on_reject(self, rejection: Rejection) -> None:
        self.news.append(rejection)


class WithoutMethods(Agent):
    """Overrides nothing that brings news."""


def delivered(*kinds: type[Agent]) -> tuple[AgentNews, list[Agent], list[tuple[int, str]]]:
    market = AgentMarket(BTC, 6_500_000, 50)
    seats = [kind(number, market, Chance(1), {}) for number, kind in enumerate(kinds)]
    for seat in seats:
        seat.on_start()
    failures: list[tuple[int, str]] = []
    news = AgentNews(
        [Engaged("some", [seat]) for seat in seats],
        lambda number, error: failures.append((number, repr(error))),
    )
    return news, seats, failures


def test_each_agent_receives_its_own_fills_and_rejections_and_all_trades() -> None:
    news, (one, other), _ = delivered(Noted, Noted)
    assert isinstance(one, Noted)
    assert isinstance(other, Noted)
    news.rejected(1, 0, New(1, "BTC-USDT", 1), REFUSED, 6)
    news.traded(0, FILL)
    news.filled(0, 0, FILL, 9)
    news.deliver(set())
    trade = MarketTrade(6_500_000, 3, Side.BUY)
    assert one.news == [
        Fill(
            side=Side.SELL,
            price_ticks=6_500_000,
            lots=3,
            liquidity=Liquidity.MAKER,
            fee_units=11,
            slot=9,
            remaining_lots=2,
        ),
        trade,
    ]
    assert other.news == [trade, Rejection("new", RejectReason.BAD_LOT, "quantity", 6)]
    news.deliver(set())
    assert len(one.news) == len(other.news) == 2


def test_the_aggressor_is_the_taker() -> None:
    news, (one,), _ = delivered(Noted)
    assert isinstance(one, Noted)
    news.traded(0, FILL)
    news.traded(0, replace(FILL, liquidity=Liquidity.TAKER))
    news.deliver(set())
    assert [trade.aggressor_side for trade in one.news if isinstance(trade, MarketTrade)] == [
        Side.BUY, Side.SELL,
    ]  # fmt: skip


def test_a_reason_of_a_later_version_is_delivered_as_malformed() -> None:
    news, (one,), _ = delivered(Noted)
    assert isinstance(one, Noted)
    news.rejected(0, 0, Cancel(1, "BTC-USDT"), replace(REFUSED, reason=9_999), 0)
    news.deliver(set())
    assert one.news == [Rejection("cancel", RejectReason.MALFORMED, "quantity", 0)]


def test_nothing_is_collected_for_agents_that_override_no_method_and_for_unknown_ones() -> None:
    news, _, failures = delivered(WithoutMethods)
    news.filled(0, 0, FILL, 0)
    news.traded(0, FILL)
    news.rejected(-1, 0, New(1, "BTC-USDT", 1), REFUSED, 0)
    news.deliver(set())
    assert failures == []


def test_a_failed_agent_receives_nothing_and_one_that_fails_is_named() -> None:
    class Failing(Noted):
        def on_trade(self, trade: MarketTrade) -> None:
            raise ValueError("no luck")

    news, (one, _), failures = delivered(Noted, Failing)
    assert isinstance(one, Noted)
    news.traded(0, FILL)
    news.deliver({0})
    assert one.news == []
    assert failures == [(1, "ValueError('no luck')")]
