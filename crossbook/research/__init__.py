"""What an exchange stored, as data frames and files: trades, candles, orders, fills, L3 events.

from crossbook import research

frame = research.trades("sqlite:///data/history.db", symbol="BTC-USDT")
"""

from crossbook.research.frames import candles, fills, l3, orders, trades

__all__ = ["candles", "fills", "l3", "orders", "trades"]
