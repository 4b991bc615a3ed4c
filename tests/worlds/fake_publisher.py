"""A publisher of one thread over real sockets."""

import threading

import zmq

from crossbook.common.messages.codec import decode_feed_request, encode
from crossbook.common.process import sockets
from tests.system.exchange import free_ports
from tests.worlds.feed_source import FeedSource, Frames


class FakePublisher:
    """Publishes the frames of a source on real sockets, and loses every `lose`-th of them.

    A `silent` one sends no heartbeats.
    """

    def __init__(self, lose: int = 0) -> None:
        self.feed = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        self.snapshots = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        self.source = FeedSource(seed=4)
        self.lock = threading.Lock()
        self.silent = False
        self.lose = lose
        self._count = 0
        self._lives = 0
        self._stop = threading.Event()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._pub = sockets.feed_pub(self._context, self.feed)
        self._router = sockets.snapshots_router(self._context, self.snapshots)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Publish one change of the source."""
        with self.lock:
            for frame in self.source.step():
                self._count += 1
                if not self.lose or self._count % self.lose:
                    self._publish(frame)

    def restart(self, missed: int = 3) -> None:
        """Continue as a later life of the publisher, which missed this many changes and trades."""
        with self.lock:
            before, self._lives = self.source, self._lives + 1
            self.source = after = FeedSource(seed=4 + self._lives, epoch=5 + self._lives)
            after.orders, after.state = list(before.orders), before.state
            after.seq, after.trade_id = before.seq + missed, before.trade_id + missed

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        self._pub.close()
        self._router.close()
        self._context.term()

    def _publish(self, frame: Frames) -> None:
        name, seq, payload = frame
        self._pub.send_multipart([name, seq.to_bytes(8, "big"), payload])

    def _serve(self) -> None:
        while not self._stop.is_set():
            ready = self._router.poll(20)
            with self.lock:
                if ready:
                    identity, payload = self._router.recv_multipart()
                    reply = self.source.answer(decode_feed_request(payload))
                    self._router.send_multipart([identity, encode(reply)])
                elif not self.silent:
                    self._publish(self.source.heartbeat())
