"""The headers of the files that a browser gets: what a page may load, and how long it is kept."""


def page_headers(*, styles: str = "'self'", images: str = "'self'") -> dict[str, str]:
    """Headers that permit scripts and connections of this address alone, with these sources of
    styles and images, and no page around it.

    >>> policy = page_headers(images="'self' data:")["Content-Security-Policy"]
    >>> policy.split("; ")[2:4]
    ["style-src 'self'", "img-src 'self' data:"]
    """
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self'; style-src {styles}; img-src {images}; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        # Otherwise a page could mix its modules from before and after an upgrade.
        "Cache-Control": "no-cache",
    }
