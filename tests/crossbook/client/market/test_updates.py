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
TRADE = feed.Trade(
    seq=9,
    trade_id=4,
    price_ticks=5_000_001,
    quantity_lots=50_000,
    aggressor_side=2,
    maker_order_id=1,
    taker_order_id=2,
    time_ns=77,
)
CANDLE = Candle(
    interval_s=60,
    open_ns=0,
    open_ticks=100,
    high_ticks=400,
    low_ticks=50,
    close_ticks=300,
    volume_lots=7,
    quote_volume=123_000_000,
    trades=2,
    first_trade_id=1,
    last_trade_id=2,
    seq=9,
)
TICKER = feed.Ticker(
    symbol=BTC,
    seq=9,
    open_ticks=100,
    high_ticks=400,
    low_ticks=50,
    last_ticks=300,
    last_lots=1,
    volume_lots=7,
    quote_volume=200_000_000,
    trades=2,
    first_trade_id=1,
    last_trade_id=2,
    open_ns=0,
    bid_ticks=0,
    bid_lots=0,
    ask_ticks=500,
    ask_lots=3,
    time_ns=5,
)
STATE = feed.MarketState(
    symbol=BTC,
    seq=9,
    state=5,
    until_ns=0,
    indicative_ticks=200,
    indicative_lots=6,
    surplus_lots=-2,
    time_ns=5,
)
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
    found = view(
        feed.BestBidOffer(
            symbol=BTC, seq=9, bid_ticks=100, bid_lots=5, ask_ticks=0, ask_lots=0, time_ns=7
        )
    )
    assert isinstance(found, updates.BestBidOffer)
    assert (found.bid, found.ask) == (Decimal(1), None)
    assert (found.bid_quantity, found.ask_quantity) == (Decimal("0.00005"), Decimal(0))


def test_changes_of_books_have_levels_and_orders() -> None:
    depth = view(
        feed.DepthUpdate(
            symbol=BTC,
            first_seq=8,
            seq=9,
            prev_seq=7,
            bids=[(100, 0)],
            asks=[(200, 5)],
            checksum=0,
            time_ns=5,
        )
    )
    assert isinstance(depth, updates.DepthUpdate)
    assert depth.bid_levels == [Level(Decimal(1), Decimal(0))]
    assert depth.ask_levels == [Level(Decimal(2), Decimal("0.00005"))]
    assert depth.bids == [(100, 0)]
    orders = view(
        feed.OrdersUpdate(
            symbol=BTC,
            first_seq=8,
            seq=9,
            prev_seq=7,
            changes=[feed.OrderChange(seq=9, order_id=3, side=2, price_ticks=200, shown_lots=5)],
            time_ns=5,
        )
    )
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
