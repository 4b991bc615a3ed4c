"""Replies on their way to clients, of all the desks of one gateway. No I/O."""

from collections import Counter
from collections.abc import Iterable

from crossbook.common.messages.entry import Reject, Reply
from crossbook.gateway.orders.session import OrderSession


class Outbox:
    """Replies that wait to be sent, by the address of their session.

    A reply to the empty address is dropped: the gateway itself made the request. `rejects` counts
    the requests refused since the start, by reason.

    >>> from crossbook.common.messages.entry import Pong
    >>> outbox = Outbox()
    >>> outbox.add(b"ann", Pong(1, 7, 0))
    >>> outbox.add(b"", Pong(2, 7, 0))
    >>> outbox.drain()
    {b'ann': [Pong(request_seq=1, seq=7, time_ns=0)]}
    >>> bool(outbox)
    False
    """

    def __init__(self) -> None:
        self.rejects: Counter[int] = Counter()
        self._replies: dict[bytes, list[Reply]] = {}

    def __bool__(self) -> bool:
        return bool(self._replies)

    def add(self, identity: bytes, reply: Reply) -> None:
        """Add one reply."""
        if not identity:
            return
        replies = self._replies.get(identity)
        if replies is None:
            self._replies[identity] = [reply]
        else:
            replies.append(reply)

    def share(self, sessions: Iterable[OrderSession], reply: Reply) -> None:
        """Add one reply for each of these sessions."""
        for session in sessions:
            self.add(session.identity, reply)

    def extend(self, identity: bytes, replies: Iterable[Reply]) -> None:
        """Add replies, in order. With none the address still gets a message, an empty one."""
        self._replies.setdefault(identity, []).extend(replies)

    def refuse(self, identity: bytes, reject: Reject) -> None:
        """Add a reject, and count it."""
        self.rejects[reject.reason] += 1
        self.add(identity, reject)

    def drain(self) -> dict[bytes, list[Reply]]:
        """Remove and return all replies."""
        replies, self._replies = self._replies, {}
        return replies
