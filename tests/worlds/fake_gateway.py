"""A gateway of one thread without an exchange. It answers every request by its `behave`, and those
for the instruments by its `instruments`.

Tests control it by these, `forget_sessions`, `history` and `push`. It does not match orders.
"""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import zmq

from crossbook.common.instruments import example
from crossbook.common.messages.codec import decode_requests, encode
from crossbook.common.messages.entry import (
    TOKEN_BYTES,
    Ack,
    CatchUp,
    CaughtUp,
    Execution,
    Instruments,
    ListInstruments,
    Logon,
    OpenOrders,
    OrderState,
    Ping,
    Pong,
    Query,
    Reject,
    Reply,
    Request,
    Welcome,
)
from crossbook.common.process import sockets
from crossbook.common.types import RejectReason
from tests.system.exchange import free_ports

Behaviour = Callable[[Request], list[Reply]]


def answer(request: Request) -> list[Reply]:
    """The answer of a gateway whose book is empty."""
    number = request.request_seq
    if isinstance(request, Ping):
        return [Pong(number, 5, 0)]
    if isinstance(request, Query):
        return [OpenOrders(number, 5, [])]
    name = getattr(request, "client_order_id", "")
    return [
        Ack(
            request_seq=number,
            seq=1000 + number,
            order_id=1000 + number,
            status=1,
            client_order_id=name,
            remaining_lots=5,
            time_ns=0,
        )
    ]


def orders_page(query: Query, order_ids: range, page: int) -> OpenOrders:
    """A page of `page` open orders out of `order_ids`."""
    rest = [each for each in order_ids if each > query.after_order_id]
    orders = [
        OrderState(
            symbol="BTC-USDT",
            order_id=each,
            client_order_id="",
            side=1,
            price_ticks=100,
            quantity_lots=5,
            filled_lots=0,
            remaining_lots=5,
            status=1,
            time_ns=0,
        )
        for each in rest[:page]
    ]
    return OpenOrders(request_seq=query.request_seq, seq=5, orders=orders, more=len(rest) > page)


class FakeGateway:
    """Listens on `address` inside `with`; `requests` has the requests received, `frames` the number
    of frames."""

    def __init__(self) -> None:
        self.address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        self.behave: Behaviour = answer
        self.instruments = [example()]
        self.requests: list[Request] = []
        self.frames = 0
        self.logons = 0
        self.holds_all = True
        self.history: list[Execution] = []
        self._tokens: dict[int, bytes] = {}
        self._to_push: list[list[Reply]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._router = sockets.orders_router(self._context, self.address)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(5)
        self._router.close()
        self._context.term()

    def forget_sessions(self) -> None:
        """Drop all sessions, as a restart does."""
        self._tokens = {}

    def push(self, *replies: Reply) -> None:
        """Send unsolicited replies to every session."""
        self._to_push.append(list(replies))

    def _serve(self) -> None:
        while not self._stop.is_set():
            if self._to_push:
                replies = self._to_push.pop(0)
                for identity in self._tokens.values():
                    self._router.send_multipart([identity, encode(replies)])
            if self._router.poll(5):
                identity, frame = self._router.recv_multipart()
                self.frames += 1
                replies = self._answer(identity, frame)
                if replies:
                    self._router.send_multipart([identity, encode(replies)])

    def _answer(self, identity: bytes, frame: bytes) -> list[Reply]:
        token = int.from_bytes(frame[:TOKEN_BYTES], "big")
        requests, rejects = decode_requests(frame[TOKEN_BYTES:])
        replies: list[Reply] = list(rejects)
        for request in requests:
            self.requests.append(request)
            number = request.request_seq
            if isinstance(request, Logon):
                if request.account == 13:
                    replies.append(
                        Reject(
                            request_seq=number,
                            reason=RejectReason.MALFORMED,
                            field="account",
                            text="unlucky",
                        )
                    )
                    continue
                self.logons += 1
                self._tokens[self.logons] = identity
                replies.append(
                    Welcome(
                        request_seq=number, token=self.logons, account=request.account, gateway=1
                    )
                )
            elif isinstance(request, Ping) and not token:
                replies.append(Pong(number, 5, 0))
            elif token not in self._tokens:
                replies.append(
                    Reject(
                        request_seq=number,
                        reason=RejectReason.NOT_LOGGED_ON,
                        field="token",
                        text="who?",
                    )
                )
            elif isinstance(request, CatchUp):
                replies += [each for each in self.history if each.seq >= request.from_seq]
                to_seq = max([request.from_seq - 1, *(each.seq for each in self.history)])
                replies.append(
                    CaughtUp(
                        request_seq=number,
                        from_seq=request.from_seq,
                        to_seq=to_seq,
                        complete=self.holds_all,
                    )
                )
            elif isinstance(request, ListInstruments):
                replies.append(Instruments(number, self.instruments))
            else:
                replies += self.behave(request)
        return replies
