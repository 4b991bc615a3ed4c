"""Facts of the kernel about a TCP connection whose descriptor another library owns.

Linux alone reports them. Elsewhere `HAS_FACTS` is false and `facts_of` returns None.
"""

import array
import contextlib
import os
import socket
import struct
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

HAS_FACTS: Final = sys.platform == "linux"

Facts = tuple[int, int, int, int]
"""Milliseconds since the last bytes of the peer; bytes that the peer has acknowledged; bytes that
the kernel has received from it; bytes that wait in the kernel and have not been sent to it."""

_INFO: Final = struct.Struct("=52xI64xQQ8xI")
"""The four fields in `struct tcp_info` of linux/tcp.h (since Linux 4.6); its layout only grows at
the end."""

_IPV6_HOST_BITS: Final = 64
"""A network of this size belongs to one customer, who may take any address of it."""


def facts_of(descriptor: int) -> Facts | None:
    """The facts; None for a descriptor that is closed or no TCP connection. Costs about 2 µs."""
    if not HAS_FACTS:
        return None
    try:
        connection = _borrowed(descriptor)
    except OSError:
        return None
    try:
        found = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    except OSError:
        return None
    finally:
        connection.detach()
    if len(found) < _INFO.size:
        return None
    facts: Facts = _INFO.unpack(found)
    return facts


def unread_in_kernel(descriptor: int) -> int:
    """Bytes of the peer that this process has not read yet."""
    # Imported here: Windows has neither, and no facts that lead here.
    import fcntl
    import termios

    unread = array.array("i", [0])
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, termios.FIONREAD, unread)
    return unread[0]


def peer_of(descriptor: int) -> tuple[str, int] | None:
    """Address and port of the peer; None for a descriptor that is closed or not of the internet."""
    try:
        connection = _borrowed(descriptor)
    except OSError:
        return None
    try:
        name = connection.getpeername()
    except OSError:
        return None
    finally:
        connection.detach()
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None


def owner_of(address: str) -> str:
    """The address that connections are counted for: of IPv6, the network of its owner.

    >>> owner_of("192.0.2.1"), owner_of("::ffff:192.0.2.1"), owner_of("2001:db8::1:2:3:4")
    ('192.0.2.1', '192.0.2.1', '2001:db8::')
    """
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    if parsed.is_loopback:
        return address
    return str(IPv6Address(int(parsed) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS))


def cut_off(descriptor: int, peer: tuple[str, int]) -> bool:
    """Shut a connection down in both directions; its owner then sees it end and closes it.

    False where the descriptor is no longer the connection of this peer. The duplicate names the
    connection for as long as this takes: the owner may close and reuse the descriptor meanwhile.
    """
    try:
        duplicate = os.dup(descriptor)
    except OSError:
        return False
    if peer_of(duplicate) != peer:
        os.close(duplicate)
        return False
    with socket.socket(fileno=duplicate) as connection, contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    return True


def _borrowed(descriptor: int) -> socket.socket:
    """A socket object around a descriptor of another owner: `detach` it, or it closes it. Kinds
    that are given spare system calls; they need not be those of the descriptor."""
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, descriptor)
