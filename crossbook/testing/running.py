"""The life of an exchange for tests: its start, its addresses, its connections, its end."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from crossbook.client.admin_client import AdminClient
from crossbook.client.exchange_clock import ExchangeClock
from crossbook.client.faults import Faults
from crossbook.common.instruments import Instrument
from crossbook.testing.facts import Facts
from crossbook.testing.http import Http
from crossbook.testing.plan import Plan, Setting
from crossbook.testing.processes import ExchangeError, Processes
from crossbook.testing.seeding import Seeding
from crossbook.testing.spares import SPARES
from crossbook.testing.waiting import Events

_T = TypeVar("_T")


ON_ERROR: Final[list[Callable[["RunningExchange"], str]]] = []
"""What is done with an exchange that an exception ends; its text becomes a note of the exception.
The plugin of pytest keeps the journal so."""


class RunningExchange:
    """An exchange from its start to its end, without anything that a test does in it.

    Connections are made when they are first used, and closed with it.
    """

    def __init__(
        self,
        *,
        recorder: bool = True,
        shards: int = 1,
        instruments: str | Path | None = None,
        **settings: Setting,
    ) -> None:
        self.plan = Plan.of(settings, recorder=recorder, shards=shards, instruments=instruments)
        self._found: Processes | None = None
        self._stack = ExitStack()
        self._parts: dict[str, Any] = {}
        self._lock = threading.RLock()

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The exchange of a plan."""
        made = cls()
        made.plan = plan
        return made

    def __enter__(self) -> Self:
        if self._found is None:
            self._found = SPARES.take(self.plan)
            try:
                self._found.wait_ready()
            except BaseException:
                self.close()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._note_error(error)
        self.close()

    def _note_error(self, error: BaseException | None) -> None:
        if isinstance(error, Exception) and self._found is not None:
            for each in ON_ERROR:
                error.add_note(each(self))

    def close(self, *, wait: bool = True) -> None:
        """End everything and remove the folder. Without `wait` the folder may outlive the call, not
        the program."""
        self._disconnect()
        processes, self._found = self._found, None
        if processes is not None:
            processes.close(wait=wait)

    def reset(self) -> None:
        """Begin anew at the same addresses: no order, no trade, no account, no fault, another
        journal.

        Clients of this object are closed; connections of others end, and may be opened again. The
        processes stay, but for those that do not end in time what they do.
        """
        self._disconnect()
        processes = self.processes
        processes.begin_anew()
        processes.start_all()
        processes.wait_ready()

    # Where it is.

    @property
    def processes(self) -> Processes:
        """The processes; raises `ExchangeError` outside `with`."""
        if self._found is None:
            raise ExchangeError("the exchange runs inside `with` only")
        return self._found

    @property
    def http_url(self) -> str:
        """Address of the REST API."""
        return f"http://127.0.0.1:{self.processes.http_port}"

    @property
    def websocket_url(self) -> str:
        """Address in front of the streams: `websocket_url + "/market-data/BTC-USDT"`."""
        return f"ws://127.0.0.1:{self.processes.http_port}/ws"

    @property
    def orders_address(self) -> str:
        """Address of order entry over ZeroMQ."""
        return self.processes.settings["GATEWAY_ORDERS"]

    @property
    def feed_address(self) -> str:
        """Address of the market data feed over ZeroMQ; one for each shard, with commas."""
        return self.processes.settings["PUBLISHER_FEED"]

    @property
    def snapshots_address(self) -> str:
        """Address of the feed's snapshots and resends; one for each shard, with commas."""
        return self.processes.settings["PUBLISHER_SNAPSHOTS"]

    @property
    def data_dir(self) -> Path:
        """Folder of the journal: `crossbook journal` and `crossbook verify` read it."""
        return self.processes.data_dir()

    @property
    def settings(self) -> dict[str, str]:
        """The exchange as environment variables: `crossbook` and `Client` reach it with them."""
        return dict(self.processes.settings)

    @property
    def instruments(self) -> dict[str, Instrument]:
        """The instruments by symbol."""
        with self._lock:
            return self._facts.instruments()

    # Trouble on purpose.

    def kill(self, name: str) -> None:
        """End a process with SIGKILL: "matcher", "publisher", "gateway" or "recorder", and
        "matcher-1" with several shards."""
        self.processes.kill(name)

    def stop(self, name: str) -> None:
        """End a process as a supervisor does, with SIGTERM."""
        self.processes.stop(name)

    def restart(self, name: str) -> None:
        """Start a process again, ended or not, and return once the exchange is ready; at once
        while the test has ended another process, too."""
        if self.processes.is_running(name):
            self.processes.kill(name)
        self.processes.start(name)
        if not self.processes.ended:
            self.processes.wait_ready()

    def logs(self) -> str:
        """The end of the log of every process."""
        return self.processes.logs()

    # Parts that are made when they are first used.

    @property
    def _facts(self) -> Facts:
        return self._part("facts", lambda: Facts(self.processes))

    @property
    def _events(self) -> Events:
        return self._part("events", lambda: Events(self.processes))

    @property
    def _http(self) -> Http:
        return self._part("http", lambda: Http(self.processes.http_port))

    @property
    def _faults(self) -> Faults:
        if "faults" not in self._parts:
            self._parts["faults"] = Faults(self.http_url)
        found: Faults = self._parts["faults"]
        return found

    @property
    def _clock(self) -> ExchangeClock:
        return self._part("clock", self._new_clock)

    def _new_clock(self) -> ExchangeClock:
        return ExchangeClock(self._admin_addresses, [self.http_url], record=self.plan.recorder)

    @property
    def _admin_addresses(self) -> list[str]:
        folders = map(self.processes.data_dir, range(self.plan.shards))
        return [f"ipc://{folder}/admin.sock" for folder in folders]

    @property
    def _administrators(self) -> list[AdminClient]:
        if "administrators" not in self._parts:
            self._parts["administrators"] = [
                self._stack.enter_context(AdminClient(address)) for address in self._admin_addresses
            ]
        found: list[AdminClient] = self._parts["administrators"]
        return found

    @property
    def _seeding(self) -> Seeding:
        if "seeding" not in self._parts:
            self._parts["seeding"] = Seeding(self._facts, self._administrators)
        found: Seeding = self._parts["seeding"]
        return found

    def _part(self, name: str, make: Callable[[], _T]) -> _T:
        with self._lock:
            if name not in self._parts:
                self._parts[name] = part = make()
                self._stack.callback(part.close)  # type: ignore[attr-defined]
            found: _T = self._parts[name]
            return found

    def _disconnect(self) -> None:
        self._stack.close()
        self._parts.clear()
