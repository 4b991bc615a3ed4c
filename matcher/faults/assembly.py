"""The parts of a matcher with `FAULTS=on`: its rules, its disk, and its own administrator."""

from pathlib import Path
from typing import Any, Final

import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.faults.table import FaultTable, FaultTableError
from crossbook.common.messages.admin import AdminReply, AdminRequest
from crossbook.common.messages.codec import decode_admin_reply, encode
from crossbook.common.process import sockets
from crossbook.common.process.fault_server import serve_faults
from crossbook.common.process.keyring import Keyring
from crossbook.matcher.faults.disk import SlowDisk
from crossbook.matcher.faults.instruments import InstrumentFaults

ANSWER_MS: Final = 400
"""How long the matcher may take to answer its own administrator."""


class MatcherFaults:
    """The rules of one matcher; `disk` is its disk, and `serve` serves the rules."""

    def __init__(self, data_dir: Path, shard: int, *, durable: bool = True) -> None:
        self._data_dir = data_dir
        self._shard = shard
        self.table = FaultTable("matcher", shard)
        self.disk = SlowDisk(data_dir, self.table, durable=durable)

    def serve(self, context: Any, admin_address: str, keyring: Keyring | None = None) -> None:
        """Serve the rules from now on. Raises `ConfigError`."""
        self._server = serve_faults(context, self._data_dir, "matcher", self._shard, self.table)
        self._admin = sockets.admin_dealer(context, admin_address, keyring)
        self._server.settle = InstrumentFaults(self.table, self._administer).settle

    def stop(self) -> None:
        """Serve the rules no more."""
        self._server.stop()
        self._admin.close(linger=0)

    def _administer(self, request: AdminRequest) -> AdminReply:
        """The matcher's answer to an administrator. Raises `FaultTableError` where none comes."""
        sockets.drained(self._admin, 100)  # Answers that came too late.
        if not self._admin.poll(ANSWER_MS, zmq.POLLOUT):
            raise FaultTableError("the matcher cannot be reached by its administrator")
        self._admin.send(encode(request))
        if not self._admin.poll(ANSWER_MS):
            raise FaultTableError("the matcher does not answer its administrator")
        try:
            return decode_admin_reply(self._admin.recv())
        except BAD_BYTES as error:
            raise FaultTableError(f"the matcher answered with other bytes: {error}") from error
