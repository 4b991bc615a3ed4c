"""The facts of a market that REST and the WebSocket streams share, in the words of the API.

Each function returns the values of the fields that both have in common, in the order in which both
have them.
"""

from msgspec import Struct

from crossbook.common.instruments import Instrument
from crossbook.common.messages.feed import MarketState, Ticker
from crossbook.common.messages.history_queries import Candle
from crossbook.common.types import InstrumentState
from crossbook.gateway.words import STATES, SideWord, StateWord, timestamp


class Auction(Struct):
    """The result the uncross of a call phase would have now: `indicative_quantity` at
    `indicative_price`, null where nothing can trade, and the surplus that would trade at that
    price too, of buyers or of sellers."""

    indicative_price: str | None
    indicative_quantity: str
    surplus_side: SideWord | None
    surplus_quantity: str


TickerFacts = tuple[
    str | None, str | None, str | None, str | None, str | None, str, str, int,
    str | None, str | None, str | None, str | None,
]  # fmt: skip
"""`last` to `ask_quantity` of a ticker: None where nothing traded, or a side is empty."""

CandleFacts = tuple[str, str, str, str, str, str, str, int]
"""`open_time` to `trades` of a candle."""

StateFacts = tuple[StateWord | None, str | None, Auction | None]
"""`state`, `state_until` and `auction` of a document; all null while the state is not known."""


def state_facts(instrument: Instrument, state: MarketState | None) -> StateFacts:
    """The fields of a state.

    >>> from crossbook.common.instruments import example
    >>> halt = MarketState("BTC-USDT", 9, 4, 1_761_482_096_000_000_000, 0, 0, 0, 0)
    >>> state_facts(example(), halt)
    ('halted', '2025-10-26T12:34:56.000Z', None)
    >>> call_phase = MarketState("BTC-USDT", 9, 5, 0, 5_000_001, 2, -3, 0)
    >>> state_facts(example(), call_phase)[2].surplus_side
    'sell'
    """
    if state is None:
        return (None, None, None)
    until = timestamp(state.until_ns) if state.until_ns else None
    auction = None
    if state.state == InstrumentState.AUCTION:
        price, surplus, grid = state.indicative_ticks, state.surplus_lots, instrument.grid
        auction = Auction(
            grid.price.text_or_none(price),
            grid.quantity.text(state.indicative_lots),
            ("buy" if surplus > 0 else "sell") if surplus else None,
            grid.quantity.text(abs(surplus)),
        )
    return (STATES[state.state], until, auction)


def ticker_facts(instrument: Instrument, ticker: Ticker) -> TickerFacts:
    """The fields of the last 24 hours."""
    grid = instrument.grid
    price, quantity = grid.price.text_or_none, grid.quantity.text_or_none
    return (
        price(ticker.last_ticks),
        quantity(ticker.last_lots),
        price(ticker.open_ticks),
        price(ticker.high_ticks),
        price(ticker.low_ticks),
        grid.quantity.text(ticker.volume_lots),
        grid.quote.text(ticker.quote_volume),
        ticker.trades,
        price(ticker.bid_ticks),
        quantity(ticker.bid_lots),
        price(ticker.ask_ticks),
        quantity(ticker.ask_lots),
    )


def candle_facts(instrument: Instrument, candle: Candle) -> CandleFacts:
    """The fields of a candle."""
    grid = instrument.grid
    return (
        timestamp(candle.open_ns),
        grid.price.text(candle.open_ticks),
        grid.price.text(candle.high_ticks),
        grid.price.text(candle.low_ticks),
        grid.price.text(candle.close_ticks),
        grid.quantity.text(candle.volume_lots),
        grid.quote.text(candle.quote_volume),
        candle.trades,
    )
