"""The load generator: many client sessions in one process, open or closed loop.

Open loop: order k is due at a moment fixed before the run, whatever the exchange does, and its
latency counts from that moment. When the generator or the exchange is late, the wait is in the
figures (no coordinated omission). Closed loop: so many orders are kept unanswered, filled up as
soon as an eighth of them is answered; latency counts from the send.
"""

import gc
import select
import time
from array import array
from collections import Counter, deque
from collections.abc import Sequence
from typing import Self

import zmq
from msgspec import Struct

from bench.flow import ClientFlow
from bench.pacing import Timer
from crossbook.common.instruments import Instrument
from crossbook.common.messages import codec, entry
from crossbook.common.process import sockets
from crossbook.common.process.keyring import Keyring
from crossbook.common.process.sockets import send_frame
from crossbook.common.types import RejectReason

ANSWER_SECONDS = 10.0
DRAIN_SECONDS = 5.0
"""Time for answers after the last order is sent."""
REFILL_SHARE = 8
"""A closed loop sends again when so large a part of its window is answered: sending a few at each
answer takes half a microsecond an order more, which is taken from the exchange."""
TICK_NS = 100_000
"""The generator wakes at most this often; orders due together are sent together."""
FIRST_ACCOUNT = 1_000
_NS = 1_000_000_000
_NOBLOCK = int(zmq.NOBLOCK)


class LoadPlan(Struct, frozen=True):
    """The orders to send, and their pace."""

    rate: float = 5_000.0
    """Orders per second of the open loop."""
    duration_s: float = 5.0
    clients: int = 10
    batch: int = 1
    """Orders of one frame in the open loop."""
    closed: bool = False
    window: int = 4_096
    """Unanswered orders the closed loop keeps, over all clients."""
    chunk: int = 32
    """Orders of one frame in the closed loop."""
    warm_s: float = 1.0
    """Latencies of orders due in this first part are not counted."""
    instruments: int = 4
    seed: int = 1

    @property
    def open_frames(self) -> int:
        """Frames of the whole open loop."""
        return max(1, int(self.duration_s * self.rate / self.batch))


class LoadOutcome(Struct, frozen=True):
    """The answers. Arrays are in nanoseconds of the monotonic clock, in order of arrival."""

    sent: int
    frames: int
    acked: int
    rejects: dict[str, int]
    executions: int
    unanswered: int
    elapsed_s: float
    """From the first due moment to the last answer."""
    round_trip_ns: "array[int]"
    late_ns: "array[int]"
    """How late each frame left, counted from when it was due."""
    ack_seq: "array[int]"
    ack_due_ns: "array[int]"
    """Sequence number and due moment of each acknowledged request."""


class LoadGenerator:
    """Logged-on sessions and the loops that load them. Use it as a context manager."""

    def __init__(self, address: str, load: LoadPlan, keyring: Keyring | None = None) -> None:
        self._load = load
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        sockets.allow_many_sockets(self._context)
        self._sockets = [
            sockets.orders_dealer(self._context, address, keyring) for _ in range(load.clients)
        ]
        self._receivers = [socket.recv for socket in self._sockets]
        self._tokens = [bytes(entry.TOKEN_BYTES)] * load.clients
        self._due: list[list[int]] = [[0] for _ in range(load.clients)]
        self._backlog: dict[int, deque[bytes]] = {}
        self._warm_until_ns = 0
        self.sent = self.frames = self.acked = self.rejected = self.executions = 0
        self._rejects: Counter[int] = Counter()
        self._round_trip = array("q")
        self._late = array("q")
        self._ack_seq = array("q")
        self._ack_due = array("q")
        self._last_answer_ns = 0
        self._flow: ClientFlow | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for socket in self._sockets:
            socket.close(linger=0)
        self._context.term()

    def log_on(self) -> None:
        """Open every session, each for its own account, and learn the instruments."""
        for client in range(self._load.clients):
            welcome = self._reply_to(client, entry.Logon(0, FIRST_ACCOUNT + client))
            if not isinstance(welcome, entry.Welcome):
                raise ConnectionError(f"logon of client {client} answered with {welcome}")
            self._tokens[client] = welcome.token.to_bytes(entry.TOKEN_BYTES, "big")
        listed = self._reply_to(0, entry.ListInstruments(0))
        if not isinstance(listed, entry.Instruments):
            raise ConnectionError(f"list of instruments answered with {listed}")
        instruments: Sequence[Instrument] = listed.instruments[: self._load.instruments]
        load = self._load
        most = () if load.closed else (load.open_frames * load.batch,)
        self._flow = ClientFlow(instruments, load.clients, load.seed, *most)

    def run(self) -> LoadOutcome:
        """Send the load, collect the answers and return the outcome."""
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            with Timer() as timer, select.epoll() as poll:
                clients = {}
                for client, socket in enumerate(self._sockets):
                    fd = int(socket.getsockopt(zmq.FD))
                    clients[fd] = client
                    poll.register(fd, select.EPOLLIN)
                begin_ns = time.monotonic_ns()
                self._warm_until_ns = begin_ns + int(self._load.warm_s * _NS)
                self._last_answer_ns = begin_ns
                if self._load.closed:
                    self._closed_loop(poll, clients, begin_ns)
                else:
                    poll.register(timer.fd, select.EPOLLIN)
                    self._open_loop(poll, clients, timer, begin_ns)
                    poll.unregister(timer.fd)
                self._drain_rest(poll, clients)
        finally:
            gc.enable()
            gc.unfreeze()
        return LoadOutcome(
            sent=self.sent,
            frames=self.frames,
            acked=self.acked,
            rejects={RejectReason(reason).name: n for reason, n in self._rejects.items()},
            executions=self.executions,
            unanswered=self._unanswered(),
            elapsed_s=(self._last_answer_ns - begin_ns) / _NS,
            round_trip_ns=self._round_trip,
            late_ns=self._late,
            ack_seq=self._ack_seq,
            ack_due_ns=self._ack_due,
        )

    def _open_loop(
        self, poll: select.epoll, clients: dict[int, int], timer: Timer, begin_ns: int
    ) -> None:
        """Send frame k of `batch` orders when it is due, whatever has been answered."""
        load, now = self._load, time.monotonic_ns
        interval_ns = load.batch * 1e9 / load.rate
        total = load.open_frames
        tick_ns = 0 if interval_ns >= TICK_NS else TICK_NS
        frame = 0
        while frame < total:
            moment = now()
            due_frames = min(total, int((moment - begin_ns) / interval_ns) + 1)
            together: dict[int, list[entry.Request]] = {}
            first = frame
            while frame < due_frames:
                client = frame % load.clients
                requests = together.setdefault(client, [])
                self._fill(client, requests, load.batch, begin_ns + int(frame * interval_ns))
                frame += 1
            for client, requests in together.items():
                self._send(client, requests)
            if first < frame:
                left = now()
                for sent in range(first, frame):
                    due_ns = begin_ns + int(sent * interval_ns)
                    if due_ns >= self._warm_until_ns:
                        self._late.append(left - due_ns)
                # Sending may have used up the edge that signals an arrival.
                for client in together:
                    self._receive(client)
            if frame == total:
                return
            wake_ns = max(begin_ns + int(frame * interval_ns), moment + tick_ns)
            if now() >= wake_ns:
                self._poll(poll, clients, 0)
                continue
            timer.wake_at(wake_ns)
            while timer.fd not in self._poll(poll, clients, -1):
                pass
            timer.clear()

    def _closed_loop(self, poll: select.epoll, clients: dict[int, int], begin_ns: int) -> None:
        """Keep `window` orders unanswered, sent in frames of `chunk`, client after client."""
        load, now = self._load, time.monotonic_ns
        end_ns = begin_ns + int(load.duration_s * _NS)
        chunk = max(1, min(load.chunk, load.window // 2))
        refill = max(chunk, load.window // REFILL_SHARE)
        frame = 0
        while now() < end_ns:
            room = load.window - self._unanswered()
            if room < refill:
                self._poll(poll, clients, 0.002)
                continue
            begin = frame
            frame += room // chunk
            for index in range(begin, frame):
                client = index % load.clients
                if chunk == 1:
                    self._send_one(client, now())
                else:
                    requests: list[entry.Request] = []
                    self._fill(client, requests, chunk, now())
                    self._send(client, requests)
            # Sending may have used up the edge that signals an arrival.
            for index in range(begin, min(frame, begin + load.clients)):
                self._receive(index % load.clients)

    def _fill(self, client: int, requests: list[entry.Request], count: int, due_ns: int) -> None:
        """Add `count` requests of `client`, all due at `due_ns`."""
        assert self._flow is not None, "log_on before run"
        make, due = self._flow.request, self._due[client]
        for _ in range(count):
            requests.append(make(client, len(due)))
            due.append(due_ns)

    def _send_one(self, client: int, due_ns: int) -> None:
        """Send the next request of `client`, without a list around it."""
        assert self._flow is not None, "log_on before run"
        due = self._due[client]
        self._send_frame(client, codec.encode(self._flow.request(client, len(due))))
        due.append(due_ns)
        self.sent += 1

    def _send(self, client: int, requests: list[entry.Request]) -> None:
        """Send requests as one frame, or as few as the gateway accepts."""
        count = len(requests)
        if count == 1:
            self._send_frame(client, codec.encode(requests[0]))
        elif count <= codec.MAX_REQUESTS:
            self._send_frame(client, codec.encode(requests))
        else:
            for start in range(0, count, codec.MAX_REQUESTS):
                part = requests[start : start + codec.MAX_REQUESTS]
                self._send_frame(client, codec.encode(part))
        self.sent += count

    def _send_frame(self, client: int, encoded: bytes) -> None:
        frame = self._tokens[client] + encoded
        self.frames += 1
        waiting = self._backlog.get(client)
        if waiting is not None:
            waiting.append(frame)
            self._flush(client)
            return
        try:
            send_frame(self._sockets[client], frame, _NOBLOCK)
        except zmq.Again:
            self._backlog[client] = deque((frame,))

    def _flush(self, client: int) -> None:
        """Send frames that the socket refused earlier; the orders keep their due moments."""
        waiting = self._backlog.get(client)
        if waiting is None:
            return
        try:
            while waiting:
                send_frame(self._sockets[client], waiting[0], _NOBLOCK)
                waiting.popleft()
        except zmq.Again:
            return
        del self._backlog[client]

    def _poll(self, poll: select.epoll, clients: dict[int, int], timeout_s: float) -> set[int]:
        """Wait for something to read and read it; the descriptors that were ready."""
        ready = set()
        for fd, _ in poll.poll(timeout_s):
            ready.add(fd)
            if fd in clients:
                self._receive(clients[fd])
        for client in tuple(self._backlog):
            self._flush(client)
            self._receive(client)
        return ready

    def _receive(self, client: int) -> None:
        """Read every reply that has arrived."""
        receive, now, due = self._receivers[client], time.monotonic_ns, self._due[client]
        assert self._flow is not None, "log_on before run"
        acked, ended, warm_until_ns = self._flow.acked, self._flow.ended, self._warm_until_ns
        round_trip, ack_seq, ack_due = self._round_trip, self._ack_seq, self._ack_due
        try:
            while True:
                frame = receive(_NOBLOCK)
                moment = now()
                answers = 0
                # A message class answers isinstance slowly, and this loop sees every reply.
                for reply in codec.decode_replies(frame):
                    if type(reply) is entry.Ack:
                        answers += 1
                        due_ns = due[reply.request_seq]
                        if due_ns >= warm_until_ns:
                            round_trip.append(moment - due_ns)
                            ack_seq.append(reply.seq)
                            ack_due.append(due_ns)
                        acked(client, reply)
                    elif type(reply) is entry.Execution:
                        self.executions += 1
                        if not reply.remaining_lots:
                            ended(client, reply.order_id)
                    elif type(reply) is entry.Reject:
                        self.rejected += 1
                        self._last_answer_ns = moment
                        self._rejects[reply.reason] += 1
                if answers:
                    self.acked += answers
                    self._last_answer_ns = moment
        except zmq.Again:
            return

    def _unanswered(self) -> int:
        return self.sent - self.acked - self.rejected

    def _drain_rest(self, poll: select.epoll, clients: dict[int, int]) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        for client in range(self._load.clients):
            self._receive(client)
        while self._unanswered() and time.monotonic() < deadline:
            self._poll(poll, clients, 0.01)

    def _reply_to(self, client: int, request: entry.Request) -> entry.Reply:
        socket = self._sockets[client]
        socket.send(self._tokens[client] + codec.encode(request))
        deadline = time.monotonic() + ANSWER_SECONDS
        while socket.poll(max(0, round((deadline - time.monotonic()) * 1000))):
            # A gateway may send an empty list, to see whether a client is still there.
            for reply in codec.decode_replies(socket.recv()):
                return reply
        raise TimeoutError(f"no answer to {type(request).__name__} in {ANSWER_SECONDS} s")
