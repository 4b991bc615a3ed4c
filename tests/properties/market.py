"""The instruments of the random commands: three grids, fees of both signs, tight limits."""

from common.instruments import Instrument

PLAIN = Instrument(
    1, "BTC-USDT", "BTC", "USDT", "0.01", "0.00001", 8, 8, 1_000, 1, 500, 500, 1_000, 2_000
)
"""Fees on both sides, and a min_notional that small orders miss (ten units a tick and lot)."""

REBATE = Instrument(7, "ETH-EUR", "ETH", "EUR", "0.05", "0.001", 8, 6, 60, 2, 40, 0, -250, 500)
"""Makers are paid, few prices, at least two lots an order."""

COARSE = Instrument(12, "SHIB-JPY", "SHIB", "JPY", "1", "1", 0, 0, 10**12, 1, 10**12, 0, 99_999, 1)
"""Whole units only, so that every fee rounds; prices swing wide and notionals overflow."""

INSTRUMENTS = (PLAIN, REBATE, COARSE)
