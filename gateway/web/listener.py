"""The socket at which clients connect to the gateway's HTTP server."""

import errno
import socket
from typing import Any, Final

from crossbook.common.errors import ConfigError

BACKLOG: Final = 4_096
"""Most connections that wait: those that come before the server has started do."""


UNREAD_MS: Final = 60_000
"""Time in which a client acknowledges what was sent to it."""


def listening(host: str, port: int) -> socket.socket:
    """A listening socket; raises `ConfigError` when the address cannot be bound."""
    bare = host.strip("[]")
    try:
        found: list[Any] = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit these: the kernel ends one whose client is gone, or reads nothing.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
        made.setblocking(False)
        made.bind(address)
        # Two processes that start together may both bind; only one of them may listen.
        made.listen(BACKLOG)
    except OSError as error:
        text = f"cannot bind API_HOST={host}, API_PORT={port}: {error.strerror}"
        if error.errno == errno.EADDRINUSE:
            text += "; end the process that has it, or set API_PORT to another port"
        raise ConfigError(text) from error
    return made
