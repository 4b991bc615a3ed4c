"""One order-entry session over a raw socket: bytes as any client in any language would send them.

Deliberately not `crossbook.Client`: the gateway is checked against the protocol itself.
"""

import time
from collections.abc import Callable
from typing import Self, TypeVar

import zmq

from crossbook.common.messages import codec, entry
from crossbook.common.process import sockets
from crossbook.common.process.keyring import Keyring

ANSWER_SECONDS = 10.0
Answer = TypeVar("Answer", bound=entry.Reply)


class RawSession:
    """A connection to the gateway, logged on to `account` unless `log_on` is false.

    `executions` collects replies that answer no request of `reply_to`.
    """

    def __init__(
        self,
        address: str,
        account: int = 1,
        *,
        log_on: bool = True,
        identity: bytes = b"",
        keyring: Keyring | None = None,
    ) -> None:
        self.account = account
        self.token = 0
        self.gateway = 0
        self.executions: list[entry.Execution] = []
        self._answers: dict[int, entry.Reply] = {}
        self._seq = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = sockets.orders_dealer(self._context, address, keyring)
        if identity:
            # The routing id must be set before the connection exists.
            self.socket.disconnect(address)
            self.socket.setsockopt(zmq.ROUTING_ID, identity)
            self.socket.connect(address)
        if log_on:
            try:
                self.log_on()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection at once."""
        self.socket.close(linger=0)
        self._context.term()

    def next_seq(self) -> int:
        """A request sequence number that this session has not used before."""
        self._seq += 1
        return self._seq

    def log_on(self, seconds: float = ANSWER_SECONDS) -> entry.Welcome:
        """Log on and use the token from here on; `ConnectionError` when refused."""
        reply = self.reply_to(entry.Logon(self.next_seq(), self.account), seconds=seconds)
        if not isinstance(reply, entry.Welcome):
            raise ConnectionError(f"logon answered with {reply}")
        assert reply.account == self.account, f"welcomed as {reply.account}, not {self.account}"
        self.token, self.gateway = reply.token, reply.gateway
        return reply

    def send(self, *requests: entry.Request, token: int | None = None) -> None:
        """Send one frame: a bare request when there is one, else a list."""
        body: object = requests[0] if len(requests) == 1 else requests
        self.send_bytes(codec.encode(body), token=token)

    def send_bytes(self, body: bytes, *, token: int | None = None) -> None:
        """Send one frame with any body behind the token."""
        own = self.token if token is None else token
        self.socket.send(own.to_bytes(entry.TOKEN_BYTES, "big") + body)

    def receive(self, seconds: float = ANSWER_SECONDS) -> list[entry.Reply]:
        """The replies of the next frame; `TimeoutError` when none comes."""
        if not self.socket.poll(max(0, round(seconds * 1000))):
            raise TimeoutError(f"nothing from the gateway in {seconds:.1f} s")
        return codec.decode_replies(self.socket.recv())

    def reply_to(self, request: entry.Request, *, seconds: float = ANSWER_SECONDS) -> entry.Reply:
        """Send one request and return its answer."""
        self.send(request)
        return self.answer(request.request_seq, seconds=seconds)

    def replies_to_all(self, *requests: entry.Request) -> list[entry.Reply]:
        """Send requests as one frame and return their answers in the order of the requests."""
        self.send(*requests)
        return [self.answer(request.request_seq) for request in requests]

    def answer(self, request_seq: int, *, seconds: float = ANSWER_SECONDS) -> entry.Reply:
        """The answer to an earlier request."""
        self._collect(lambda: request_seq in self._answers, seconds)
        return self._answers.pop(request_seq)

    def execution(self, seconds: float = ANSWER_SECONDS) -> entry.Execution:
        """The oldest execution not yet returned."""
        self._collect(lambda: bool(self.executions), seconds)
        return self.executions.pop(0)

    def receive_executions(self, count: int) -> list[entry.Execution]:
        """The next `count` executions."""
        return [self.execution() for _ in range(count)]

    def quiet(self) -> bool:
        """Whether no message waits. A ping overtakes no message sent before it."""
        pong = self.reply_to(entry.Ping(self.next_seq()))
        assert isinstance(pong, entry.Pong), f"ping answered with {pong}"
        return not self.executions and not self._answers

    def _collect(self, done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            for reply in self.receive(deadline - time.monotonic()):
                if isinstance(reply, entry.Execution):
                    self.executions.append(reply)
                else:
                    assert reply.request_seq not in self._answers, f"answered twice: {reply}"
                    self._answers[reply.request_seq] = reply
