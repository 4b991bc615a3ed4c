"""A relay between a publishing socket and its subscribers, which can lose messages."""

import threading
from typing import Self

import zmq

from crossbook.common.process import sockets
from tests.system.exchange import free_ports


class Relay:
    """Passes the messages of `source` on, at `address`; while `losing` it drops them."""

    def __init__(self, source: str) -> None:
        (port,) = free_ports(1)
        self.address = f"tcp://127.0.0.1:{port}"
        self.losing = False
        self.lost = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._from = sockets.events_sub(self._context, source)
        self._to = sockets.events_pub(self._context, self.address)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._from.poll(20):
                frames = self._from.recv_multipart()
                if self.losing:
                    self.lost += 1
                else:
                    self._to.send_multipart(frames)
