"""The handler of ZeroMQ's ZAP: decides which peers the bound sockets of a process admit.

ZeroMQ requests a decision for each handshake of a socket with keys, at an address that every
context has for it alone (https://rfc.zeromq.org/spec/27). The handler has a thread of its own: the
loop of the process has neither a call nor a branch for it, and no handshake waits for a long batch.
"""

from collections.abc import Callable
from threading import Thread
from typing import Any, Final

import zmq

from crossbook.common.peer_admission import (
    ADMITTED,
    LATER,
    REFUSED,
    FindKey,
    PeerAdmission,
    Verdict,
)
from crossbook.common.process import sockets
from crossbook.common.process.clock import Clock
from crossbook.common.process.keyring import Keyring
from crossbook.common.process.log import logger
from crossbook.common.process.waking import Wake

LOOK_MS: Final = 20
"""Time between two looks at the peers that wait for keys that are not loaded yet."""

WAITING_MAX: Final = 4_096
"""Most peers that wait; one more is disconnected, and tries again after ZeroMQ's handshake time."""

LOG_NS: Final = 10_000_000_000
"""Least time between two lines of the log about refused handshakes."""

_NOBLOCK: Final = int(zmq.NOBLOCK)
_VERSION: Final = b"1.0"
_CURVE: Final = b"CURVE"
_FAILED: Final = b"500"
_FRAMES: Final = 8
"""Frames before the proof: routing id, delimiter, version, request id, domain, address, identity,
mechanism."""

Decide = Callable[[str, bytes, str], Verdict]
"""The verdict on realm, public key and address of a peer."""


def handle_peers(
    context: Any,
    keyring: Keyring | None,
    clock: Clock,
    find: FindKey | None = None,
    is_loaded: Callable[[], bool] | None = None,
) -> "ZapHandler | None":
    """The handler for the sockets of a process, started; None where no socket uses keys.

    `find` finds the keys of clients, once `is_loaded` returns true; without it only processes of
    the exchange are admitted.
    """
    if keyring is None:
        return None
    admission = PeerAdmission(
        keyring.own.public, find or _no_key, is_loaded or _at_once, clock.now_ns
    )
    handler = ZapHandler(context, admission.decide, clock)
    handler.start()
    return handler


def _no_key(_public: bytes) -> None:
    """No client has a key."""


def _at_once() -> bool:
    """There is nothing to load."""
    return True


class ZapHandler:
    """Answers handshakes by `decide`, in its own thread, from `start` to `stop`.

    Make it before any socket with keys is bound: without a handler ZeroMQ admits nobody there.
    `admitted` and `refused` count handshakes.
    """

    def __init__(self, context: Any, decide: Decide, clock: Clock) -> None:
        self._decide = decide
        self._clock = clock
        self._socket = sockets.zap_handler(context)
        self._stopping = False
        self._wake = Wake()
        self._logged_ns = 0
        self._waiting: list[list[bytes]] = []
        self.admitted = 0
        self.refused = 0
        self._thread = Thread(target=self._run, name="zap", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        self._wake.close()
        self._socket.close()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake.descriptor, zmq.POLLIN)
        look_ns = 0
        while not self._stopping:
            ready = dict(poller.poll(LOOK_MS if self._waiting else None))
            if self._socket in ready:
                self._answer(self._socket.recv_multipart(_NOBLOCK))
            now_ns = self._clock.monotonic_ns()
            if self._waiting and now_ns >= look_ns:
                look_ns = now_ns + LOOK_MS * 1_000_000
                waiting, self._waiting = self._waiting, []
                for frames in waiting:
                    self._answer(frames)

    def _answer(self, frames: list[bytes]) -> None:
        """Answer a request, or keep it where its peer is to wait."""
        *envelope, version, request_id, domain, address, _, mechanism = frames[:_FRAMES]
        proofs = frames[_FRAMES:]
        peer = address.decode("utf-8", "replace")
        if version != _VERSION or mechanism != _CURVE or len(proofs) != 1:
            verdict = Verdict(REFUSED, "no key")
        else:
            verdict = self._verdict(domain.decode("utf-8", "replace"), proofs[0], peer)
        if verdict.status == ADMITTED:
            self.admitted += 1
        elif verdict.status != LATER:
            self.refused += 1
            self._log(verdict, domain, peer)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append(frames)
            return
        reason, user = verdict.reason.encode(), verdict.user.encode()
        answer = [*envelope, _VERSION, request_id, verdict.status, reason, user, b""]
        self._socket.send_multipart(answer, _NOBLOCK)

    def _verdict(self, realm: str, public: bytes, peer: str) -> Verdict:
        try:
            return self._decide(realm, public, peer)
        except Exception as error:
            # A handler that ends would shut everybody out, a fault of one decision only one peer.
            logger().exception("handshake_undecided", reason=repr(error))
            return Verdict(_FAILED, "internal error")

    def _log(self, verdict: Verdict, domain: bytes, peer: str) -> None:
        now_ns = self._clock.monotonic_ns()
        if not self._logged_ns or now_ns - self._logged_ns >= LOG_NS:
            self._logged_ns = now_ns
            logger().warning(
                "handshake_refused",
                socket=domain.decode("utf-8", "replace"),
                address=peer,
                reason=verdict.reason,
                refused=self.refused,
            )
