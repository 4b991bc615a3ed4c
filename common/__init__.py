"""The language the three processes and the client package share; imports none of them."""

if __name__ != "crossbook.common":
    raise ImportError(f"{__name__} is imported as crossbook.common")
