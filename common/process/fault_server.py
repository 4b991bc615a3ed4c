"""The fault rules of a process, for the gateways that send them (`FAULTS=on`).

The socket has a thread of its own, so the loop of the process has neither a call nor a branch for
it. The thread changes the table; the loop reads it.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from threading import Thread, Timer
from typing import Any, Final

import zmq

from crossbook.common.errors import CodecError
from crossbook.common.faults.rule import Process
from crossbook.common.faults.table import FaultTable, FaultTableError, NotHere
from crossbook.common.faults.venue import ProcessKilled
from crossbook.common.messages.codec import decoded, encode
from crossbook.common.messages.faults import (
    AddFault,
    FaultTableRequest,
    FaultTableState,
    RemoveFaults,
    decode_fault_request,
)
from crossbook.common.process import sockets
from crossbook.common.process.log import logger
from crossbook.common.process.waking import Wake
from crossbook.common.types import RejectReason

ANSWER_S: Final = 0.05
"""Time that the answer to a rule needs to leave a process that the rule kills."""


def faults_address(data_dir: Path, process: str) -> str:
    """The address of a process's rules."""
    return f"ipc://{data_dir}/faults-{process}.sock"


def serve_faults(
    context: Any, data_dir: Path, process: Process, shard: int, table: FaultTable | None = None
) -> "FaultServer":
    """The server of a table of rules, by default a new one, started. Raises `ConfigError`."""
    server = FaultServer(context, data_dir, FaultTable(process, shard) if table is None else table)
    server.start()
    return server


class FaultServer:
    """Serves the rules of `table` from `start` to `stop`.

    `settle` is called after a change of the rules and before its answer. It returns once what the
    rules order is true, and raises `FaultTableError` where an added rule cannot be applied: the
    rule is removed then.

    Raises `ConfigError` when another process has the address.
    """

    def __init__(self, context: Any, data_dir: Path, table: FaultTable) -> None:
        self.table = table
        self.settle: Callable[[], None] = _nothing
        self._socket = sockets.faults_router(context, faults_address(data_dir, table.process))
        self._kills: list[Timer] = []
        self._stopping = False
        self._wake = Wake()
        self._thread = Thread(target=self._run, name="faults", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        logger().warning("faults_on", process_of_rules=self.table.process)
        self._thread.start()

    def stop(self) -> None:
        """Serve no more; no rule kills this process any more."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        for each in self._kills:
            each.cancel()
        self._wake.close()
        self._socket.close()

    def answer(self, request: FaultTableRequest) -> FaultTableState:
        """Apply a request; returns the rules after it."""
        table, removed, refusal, reason = self.table, 0, "", 0
        if isinstance(request, AddFault):
            refusal, reason = self._add(request)
        elif isinstance(request, RemoveFaults):
            removed = int(table.remove(request.id)) if request.id else table.clear()
            refusal = self._undo()
        return FaultTableState(
            request.request_id,
            table.states(),
            dict(table.applied),
            removed,
            refusal,
            reason,
        )

    def _add(self, request: AddFault) -> tuple[str, int]:
        """Put a rule in force; text and reason of the refusal, or nothing."""
        try:
            self.table.add(request.rule, request.id)
        except FaultTableError as error:
            return str(error), RejectReason.EXCEEDS_LIMIT
        try:
            self.settle()
        except FaultTableError as error:
            self.table.remove(request.id)
            is_known = not isinstance(error, NotHere)
            reason = (
                RejectReason.UNSUPPORTED_COMBINATION if is_known else RejectReason.UNKNOWN_SYMBOL
            )
            return str(error), reason
        if isinstance(request.rule, ProcessKilled):
            kill = Timer(ANSWER_S + request.rule.after_ms / 1_000, kill_this_process)
            self._kills.append(kill)
            kill.start()
        return "", 0

    def _undo(self) -> str:
        """Undo what no rule orders any more; the text of the failure, or nothing."""
        try:
            self.settle()
        except FaultTableError as error:
            return str(error)
        return ""

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake.descriptor, zmq.POLLIN)
        while True:
            poller.poll()
            if self._stopping:
                return
            self._receive()

    def _receive(self) -> None:
        frames = self._socket.recv_multipart(zmq.NOBLOCK)
        try:
            request: FaultTableRequest = decoded(decode_fault_request, frames[-1])
        except CodecError as error:
            logger().warning("malformed_fault_request", reason=str(error))
            return
        try:
            reply = encode(self.answer(request))
            self._socket.send_multipart([*frames[:-1], reply], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            logger().warning("fault_reply_lost", reason=str(error))


def kill_this_process() -> None:
    """End this process as SIGKILL ends it: nothing is sent, synced or closed."""
    os.kill(os.getpid(), signal.SIGKILL)


def _nothing() -> None:
    """No owner has set the callback."""
