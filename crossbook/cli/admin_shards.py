"""The administrator's clients of one matcher or several, and which of them has what."""

from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from crossbook.cli.console import CommandError, ExitStatus
from crossbook.cli.options import client_settings
from crossbook.client.admin_client import AdminClient
from crossbook.client.connection import Keys
from crossbook.common.errors import CrossbookError
from crossbook.common.messages.admin import InstrumentStatus

NO_SHARD: Final = -1


class AdminShards:
    """A client for the matcher of each shard, in their order."""

    def __init__(
        self, addresses: Iterable[str], timeout_s: float, keys: Keys | None = None
    ) -> None:
        self.clients = [AdminClient(address, timeout_s, keys) for address in addresses]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for client in self.clients:
            self._stack.enter_context(client)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def named(self, shard: int) -> AdminClient:
        """The client of the shard that a command names; with one shard it need not name it."""
        if len(self.clients) == 1 and shard in (NO_SHARD, 0):
            return self.clients[0]
        if not 0 <= shard < len(self.clients):
            last = len(self.clients) - 1
            text = f"choose one with --shard, 0 to {last}: each has a ledger of its own"
            raise CommandError(text, ExitStatus.USAGE, "USAGE", "shard")
        return self.clients[shard]

    def trading(self, symbol: str) -> tuple[AdminClient, InstrumentStatus]:
        """The client of the shard that trades an instrument, and the instrument's status there.

        A matcher that does not answer is skipped while another has the instrument.
        """
        away: CrossbookError | None = None
        for client in self.clients:
            try:
                view = client.view()
            except CrossbookError as error:
                away = error
                continue
            for status in view.instruments:
                if status.definition.symbol == symbol.upper():
                    return client, status
        if away is not None:
            raise away
        text = f"no instrument is called {symbol!r} here"
        raise CommandError(text, ExitStatus.USAGE, "UNKNOWN_SYMBOL", "symbol")


def admin_shards(admin: str | None, timeout_s: float) -> AdminShards:
    """The matchers of the settings, or those at the addresses of `--admin`."""
    settings = client_settings(admin=admin)
    addresses = [shard.matcher_admin for shard in settings.each_shard()]
    return AdminShards(addresses, timeout_s, settings.client_keyring())
