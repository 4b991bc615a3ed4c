"""The administrator's clients where there may be several matchers: whom to ask for what."""

from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from crossbook.cli.console import CommandError, ExitStatus
from crossbook.client.admin_client import AdminClient
from crossbook.common.errors import CrossbookError
from crossbook.common.messages.admin import InstrumentStatus

NO_SHARD: Final = -1


class AdminShards:
    """A client for the matcher of each shard, in their order."""

    def __init__(self, addresses: Iterable[str], timeout_s: float) -> None:
        self.clients = [AdminClient(address, timeout_s) for address in addresses]
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
        """The client of the shard a command names; it need not where there is one only."""
        if len(self.clients) == 1 and shard in (NO_SHARD, 0):
            return self.clients[0]
        if not 0 <= shard < len(self.clients):
            last = len(self.clients) - 1
            text = f"say with --shard which of them, 0 to {last}: each has a ledger of its own"
            raise CommandError(text, ExitStatus.USAGE, "USAGE", "shard")
        return self.clients[shard]

    def trading(self, symbol: str) -> tuple[AdminClient, InstrumentStatus]:
        """The client of the shard an instrument is traded on, and how it stands there.

        A matcher that does not answer is passed over while another has it.
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
