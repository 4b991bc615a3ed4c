"""The only door to the outside: sessions, validation, translation and backpressure."""

if __name__ != "crossbook.gateway":
    raise ImportError(f"{__name__} is imported as crossbook.gateway")
