"""Updates of market data in decimals and words."""

from decimal import Decimal

from crossbook.client.market import updates
from crossbook.client.market.updates import MarketUpdate, Snapshot, Trades, market_update
from crossbook.common.following.feed_follower import Update
from crossbook.common.following.local_book import Level
from crossbook.common.instruments import example
from crossbook.common.messages import feed
from crossbook.common.messages.history_queries import Candle
from crossbook.common.types import InstrumentState, Side

BTC = "BTC-USDT"
TRADE = feed.Trade(9, 4, 5_000_001, 50_000, 2, 1, 2, 77)
CANDLE = Candle(60, 0, 100, 400, 50, 300, 7, 123_000_000, 2, 1, 2, 9)
TICKER = feed.Ticker(BTC, 9, 100, 400, 50, 300, 1, 7, 200_000_000, 2, 1, 2, 0, 0, 0, 500, 3, 5)
STATE = feed.MarketState(BTC, 9, 5, 0, 200, 6, -2, 5)
SNAPSHOT = feed.Snapshot(
    request_id=1, symbol=BTC, seq=9, topics={}, bids=[(100, 1)], asks=[(300, 2)], checksum=0,
    time_ns=5, last_trade_id=4, ticker=TICKER, candles=[CANDLE], state=STATE,
)  # fmt: skip

PRICES = [Decimal(1), Decimal(4), Decimal("0.5"), Decimal(3)]
"""Open, high, low and last of the candle and the ticker."""


def view(update: Update) -> MarketUpdate:
    found = market_update(update, {BTC: example()})
    assert found == update
    assert isinstance(found, type(update))
    return found


def test_trades_have_prices_quantities_and_the_aggressor_side() -> None:
    found = view(feed.Trades(BTC, [TRADE]))
    assert isinstance(found, Trades)
    (trade,) = found.trades
    assert (trade.price, trade.quantity) == (Decimal("50000.01"), Decimal("0.5"))
    assert trade.notional == Decimal("25000.005")
    assert trade.aggressor_side is Side.SELL
    assert repr(trade) == (
        "Trade(symbol='BTC-USDT', trade_id=4, price=50000.01, quantity=0.50000, "
        "aggressor_side=SELL, seq=9, time_ns=77)"
    )


def test_an_empty_side_has_no_best_price() -> None:
    found = view(feed.BestBidOffer(BTC, 9, 100, 5, 0, 0, 7))
    assert isinstance(found, updates.BestBidOffer)
    assert (found.bid, found.ask) == (Decimal(1), None)
    assert (found.bid_quantity, found.ask_quantity) == (Decimal("0.00005"), Decimal(0))


def test_changes_of_books_have_levels_and_orders() -> None:
    depth = view(feed.DepthUpdate(BTC, 8, 9, 7, [(100, 0)], [(200, 5)], 0, 5))
    assert isinstance(depth, updates.DepthUpdate)
    assert depth.bid_levels == [Level(Decimal(1), Decimal(0))]
    assert depth.ask_levels == [Level(Decimal(2), Decimal("0.00005"))]
    assert depth.bids == [(100, 0)]
    orders = view(feed.OrdersUpdate(BTC, 8, 9, 7, [feed.OrderChange(9, 3, 2, 200, 5)], 5))
    assert isinstance(orders, updates.OrdersUpdate)
    (change,) = orders.changes
    assert (change.side, change.price, change.shown) == (Side.SELL, Decimal(2), Decimal("0.00005"))


def test_candles_and_tickers_have_prices_and_volumes() -> None:
    found = view(feed.Candles(BTC, 9, [CANDLE], 5))
    assert isinstance(found, updates.Candles)
    (candle,) = found.candles
    assert [candle.open, candle.high, candle.low, candle.close] == PRICES
    assert (candle.volume, candle.notional) == (Decimal("0.00007"), Decimal("1.23"))
    ticker = view(TICKER)
    assert isinstance(ticker, updates.Ticker)
    assert [ticker.open, ticker.high, ticker.low, ticker.last] == PRICES
    assert (ticker.volume, ticker.notional) == (Decimal("0.00007"), Decimal(2))
    assert (ticker.bid, ticker.ask) == (None, Decimal(5))


def test_a_state_has_its_word_and_the_result_of_an_uncross() -> None:
    state = view(STATE)
    assert isinstance(state, updates.MarketState)
    assert state.state is InstrumentState.AUCTION
    assert (state.indicative_price, state.indicative_quantity) == (Decimal(2), Decimal("0.00006"))
    assert state.surplus == Decimal("-0.00002")


def test_a_snapshot_has_levels_and_views_of_its_parts() -> None:
    found = view(SNAPSHOT)
    assert isinstance(found, Snapshot)
    assert found.bid_levels == [Level(Decimal(1), Decimal("0.00001"))]
    assert found.ask_levels == [Level(Decimal(3), Decimal("0.00002"))]
    assert found.ticker is not None
    assert found.ticker.last == 3
    assert found.candles[0].close == 3
    assert found.state is not None
    assert found.state.state is InstrumentState.AUCTION


def test_heartbeats_pass_and_no_update_needs_its_instrument() -> None:
    heartbeat = feed.Heartbeat(1, 2, 3, {})
    assert market_update(heartbeat, {}) is heartbeat
    assert market_update(SNAPSHOT, {}) == SNAPSHOT
