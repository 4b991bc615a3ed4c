"""The host names that a request may carry. No I/O.

A name of another owner can resolve to this machine (DNS rebinding). To a browser a page of that
name has the same origin as this gateway, so it could read answers and trade. The `Host` header
still carries the other name, which is why it is checked.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from crossbook.common.errors import ConfigError
from crossbook.gateway.problem import Problem, malformed

_AUTHORITY: Final = re.compile(
    r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9_.-]{1,254}))(?::([0-9]{1,5}))?", re.ASCII
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_EVERY_ADDRESS: Final = ("0.0.0.0", "::")
_SHOWN: Final = 80


class Authority(NamedTuple):
    """A host in its plain form (lower case, without brackets or a dot at its end), and its port
    where one is given."""

    host: str
    port: int | None


def authority_of(text: str) -> Authority | None:
    """The host and port of a `Host` header; None when the text is none.

    >>> authority_of("LocalHost.:8000"), authority_of("[::0:1]")
    (Authority(host='localhost', port=8000), Authority(host='::1', port=None))
    >>> authority_of("me@localhost"), authority_of("[1]"), authority_of("localhost:0")
    (None, None, None)
    """
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        return None
    literal, name, digits = found.groups()
    port = int(digits) if digits is not None else None
    if port is not None and not 1 <= port <= 65_535:
        return None
    if literal is None:
        host = name.lower().removesuffix(".")
        return Authority(host, port) if host else None
    try:
        return Authority(str(ipaddress.IPv6Address(literal)), port)
    except ValueError:
        return None


class AllowedHosts:
    """The hosts a request may name: loopback ones, the address it came to, `bound`, and `names`.

    Raises `ConfigError` when one of `names` is not a host.
    """

    def __init__(self, names: Iterable[str] = (), bound: str = "") -> None:
        own = authority_of(bound)
        self._names = {own.host} if own is not None else set()
        for name in names:
            # An IPv6 address needs no brackets where no port can follow.
            found = authority_of(f"[{name}]" if name.count(":") > 1 and name[0] != "[" else name)
            if found is None or found.port is not None:
                raise ConfigError(
                    f"ALLOWED_HOSTS={name!r}: a host name or address, without port or pattern"
                )
            self._names.add(found.host)
        self._names.difference_update(_EVERY_ADDRESS)

    def check(self, values: Sequence[bytes], address: str, targets: Sequence[bytes] = ()) -> str:
        """The `Host` header of a request that came to `address`; raises `Problem` unless it is
        allowed and the only one. `targets` holds the host in the request's target, where there is
        one: it has to be the same."""
        if len(values) != 1:
            found_text = f"{len(values)} headers" if values else "no header"
            raise malformed("Host", f"{found_text}; a request names its host once")
        text = values[0].decode("latin-1")
        found = authority_of(text)
        if found is None:
            raise malformed("Host", f"{text[:_SHOWN]!r} is not a host")
        for target in targets:
            if authority_of(target.decode("latin-1")) != found:
                raise malformed(
                    "Host", f"{text[:_SHOWN]!r} is not the host of the request's target"
                )
        if not (found.host in self._names or is_loopback(found.host) or found.host == address):
            text = (
                f"{found.host[:_SHOWN]!r} is not a name of this gateway; where it should be, add "
                "it to ALLOWED_HOSTS"
            )
            raise Problem(403, "HOST_NOT_ALLOWED", text, "Host")
        return text


def is_same_origin(origin: str, host: str) -> bool:
    """Whether a page of `origin` comes from the address that a checked `Host` header names.

    >>> is_same_origin("https://x.example", "X.example:443")
    True
    >>> is_same_origin("http://x.example:81", "x.example"), is_same_origin("null", "x.example")
    (False, False)
    """
    scheme, mark, rest = origin.partition("://")
    page, own = authority_of(rest), authority_of(host)
    default = _DEFAULT_PORTS.get(scheme)
    if not mark or page is None or own is None or default is None:
        return False
    return (page.host, page.port or default) == (own.host, own.port or default)


def allowed_origins(origins: Sequence[str]) -> tuple[str, ...]:
    """The origins as browsers send them; raises `ConfigError` for text that is not one."""
    for origin in origins:
        scheme, mark, rest = origin.partition("://")
        found = authority_of(rest)
        default = _DEFAULT_PORTS.get(scheme)
        if not mark or found is None or default is None or rest != rest.lower().rstrip("."):
            raise ConfigError(
                f"CORS_ORIGINS={origin!r}: an origin as browsers send it, such as "
                "https://charts.example or http://localhost:3000"
            )
        if found.port == default:
            raise ConfigError(f"CORS_ORIGINS={origin!r}: browsers leave out port {default}")
    return tuple(origins)


def is_loopback(host: str) -> bool:
    """Whether a host or address is this machine's own.

    >>> is_loopback("localhost"), is_loopback("127.0.0.9"), is_loopback("192.0.2.1")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
