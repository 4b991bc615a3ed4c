"""Public market data from the matcher's events: feed, snapshots and statistics."""

if __name__ != "crossbook.publisher":
    raise ImportError(f"{__name__} is imported as crossbook.publisher")
