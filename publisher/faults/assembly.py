"""The parts of a publisher with `FAULTS=on`: each takes the place of one without faults."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from crossbook.common.instruments import Instrument
from crossbook.common.process import sockets
from crossbook.common.process.connections import Bounds, Connections
from crossbook.common.process.fault_server import serve_faults
from crossbook.common.process.keyring import Keyring
from crossbook.publisher.faults.feed import FaultyFeed
from crossbook.publisher.faults.replies import FaultySnapshotServer
from crossbook.publisher.replica import PublisherReplica


class PublisherFaults:
    """The rules of one publisher, served from now on, and its parts. Raises `ConfigError`.

    `made` is its feed.
    """

    made: FaultyFeed

    def __init__(
        self,
        context: Any,
        data_dir: Path,
        shard: int,
        feed_address: str,
        bounds: Bounds,
        keyring: Keyring | None = None,
    ) -> None:
        self._context = context
        self._feed_address = feed_address
        self._bounds = bounds
        self._keyring = keyring
        self._server = serve_faults(context, data_dir, "publisher", shard)
        self.table = self._server.table

    def feed(self, instruments: Iterable[Instrument], base: int, resend_count: int) -> FaultyFeed:
        """As `Feed`."""
        self.made = FaultyFeed(instruments, base, resend_count, self.table)
        return self.made

    def server(self, replica: PublisherReplica) -> FaultySnapshotServer:
        """As `SnapshotServer`."""
        return FaultySnapshotServer(replica, self.made)

    def stop(self) -> None:
        """Serve the rules no more."""
        self._server.stop()

    def settled_by(self, settle: Callable[[], None]) -> None:
        """Have changes of the rules answered once `settle` returns."""
        self._server.settle = settle

    def reopen(self) -> Connections:
        """The connections of the feed, bound anew. Raises `ConfigError`."""
        public = sockets.feed_pub(self._context, self._feed_address, self._keyring)
        return Connections(self._context, public, self._bounds, receives=False)
