"""A gateway that acknowledges every order at once, and can be made to stall."""

import threading
import time
from typing import Self

import zmq

from crossbook.common.instruments import Instrument, example
from crossbook.common.messages import codec, entry
from crossbook.common.process import sockets
from crossbook.common.types import OrderStatus
from tests.system.exchange import free_ports


class StallingGateway:
    """Answers order entry from a thread; `orders` counts the acknowledged orders.

    From `stall_from_s` after the first order on it stalls for `stall_s`.
    """

    def __init__(
        self,
        stall_from_s: float = 0.0,
        stall_s: float = 0.0,
        instruments: tuple[Instrument, ...] = (example(),),
    ) -> None:
        self.address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        self.orders = 0
        self._stall = (stall_from_s, stall_s)
        self._instruments = list(instruments)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5.0)
        assert not self._thread.is_alive(), "the fake gateway did not end"

    def _serve(self) -> None:
        stall_at: float | None = None
        with zmq.Context() as context, sockets.orders_router(context, self.address) as router:
            while not self._stop.is_set():
                if stall_at is not None and time.monotonic() >= stall_at:
                    self._stop.wait(self._stall[1])
                    stall_at = float("inf")
                if not router.poll(5):
                    continue
                identity, frame = router.recv_multipart()
                requests, faults = codec.decode_requests(frame[entry.TOKEN_BYTES :])
                assert not faults, faults
                if stall_at is None and isinstance(requests[0], entry.New):
                    stall_at = time.monotonic() + self._stall[0]
                router.send_multipart(
                    [identity, codec.encode([self._answer(request) for request in requests])]
                )

    def _answer(self, request: entry.Request) -> entry.Reply:
        number = request.request_seq
        if isinstance(request, entry.Logon):
            return entry.Welcome(request_seq=number, token=7, account=request.account, gateway=1)
        if isinstance(request, entry.ListInstruments):
            return entry.Instruments(number, self._instruments)
        self.orders += 1
        if isinstance(request, entry.Cancel):
            return entry.Ack(
                request_seq=number,
                seq=self.orders,
                order_id=request.order_id,
                status=int(OrderStatus.CANCELED),
                client_order_id="",
                remaining_lots=0,
                time_ns=0,
            )
        return entry.Ack(
            request_seq=number,
            seq=self.orders,
            order_id=self.orders,
            status=int(OrderStatus.NEW),
            client_order_id="",
            remaining_lots=1,
            time_ns=0,
        )
