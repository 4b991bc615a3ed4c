"""The venue: a pure matching engine in the middle, a thin loop of sockets around it."""

if __name__ != "crossbook.matcher":
    raise ImportError(f"{__name__} is imported as crossbook.matcher")
