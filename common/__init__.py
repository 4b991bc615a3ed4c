"""Messages, instruments and process tools that every other package imports."""

if __name__ != "crossbook.common":
    raise ImportError(f"{__name__} is imported as crossbook.common")
