"""Free TCP ports on loopback, kept from others as long as an exchange has them."""

import random
import socket
import sys
from typing import Final

LOWEST: Final = 11_000
HIGHEST: Final = 31_999
"""Below the range that the system gives to outgoing connections: none gets one by chance."""

_ATTEMPTS: Final = 10_000


class Ports:
    """Ports of one exchange.

    On Linux each stays reserved until `close`: a socket that is bound and does not listen keeps
    away every bind but that of a process with `SO_REUSEADDR`, which all of ours set. So two
    exchanges that start at one moment get different ports, and a process that was killed finds its
    own again. Elsewhere the port was free a moment ago.
    """

    def __init__(self) -> None:
        self._reserved: list[socket.socket] = []
        self._taken: set[int] = set()
        self._chance = random.SystemRandom()

    def take(self) -> int:
        """A free port that this object has not given before; raises `OSError` when it finds
        none."""
        for _ in range(_ATTEMPTS):
            port = self._chance.randint(LOWEST, HIGHEST)
            if port in self._taken:
                continue
            probe = socket.socket()
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                probe.close()
                continue
            self._taken.add(port)
            if sys.platform == "linux":
                # Set after the bind, which therefore failed beside any other socket on the port.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self._reserved.append(probe)
            else:
                probe.close()
            return port
        raise OSError(f"no free TCP port from {LOWEST} to {HIGHEST}")

    def close(self) -> None:
        """Let the ports go."""
        for each in self._reserved:
            each.close()
        self._reserved.clear()
