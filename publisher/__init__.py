"""The public side of the matcher: its events as feed, snapshots and statistics."""

if __name__ != "crossbook.publisher":
    raise ImportError(f"{__name__} is imported as crossbook.publisher")
