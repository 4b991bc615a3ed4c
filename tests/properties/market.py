"""The venue of the random commands: three grids, fees of both signs, tight limits, price bands,
and in every other seed accounts that run out of money."""

from typing import Final, TypeVar

from msgspec.structs import replace

from crossbook.common.instruments import MAX_NOTIONAL, Instrument
from crossbook.common.rules import Rules
from crossbook.matcher.engine.dedupe import RetryWindow
from crossbook.matcher.engine.engine import Engine
from tests.model.memory import Memory

SomeEngine = TypeVar("SomeEngine", bound=Engine)

PLAIN = Instrument(
    id=1, symbol="BTC-USDT", base="BTC", quote="USDT", tick_size="0.01", lot_size="0.00001",
    base_decimals=8, quote_decimals=8, max_price_ticks=1_000, min_quantity_lots=1,
    max_quantity_lots=500, min_notional=500, maker_fee_rate=1_000, taker_fee_rate=2_000,
)  # fmt: skip
"""Fees on both sides, and a min_notional that small orders miss (ten units a tick and lot)."""

REBATE = Instrument(
    id=7, symbol="ETH-EUR", base="ETH", quote="EUR", tick_size="0.05", lot_size="0.001",
    base_decimals=8, quote_decimals=6, max_price_ticks=60, min_quantity_lots=2,
    max_quantity_lots=40, min_notional=0, maker_fee_rate=-250, taker_fee_rate=500,
    min_price_ticks=2, max_notional=MAX_NOTIONAL, band_low_ticks=3, band_high_ticks=55,
    band_rate=200_000,
)  # fmt: skip
"""Rebates for makers, few prices, at least two lots an order; no taker trades farther than a fifth
from the last price."""

COARSE = Instrument(
    id=12, symbol="SHIB-JPY", base="SHIB", quote="JPY", tick_size="1", lot_size="1",
    base_decimals=1, quote_decimals=1, max_price_ticks=10**12, min_quantity_lots=1,
    max_quantity_lots=10**12, min_notional=0, maker_fee_rate=99_999, taker_fee_rate=1,
)  # fmt: skip
"""Ten units a lot, the fewest there may be, so that every fee is rounded. Prices swing wide, and
notionals overflow."""

INSTRUMENTS = (PLAIN, REBATE, COARSE)

RETRIES: Final = 23
"""Orders remembered for retries: fewer than there are names, so that some are forgotten, and one
less than the accounts' own ones, so that some are refused."""

MEMORY: Final = Memory(own=6, shared=16, most=RETRIES, kept_ns=150)


OPEN_ORDERS: Final = 25
"""Most open orders of an account where accounts are kept."""

FUNDED: Final = Rules(
    True,
    (
        ("BTC", 2_000_000), ("USDT", 500_000), ("ETH", 40_000_000), ("EUR", 30_000_000),
        ("SHIB", 10**6), ("JPY", 10**8),
    ),
    OPEN_ORDERS,
)  # fmt: skip
"""An opening balance that lasts for a while."""

UNFUNDED: Final = Rules()


LIMITS: Final = ((0, 0), (8, 7), (4, 2))
"""Most orders at a price, and most makers that an order meets; zero is no limit."""


def rules_of(seed: int) -> Rules:
    """The rules of a seed: every other seed keeps accounts, two of three have tight limits."""
    level_orders, fills = LIMITS[seed % len(LIMITS)]
    rules = FUNDED if seed % 2 else UNFUNDED
    return replace(rules, max_level_orders=level_orders, max_fills=fills)


def retry_window(more: int = 0) -> RetryWindow:
    """The short memory for retries: of each account `more` orders than there should be."""
    return RetryWindow(MEMORY.own + more, MEMORY.shared, MEMORY.most, MEMORY.kept_ns)


def venue(kind: type[SomeEngine], rules: Rules = UNFUNDED) -> SomeEngine:
    """An empty engine of this kind with these instruments and the short memory for retries."""
    engine = kind(INSTRUMENTS, rules)
    engine.retries = retry_window()
    return engine
