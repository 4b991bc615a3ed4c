"""The checks that every HTTP request and WebSocket handshake passes first. No I/O."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from crossbook.gateway.api.identity import account_in
from crossbook.gateway.problem import Problem, malformed
from crossbook.gateway.web.hosts import AllowedHosts, is_same_origin

TARGET_HEADER: Final = b":authority"
"""Header under which the connection stores the host of a request's target. No client can send it:
the name of a header has no colon."""

PATH_MAX: Final = 200
"""Most bytes of a path."""

_READ: Final = frozenset((b"host", TARGET_HEADER, b"x-account", b"origin", b"content-type",
                          b"content-length", b"content-encoding", b"transfer-encoding",
                          ))  # fmt: skip
_ONCE: Final = ((b"origin", "Origin"), (b"content-type", "Content-Type"))
_PLAIN: Final = (
    (b"transfer-encoding", "Transfer-Encoding", b"chunked"),
    (b"content-encoding", "Content-Encoding", b"identity"),
)
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})|%2[fF]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class Admitted(Struct, gc=False, frozen=True):
    """The head of a request that passed the checks. `account` is None where it names none.

    `origin` is that of the page for which a browser sends the request. `is_own` is true where that
    page comes from the address of the request, and where there is no page.
    """

    account: int | None
    origin: str | None
    is_own: bool
    content_type: str
    has_body: bool


class Admission:
    """Checks heads of requests: host, account, origin, path."""

    def __init__(self, hosts: AllowedHosts) -> None:
        self._hosts = hosts

    def admit(self, path: bytes, headers: Iterable[tuple[bytes, bytes]], address: str) -> Admitted:
        """Check the head of a request; raises `Problem` unless it may be answered. `path` is as
        sent, names of `headers` are in lower case, `address` is the one the request came to."""
        head: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            if name in _READ:
                # White space around a value does not belong to it.
                head.setdefault(name, []).append(value.strip(b" \t"))
        host = self._hosts.check(head.get(b"host", ()), address, head.get(TARGET_HEADER, ()))
        check_path(path)
        for name, field in _ONCE:
            if len(head.get(name, ())) > 1:
                raise malformed(field, "given twice")
        for name, field, plain in _PLAIN:
            # The gateway decodes no other coding, so the bytes would not be the body.
            if any(value.lower() != plain for value in head.get(name, ())):
                raise malformed(field, f"only {plain.decode()} is read")
        origins = head.get(b"origin")
        origin = origins[0].decode("latin-1") if origins else None
        return Admitted(
            account_in(head.get(b"x-account", ())),
            origin,
            origin is None or is_same_origin(origin, host),
            head.get(b"content-type", (b"",))[0].decode("latin-1"),
            b"transfer-encoding" in head
            or any(size.strip(b"0") for size in head.get(b"content-length", ())),
        )


def check_path(path: bytes) -> None:
    """Raise `Problem` for a path that can be read in several ways, or that has an empty part."""
    if len(path) > PATH_MAX:
        raise malformed("path", f"a path has at most {PATH_MAX} bytes")
    if b"%" in path:
        if _BAD_ESCAPE.search(path):
            raise malformed("path", "a stray % or an encoded slash")
        try:
            decoded = unquote_to_bytes(path).decode()
        except UnicodeDecodeError:
            raise malformed("path", "not UTF-8") from None
        if _CONTROL.search(decoded):
            raise malformed("path", "a control character")
    # Without its id the path of one order would be the path of all orders.
    if b"//" in path or (path.endswith(b"/") and path != b"/"):
        raise Problem(404, "NOT_FOUND", "no path has an empty part or ends with a slash", "path")
