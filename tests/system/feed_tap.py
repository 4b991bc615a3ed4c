"""A raw subscriber of the public feed, with a raw connection to its request socket."""

import time
from collections.abc import Iterable
from typing import Self

import msgspec
import zmq

from crossbook.common.messages import codec, feed
from crossbook.common.process import sockets
from crossbook.common.process.keyring import Keyring

ANSWER_SECONDS = 10.0


class Tapped(msgspec.Struct, frozen=True):
    """One received message of the feed: its three frames, decoded."""

    topic: str
    number: int
    message: feed.FeedMessage


class FeedTap:
    """Receives `topics` from the moment it exists; `snapshot` requests a book.

    Creation returns only once the subscriptions are in force, so nothing published later is
    missed.
    """

    def __init__(
        self,
        feed_address: str,
        snapshots_address: str,
        topics: Iterable[str],
        keyring: Keyring | None = None,
    ) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._subscriber = sockets.feed_sub(self._context, feed_address, keyring)
        self.requests = sockets.snapshots_dealer(self._context, snapshots_address, keyring)
        self._request_id = 0
        self.messages: list[Tapped] = []
        for topic in topics:
            self._subscriber.setsockopt(zmq.SUBSCRIBE, topic.encode())
        # Subscriptions travel in order: a heartbeat proves the ones before it.
        self._subscriber.setsockopt(zmq.SUBSCRIBE, feed.HEARTBEAT_TOPIC.encode())
        try:
            self.wait_heartbeat(0)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both sockets."""
        self._context.destroy(linger=0)

    def wait_heartbeat(self, seq: int, seconds: float = ANSWER_SECONDS) -> feed.Heartbeat:
        """The first heartbeat at or behind the matcher's `seq`; all messages before it go to
        `messages`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not self._subscriber.poll(max(1, round(left * 1000))):
                break
            topic, number, payload = self._subscriber.recv_multipart()
            message = codec.decode_feed(payload)
            if not isinstance(message, feed.Heartbeat):
                self.messages.append(Tapped(topic.decode(), int.from_bytes(number, "big"), message))
            elif message.seq >= seq:
                return message
        raise TimeoutError(f"no heartbeat at sequence {seq} in {seconds} s")

    def until(self, seq: int) -> list[Tapped]:
        """All messages up to the heartbeat at or behind `seq` that were not yet returned."""
        self.wait_heartbeat(seq)
        taken, self.messages = self.messages, []
        return taken

    def reply_to(self, body: bytes, seconds: float = ANSWER_SECONDS) -> feed.FeedReply:
        """Send raw bytes to the request socket and return the answer."""
        self.requests.send(body)
        if not self.requests.poll(round(seconds * 1000)):
            raise TimeoutError("nothing from the publisher's request socket")
        reply: feed.FeedReply = codec.decode_feed_reply(self.requests.recv())
        return reply

    def snapshot(self, symbol: str) -> feed.Snapshot:
        """The book of `symbol` with every resting order."""
        self._request_id += 1
        reply = self.reply_to(codec.encode(feed.SnapshotRequest(self._request_id, symbol, True)))
        assert isinstance(reply, feed.Snapshot), f"snapshot answered with {reply}"
        assert reply.request_id == self._request_id
        return reply

    def snapshot_at(self, seq: int, symbol: str) -> feed.Snapshot:
        """The book of `symbol` once the publisher has seen the matcher's `seq`."""
        self.wait_heartbeat(seq)
        return self.snapshot(symbol)
