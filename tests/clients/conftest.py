"""Session scripts whose clients are imported at their top, which is elsewhere than here."""

collect_ignore = [
    "sessions/cryptofeed.py",
    "sessions/freqtrade_strategy.py",
    "sessions/nautilus_trader.py",
]
