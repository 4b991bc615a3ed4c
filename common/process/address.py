"""Addresses of sockets: their syntax, and the machines that can reach them."""

import ipaddress
import os
import re
import sys
from pathlib import Path, PurePath
from typing import Final

from crossbook.common.errors import ConfigError

IPC_PATH_MAX: Final = 107 if sys.platform == "linux" else 103
"""Most bytes of the path of a unix socket."""

_PORT: Final = re.compile(r"[0-9]{1,5}")
_NUMBERS: Final = re.compile(r"[0-9.]+")
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_EVERYWHERE: Final = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
"""Hosts that mean every address of this machine, and the host that its own processes connect to."""


def check_address(name: str, address: str, *, bind: bool, insecure: bool) -> None:
    """Refuse an address that is no ZeroMQ endpoint, or one bound where other machines reach it.

    Raises `ConfigError`. Only loopback and ipc are private; anything else needs keys, or the loudly
    named setting, because a socket without keys does not authenticate its peers.
    """
    scheme, mark, rest = address.partition("://")
    if not mark or scheme not in ("tcp", "ipc") or not rest:
        raise ConfigError(f"{name}: {address!r} is not tcp://HOST:PORT or ipc://PATH")
    if scheme == "ipc":
        _check_path(name, address, rest)
        return
    host, mark, port = rest.rpartition(":")
    if not mark or not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise ConfigError(f"{name}: {address!r} is not tcp://HOST:PORT with a PORT of 1 to 65535")
    if not _is_host(host):
        raise ConfigError(
            f"{name}: {address!r} is not tcp://HOST:PORT; a HOST is a name, an IPv4 address, "
            "[an IPv6 address] or *"
        )
    if bind and not insecure and not is_loopback(host):
        raise ConfigError(
            f"{name}: {address} can be reached from other machines and nothing there checks who "
            "connects; bind 127.0.0.1, [::1] or ipc, give the exchange keys (AUTH=on and "
            "CURVE_KEY_FILE), or set INSECURE_ALLOW_PUBLIC_BIND=true if only machines you trust "
            "can reach it"
        )


def _check_path(name: str, address: str, path: str) -> None:
    if path.startswith("@") or path.endswith("/") or PurePath(path).name in ("", "..", "*"):
        # Any user may connect to an abstract socket; the wildcard makes a path no client can find.
        raise ConfigError(f"{name}: {address!r} does not name a file; give ipc://PATH")
    length = len(os.fsencode(path))
    if length > IPC_PATH_MAX:
        raise ConfigError(
            f"{name}: the path {path} has {length} bytes, and a socket's may have at most "
            f"{IPC_PATH_MAX}; give a shorter DATA_DIR (one relative to the working folder will do) "
            f"or {name}=ipc:// with a shorter path"
        )


def _is_host(host: str) -> bool:
    try:
        if host.startswith("["):
            return host.endswith("]") and bool(ipaddress.IPv6Address(host[1:-1]))
        if _NUMBERS.fullmatch(host):
            return bool(ipaddress.IPv4Address(host))
    except ValueError:
        return False
    return host == "*" or _NAME.fullmatch(host) is not None


def is_loopback(host: str) -> bool:
    """Whether a bind host is reachable from this machine only."""
    bare = host.strip("[]")
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def is_on_this_machine(address: str) -> bool:
    """Whether an endpoint is a file, is inside this process, or is at loopback."""
    scheme, _, rest = address.partition("://")
    return scheme != "tcp" or is_loopback(rest.rpartition(":")[0])


def at_home(address: str) -> str:
    """The address with `~` at the start of an ipc path replaced by the home folder.

    Raises `ValueError` where there is no such folder.
    """
    scheme, _, path = address.partition("://")
    return f"ipc://{home_expanded(path)}" if scheme == "ipc" and path[:1] == "~" else address


def home_expanded(path: str | PurePath) -> Path:
    """The path with `~` or `~USER` at its start replaced by that home folder.

    Raises `ValueError` where there is no such folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"there is no home folder for the ~ of {path}") from None


def is_ipv6(address: str) -> bool:
    """Whether the host of a tcp address is written as an IPv6 address.

    >>> is_ipv6("tcp://[::1]:5560"), is_ipv6("tcp://localhost:5560"), is_ipv6("ipc://[x]:1")
    (True, False, False)
    """
    return address.startswith("tcp://[")


def within_reach(address: str) -> str:
    """The address that connects to a socket of this machine bound to `address`.

    >>> within_reach("tcp://*:5560"), within_reach("tcp://[::]:5560"), within_reach("tcp://a:1")
    ('tcp://127.0.0.1:5560', 'tcp://[::1]:5560', 'tcp://a:1')
    """
    scheme, _, rest = address.partition("://")
    host, _, port = rest.rpartition(":")
    if scheme == "tcp" and host in _EVERYWHERE:
        return f"tcp://{_EVERYWHERE[host]}:{port}"
    return address


def whereabouts(address: str) -> str:
    """The file of an ipc address, which may be relative, and what is wrong with it; empty for
    another address."""
    if not address.startswith("ipc://"):
        return ""
    path = Path(address.removeprefix("ipc://")).absolute()
    if path.is_socket():
        return f" ({path}, where nothing listens)"
    return f" ({path} is no socket)" if path.exists() else f" ({path} does not exist)"
