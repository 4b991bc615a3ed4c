"""What an exchange stored, as data frames and files: trades, candles, orders, L3 events.

from crossbook import research

frame = research.trades("sqlite:///data/history.db", symbol="BTC-USDT")
"""

from crossbook.research.frames import candles, l3, orders, trades

__all__ = ["candles", "l3", "orders", "trades"]
