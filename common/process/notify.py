"""The notification protocol of systemd (`Type=notify`): what it states, the service manager knows.

The protocol is one datagram to the unix socket named in `NOTIFY_SOCKET`, documented in sd_notify(3)
as stable, so no library is needed for it. Without the variable nothing is sent. `crossbook run`
gives its processes such a socket too, and so learns without polling when each is ready.
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "NOTIFY_SOCKET"


def notify(*assignments: str, environment: Mapping[str, str] = os.environ) -> None:
    """Send assignments such as `READY=1` to the service manager, if there is one.

    A manager that is gone is no error of the process.
    """
    address = environment.get(VARIABLE, "")
    if not address.startswith(("/", "@")):
        return
    # The null byte at the start of a name outside of the file system is written as `@`.
    place = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
        sender.settimeout(1.0)
        sender.sendto("\n".join(assignments).encode(), place)


def notify_ready() -> None:
    """Report that this process serves."""
    notify("READY=1", f"MAINPID={os.getpid()}")
