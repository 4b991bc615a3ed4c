"""The callbacks that are called, their arguments, and the effect of an exception in one of them."""

import pytest

from crossbook.client.market.callbacks import Callbacks
from crossbook.client.market.gap_watch import FeedLive, FeedStale, Gap, MarketEvent
from crossbook.client.market.updates import Trade, market_update
from crossbook.common.following.feed_follower import Update
from crossbook.common.following.local_book import LocalBook
from crossbook.common.instruments import example
from crossbook.common.messages import feed
from crossbook.common.messages.history_queries import Candle

BTC, ETH = "BTC-USDT", "ETH-USDT"
CANDLE = Candle(
    interval_s=60,
    open_ns=0,
    open_ticks=1,
    high_ticks=1,
    low_ticks=1,
    close_ticks=1,
    volume_lots=7,
    quote_volume=1,
    trades=2,
    first_trade_id=1,
    last_trade_id=2,
    seq=9,
)
TICKER = feed.Ticker(BTC, 9, *[1] * 16)
STATE = feed.MarketState(
    symbol=BTC,
    seq=9,
    state=1,
    until_ns=0,
    indicative_ticks=0,
    indicative_lots=0,
    surplus_lots=0,
    time_ns=5,
)


class Market(Callbacks):
    """Callbacks of two books, and the calls they made."""

    def __init__(self) -> None:
        super().__init__()
        self.books = {symbol: LocalBook(symbol) for symbol in (BTC, ETH)}
        self.calls: list[object] = []

    def book(self, symbol: str) -> LocalBook:
        return self.books[symbol]

    def deliver(self, *events: Update | Gap | FeedStale | FeedLive) -> list[object]:
        """Make the calls for these events."""
        views: list[MarketEvent] = []
        for each in events:
            if isinstance(each, Gap | FeedStale | FeedLive):
                views.append(each)
            else:
                view = market_update(each, {BTC: example()})
                assert not isinstance(view, feed.Heartbeat)
                views.append(view)
        self._plan(views)
        while self._calls:
            callback, argument = self._calls.popleft()
            callback(argument)
        calls, self.calls = self.calls, []
        return calls


@pytest.fixture
def market() -> Market:
    return Market()


def trades(symbol: str, *trade_ids: int) -> feed.Trades:
    return feed.Trades(
        symbol,
        [
            feed.Trade(
                seq=9,
                trade_id=each,
                price_ticks=1,
                quantity_lots=1,
                aggressor_side=1,
                maker_order_id=1,
                taker_order_id=2,
                time_ns=0,
            )
            for each in trade_ids
        ],
    )


def depth(symbol: str) -> feed.DepthUpdate:
    return feed.DepthUpdate(
        symbol=symbol, first_seq=1, seq=1, prev_seq=0, bids=[], asks=[], checksum=0, time_ns=0
    )


def test_each_kind_has_its_callbacks_and_a_decorator_keeps_the_function(market: Market) -> None:
    @market.on_trade
    def collect(trade: Trade) -> None:
        market.calls.append(trade.trade_id)

    assert callable(collect)
    for register in (market.on_best, market.on_ticker, market.on_candle, market.on_state):
        assert register(market.calls.append) == market.calls.append
    market.on_gap(market.calls.append)
    best = feed.BestBidOffer(
        symbol=BTC, seq=9, bid_ticks=1, bid_lots=1, ask_ticks=2, ask_lots=1, time_ns=0
    )
    gap = Gap(BTC, "trade", 1, 2)
    assert market.deliver(
        trades(BTC, 1, 2), best, TICKER, feed.Candles(BTC, 9, [CANDLE, CANDLE], 0), STATE, gap
    ) == [1, 2, best, TICKER, CANDLE, CANDLE, STATE, gap]


def test_callbacks_of_one_kind_are_called_in_their_order_and_for_their_symbol(
    market: Market,
) -> None:
    market.on_trade(lambda trade: market.calls.append(("all", trade.symbol)))
    market.on_trade(lambda trade: market.calls.append(("eth", trade.symbol)), symbol=ETH)
    assert market.deliver(trades(BTC, 1), trades(ETH, 1)) == [
        ("all", BTC), ("all", ETH), ("eth", ETH),
    ]  # fmt: skip


def test_a_book_is_passed_once_for_all_changes_and_after_everything_else(market: Market) -> None:
    market.on_book(market.calls.append)
    market.on_trade(lambda trade: market.calls.append(trade.trade_id))
    orders = feed.OrdersUpdate(symbol=BTC, first_seq=1, seq=1, prev_seq=0, changes=[], time_ns=0)
    assert market.deliver(depth(BTC), trades(BTC, 1), orders, depth(ETH), depth(BTC)) == [
        1, market.books[BTC], market.books[ETH],
    ]  # fmt: skip


def test_a_snapshot_calls_with_its_ticker_candles_and_state(market: Market) -> None:
    for register in (market.on_ticker, market.on_candle, market.on_state):
        register(market.calls.append)
    market.on_book(market.calls.append)
    snapshot = feed.Snapshot(
        request_id=1,
        symbol=BTC,
        seq=9,
        topics={},
        bids=[],
        asks=[],
        checksum=0,
        time_ns=0,
        last_trade_id=4,
        ticker=TICKER,
        candles=[CANDLE],
        state=STATE,
    )
    assert market.deliver(snapshot) == [TICKER, CANDLE, STATE, market.books[BTC]]


def test_a_silence_calls_with_true_and_its_end_with_false(market: Market) -> None:
    market.on_stale(market.calls.append)
    assert market.deliver(FeedStale(), FeedLive()) == [True, False]


def test_the_call_that_raised_is_not_repeated_and_the_others_are_kept(market: Market) -> None:
    @market.on_trade
    def fail_at_first(trade: Trade) -> None:
        market.calls.append(trade.trade_id)
        if trade.trade_id == 1:
            raise ZeroDivisionError

    market.on_trade(lambda trade: market.calls.append(-trade.trade_id))
    with pytest.raises(ZeroDivisionError):
        market.deliver(trades(BTC, 1, 2))
    assert market.deliver() == [1, -1, 2, -2]


def test_a_value_that_cannot_be_called_is_refused(market: Market) -> None:
    with pytest.raises(TypeError, match="callback: 5 cannot be called"):
        market.on_trade(5)  # type: ignore[type-var]
