"""The venue of the random commands: three grids, fees of both signs, tight limits."""

from typing import Final, TypeVar

from common.instruments import Instrument
from matcher.dedupe import RetryWindow
from matcher.engine import Engine

SomeEngine = TypeVar("SomeEngine", bound=Engine)

PLAIN = Instrument(
    1, "BTC-USDT", "BTC", "USDT", "0.01", "0.00001", 8, 8, 1_000, 1, 500, 500, 1_000, 2_000
)
"""Fees on both sides, and a min_notional that small orders miss (ten units a tick and lot)."""

REBATE = Instrument(7, "ETH-EUR", "ETH", "EUR", "0.05", "0.001", 8, 6, 60, 2, 40, 0, -250, 500)
"""Makers are paid, few prices, at least two lots an order."""

COARSE = Instrument(12, "SHIB-JPY", "SHIB", "JPY", "1", "1", 0, 0, 10**12, 1, 10**12, 0, 99_999, 1)
"""Whole units only, so that every fee rounds; prices swing wide and notionals overflow."""

INSTRUMENTS = (PLAIN, REBATE, COARSE)

RETRIES: Final = 40
"""Orders remembered for retries: fewer than there are names, so that some are forgotten."""


def venue(kind: type[SomeEngine]) -> SomeEngine:
    """An empty engine of this kind with these instruments and the short memory for retries."""
    engine = kind(INSTRUMENTS)
    engine.retries = RetryWindow(RETRIES)
    return engine
