"""One PUB socket of the feed and a crowd of subscribers, each a socket of one other process."""

import gc
import statistics
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Final

import zmq
from msgspec import Struct

from crossbook.common.process import sockets

TOPIC: Final = b"l2.BENCH-USD|"
BYTES: Final = 250
"""Bytes of a payload: about those of a book update."""
PER_S: Final = 10
"""Messages a second: few enough for one process to read a thousand times."""
READY_SECONDS: Final = 30.0
SETTLE_SECONDS: Final = 0.5


class MessageCost(Struct, frozen=True):
    """A message's cost for its sender, and its arrival at the first and the last subscriber."""

    sender_us: float
    """Processor time of the publishing process, its I/O thread included."""
    first_us: float
    last_us: float
    """Medians over the messages."""
    lost: int


def cost_per_message(subscribers: int, seconds: float) -> MessageCost:
    """Send to so many for so long."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    with sockets.feed_pub(context, "tcp://127.0.0.1:*") as public:
        address = public.getsockopt_string(zmq.LAST_ENDPOINT)
        crowd = spawn.Process(target=listen, args=(address, subscribers, theirs), daemon=True)
        crowd.start()
        _send_until_ready(public, ours)
        gc.collect()
        # The crowd reads the greetings.
        time.sleep(SETTLE_SECONDS)
        messages = max(1, round(PER_S * seconds))
        cpu_ns, begin = time.process_time_ns(), time.monotonic()
        for number in range(messages):
            time.sleep(max(0.0, begin + number / PER_S - time.monotonic()))
            _send(public, b"m")
        # The I/O thread has sent the last one, too.
        time.sleep(2 / PER_S)
        cpu_ns = time.process_time_ns() - cpu_ns
        _send(public, b"e")
        first, last, count = ours.recv() if ours.poll(READY_SECONDS) else ([0], [0], 0)
    crowd.join(READY_SECONDS)
    context.destroy(linger=0)
    return MessageCost(
        sender_us=round(cpu_ns / 1e3 / messages, 2),
        first_us=round(statistics.median(first) / 1e3, 1),
        last_us=round(statistics.median(last) / 1e3, 1),
        lost=messages * subscribers - count,
    )


def _send_until_ready(public: Any, crowd: Connection) -> None:
    """Send greetings until every socket has received one: subscriptions are asynchronous."""
    deadline = time.monotonic() + READY_SECONDS
    while not crowd.poll(0.05):
        if time.monotonic() > deadline:
            raise TimeoutError("not every subscriber received the publisher's messages")
        _send(public, b"h")
    crowd.recv()


def _send(public: Any, kind: bytes) -> None:
    now = time.monotonic_ns().to_bytes(8, "big")
    public.send_multipart((TOPIC, now, kind.ljust(BYTES)))


def listen(address: str, subscribers: int, report: Connection) -> None:
    """Receive everything on so many sockets; send the delays (ns) of the first and the last arrival
    of each message, and the number of arrivals."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sockets.allow_many_sockets(context)
    poller = zmq.Poller()
    waiting = set()
    for _ in range(subscribers):
        made = sockets.feed_sub(context, address)
        made.setsockopt(zmq.SUBSCRIBE, TOPIC)
        poller.register(made, zmq.POLLIN)
        waiting.add(made)
    gc.disable()
    times: dict[bytes, list[int]] = {}
    left = subscribers
    while left:
        for socket, _ in poller.poll():
            _, sent, payload = socket.recv_multipart()
            kind = payload[:1]
            if kind == b"m":
                times.setdefault(sent, []).append(time.monotonic_ns())
            elif kind == b"e":
                left -= 1
            elif socket in waiting:
                waiting.discard(socket)
                if not waiting:
                    report.send("ready")
    firsts = [each[0] - int.from_bytes(sent, "big") for sent, each in times.items()]
    lasts = [each[-1] - int.from_bytes(sent, "big") for sent, each in times.items()]
    report.send((firsts, lasts, sum(map(len, times.values()))))
    context.destroy(linger=0)
