"""The text that requests over HTTP and WebSocket are signed over, and where the parts are sent.

Gateways and clients share it. Formats: docs/reference/signing.md.
"""

from typing import Final

KEY_HEADER: Final = "CROSSBOOK-KEY"
TIMESTAMP_HEADER: Final = "CROSSBOOK-TIMESTAMP"
RECV_WINDOW_HEADER: Final = "CROSSBOOK-RECV-WINDOW"
SIGNATURE_HEADER: Final = "CROSSBOOK-SIGNATURE"

RECV_WINDOW_MS: Final = 5_000
"""How old a request may be where it does not state its window."""

RECV_WINDOW_MAX_MS: Final = 60_000
"""The largest window that a request may state."""


def signed_text(
    key_id: str, timestamp: str, recv_window: str, method: str, target: bytes, body: bytes
) -> bytes:
    """The bytes that a request is signed over: six parts with line feeds between them.

    `timestamp` and `recv_window` are as sent, the latter empty where it is not sent. `target` is
    the path, with `?` and the query where there is one, as sent.

    >>> signed_text("alice-1", "1764500000000", "", "GET", b"/api/v1/orders?limit=5", b"")
    b'alice-1\\n1764500000000\\n\\nGET\\n/api/v1/orders?limit=5\\n'
    """
    head = f"{key_id}\n{timestamp}\n{recv_window}\n{method}\n".encode("latin-1")
    return b"%b%b\n%b" % (head, target, body)
