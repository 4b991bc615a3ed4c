"""The venue of the random commands: three grids, fees of both signs, tight limits, price bands,
and in every other seed accounts that run out of money."""

from typing import Final, TypeVar

from crossbook.common.instruments import MAX_NOTIONAL, Instrument
from crossbook.common.rules import Rules
from crossbook.matcher.engine.dedupe import RetryWindow
from crossbook.matcher.engine.engine import Engine
from tests.model.memory import Memory

SomeEngine = TypeVar("SomeEngine", bound=Engine)

PLAIN = Instrument(
    1, "BTC-USDT", "BTC", "USDT", "0.01", "0.00001", 8, 8, 1_000, 1, 500, 500, 1_000, 2_000
)
"""Fees on both sides, and a min_notional that small orders miss (ten units a tick and lot)."""

REBATE = Instrument(
    7, "ETH-EUR", "ETH", "EUR", "0.05", "0.001", 8, 6, 60, 2, 40, 0, -250, 500,
    2, MAX_NOTIONAL, 3, 55, 200_000,
)  # fmt: skip
"""Makers are paid, few prices, at least two lots an order; no taker reaches farther than a
fifth."""

COARSE = Instrument(12, "SHIB-JPY", "SHIB", "JPY", "1", "1", 1, 1, 10**12, 1, 10**12, 0, 99_999, 1)
"""Ten units a lot, the fewest there may be, so that every fee rounds; prices swing wide and
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
"""Enough for a while, not for ever."""

UNFUNDED: Final = Rules()


def rules_of(seed: int) -> Rules:
    """The rules of a seed: every other seed keeps accounts."""
    return FUNDED if seed % 2 else UNFUNDED


def retry_window(more: int = 0) -> RetryWindow:
    """The short memory for retries: of each account `more` orders than there should be."""
    return RetryWindow(MEMORY.own + more, MEMORY.shared, MEMORY.most, MEMORY.kept_ns)


def venue(kind: type[SomeEngine], rules: Rules = UNFUNDED) -> SomeEngine:
    """An empty engine of this kind with these instruments and the short memory for retries."""
    engine = kind(INSTRUMENTS, rules)
    engine.retries = retry_window()
    return engine
