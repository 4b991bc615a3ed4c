"""A client beside the load of `bench fairness`, with one request at a time, in its own process.

It makes each kind of request in turn until its input ends, then prints how long they took.
"""

import contextlib
import gc
import http.client
import select
import sys
import time
from collections.abc import Callable
from typing import Final

import msgspec
import zmq

from bench.fairness import Probed
from bench.flooder import SYMBOL, Session
from crossbook.common.messages import codec, entry, feed
from crossbook.common.process import sockets

ACCOUNT: Final = 800_000
GAP_S: Final = 0.01
"""From an answer to the next request."""
WITHIN_MS: Final = 5_000
_BODY: Final = (
    b'{"symbol":"BTC-USDT","order_type":"ioc","side":"buy","quantity":"0.1","price":"10000.00"}'
)
_HEADERS: Final = {"Content-Type": "application/json", "X-Account": str(ACCOUNT)}


class Prober:
    """The requests by kind; each returns whether it was answered as it should be."""

    def __init__(self, orders: str, snapshots: str, http_port: int) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._session = Session(self._context, orders, ACCOUNT)
        self._snapshots = sockets.snapshots_dealer(self._context, snapshots)
        self._http_port = http_port
        self._http: http.client.HTTPConnection | None = None
        self._seq = 1
        self._last_seq = 0
        self._request_seq = 0
        self.kinds: dict[str, Callable[[], bool]] = {
            "queries": self._query,
            "catch-ups": self._catch_up,
            "snapshots": self._snapshot,
            "http": self._http_order,
        }

    def _query(self) -> bool:
        return isinstance(self._answer(entry.Query(self._next())), entry.OpenOrders)

    def _catch_up(self) -> bool:
        pong = self._answer(entry.Ping(self._next()))
        assert isinstance(pong, entry.Pong), pong
        caught_up = self._answer(entry.CatchUp(self._next(), max(1, pong.seq - 10)))
        return isinstance(caught_up, entry.CaughtUp)

    def _snapshot(self) -> bool:
        self._request_seq += 1
        self._snapshots.send(codec.encode(feed.SnapshotRequest(self._request_seq, SYMBOL)))
        while self._snapshots.poll(WITHIN_MS):
            reply = codec.decode_feed_reply(self._snapshots.recv())
            if reply.request_id == self._request_seq:
                return not isinstance(reply, feed.FeedReject)
        return False

    def _http_order(self) -> bool:
        if self._http is None:
            self._http = http.client.HTTPConnection("127.0.0.1", self._http_port, timeout=5)
        try:
            self._http.request("POST", "/api/v1/orders", _BODY, _HEADERS)
            answer = self._http.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._http.close()
            self._http = None
            return False
        # Every second order comes on a new connection.
        self._request_seq += 1
        if self._request_seq % 2:
            self._http.close()
            self._http = None
        return answer.status == 201

    def _answer(self, request: entry.Request) -> entry.Reply | None:
        """The answer to a request of the session; executions on the way are dropped."""
        session = self._session
        session.send(codec.encode(request))
        deadline = time.monotonic() + WITHIN_MS / 1_000
        while (left := deadline - time.monotonic()) > 0 and session.socket.poll(int(left * 1_000)):
            for reply in codec.decode_replies(session.socket.recv()):
                is_execution = isinstance(reply, entry.Execution)
                if reply.request_seq == request.request_seq and not is_execution:
                    return reply
        return None

    def _next(self) -> int:
        self._seq += 1
        return self._seq


def main(orders: str, snapshots: str, http_port: str) -> None:
    """Probe until the input ends; print the result."""
    prober = Prober(orders, snapshots, int(http_port))
    found: dict[str, list[tuple[int, int]]] = {kind: [] for kind in prober.kinds}
    gc.freeze()
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    while not select.select([sys.stdin], [], [], 0)[0]:
        for kind, request in prober.kinds.items():
            began_ns = time.monotonic_ns()
            was_answered = False
            with contextlib.suppress(zmq.ZMQError):
                was_answered = request()
            took_ns = time.monotonic_ns() - began_ns
            found[kind].append((began_ns, took_ns if was_answered else -1))
            time.sleep(GAP_S)
    sys.stdout.buffer.write(msgspec.msgpack.encode(Probed(found)))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
