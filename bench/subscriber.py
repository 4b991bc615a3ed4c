"""A feed consumer in its own process: notes when each best bid and offer arrived.

    python -m bench.subscriber FEED_ADDRESS

It prints "ready" once the feed arrives, runs until its input ends, then writes one msgpack
`Arrivals` to its output.
"""

import gc
import select
import subprocess
import sys
import time
from array import array
from pathlib import Path

import msgspec
import zmq
from msgspec import Struct

from crossbook.common.messages import codec, feed
from crossbook.common.process import sockets

REPOSITORY = Path(__file__).resolve().parent.parent
READY_SECONDS = 10.0
STOP_SECONDS = 20.0


class Arrivals(Struct, array_like=True):
    """Sequence numbers and arrival times (monotonic ns), as bytes of two arrays of int64."""

    seqs: bytes
    times_ns: bytes
    messages: int
    lost: int
    """Messages missing by the topics' own numbering."""


def main(address: str) -> None:
    """Subscribe, listen until the input ends, report."""
    with zmq.Context() as context, sockets.feed_sub(context, address) as subscriber:
        for topic in (b"bbo.", feed.HEARTBEAT_TOPIC.encode()):
            subscriber.setsockopt(zmq.SUBSCRIBE, topic)
        if not subscriber.poll(round(READY_SECONDS * 1000)):
            raise SystemExit(f"nothing on the feed {address} in {READY_SECONDS} s")
        sys.stdout.buffer.write(b"ready\n")
        sys.stdout.buffer.flush()
        gc.collect()
        gc.freeze()
        gc.disable()
        arrivals = _listen(subscriber)
    sys.stdout.buffer.write(msgspec.msgpack.encode(arrivals))
    sys.stdout.buffer.flush()


def _listen(subscriber: "zmq.Socket[bytes]") -> Arrivals:
    seqs, times = array("q"), array("q")
    last: dict[bytes, int] = {}
    lost = 0
    receive, now, decode = subscriber.recv, time.monotonic_ns, codec.decode_feed
    at_once = int(zmq.NOBLOCK)
    with select.epoll() as poll:
        stop = sys.stdin.fileno()
        poll.register(stop, select.EPOLLIN | select.EPOLLHUP)
        poll.register(int(subscriber.getsockopt(zmq.FD)), select.EPOLLIN)
        while True:
            try:
                while True:
                    topic, number = receive(at_once), receive(at_once)
                    message = decode(receive(at_once))
                    moment = now()
                    position = int.from_bytes(number, "big")
                    lost += max(0, position - last.get(topic, position - 1) - 1)
                    last[topic] = position
                    if type(message) is feed.BestBidOffer:
                        seqs.append(message.seq)
                        times.append(moment)
            except zmq.Again:
                pass
            if any(fd == stop for fd, _ in poll.poll()):
                return Arrivals(seqs.tobytes(), times.tobytes(), len(seqs), lost)


class SubscriberProcess:
    """The process above, seen from the one that measures."""

    def __init__(self, address: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, address],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None, "no pipe"
        if self._process.stdout.readline() != b"ready\n":
            self._process.wait(STOP_SECONDS)
            raise TimeoutError(f"the subscriber received nothing on {address}")

    def __enter__(self) -> "SubscriberProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def stop(self) -> Arrivals:
        """End it and read its arrivals."""
        out, _ = self._process.communicate(timeout=STOP_SECONDS)
        return msgspec.msgpack.decode(out, type=Arrivals)


def delays_ns(arrivals: Arrivals, ack_seq: "array[int]", ack_due_ns: "array[int]") -> "array[int]":
    """From the due moment of a request to the arrival of the BBO that names its sequence
    number, for every request that has one."""
    due = dict(zip(ack_seq, ack_due_ns, strict=True))
    seqs, times = array("q"), array("q")
    seqs.frombytes(arrivals.seqs)
    times.frombytes(arrivals.times_ns)
    return array(
        "q", (moment - due[seq] for seq, moment in zip(seqs, times, strict=True) if seq in due)
    )


if __name__ == "__main__":
    main(sys.argv[1])
