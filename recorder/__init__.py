"""The recorder: the matcher's events in a database, and answers about history."""

if __name__ != "crossbook.recorder":
    raise ImportError(f"{__name__} is imported as crossbook.recorder")
