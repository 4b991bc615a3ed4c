"""The real processes on free loopback ports, for tests and measurements.

    with Exchange() as exchange:
        with Session(exchange.orders, account=7) as session:
            ...

Every process runs in a fresh temporary folder, so no `.env` is read and nothing is left behind.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar, Self
from weakref import WeakSet

import zmq

from crossbook.common.messages import codec, entry, feed
from crossbook.common.process import sockets
from crossbook.common.process.config import Settings
from crossbook.common.process.curve import KeyFile, new_pair, write_key_file
from crossbook.common.process.keyring import Keyring
from crossbook.common.process.programs import MODULES
from crossbook.launch.ports import Ports
from crossbook.launch.process import Process, Start, start
from tests.system.session import RawSession

REPOSITORY = Path(__file__).resolve().parents[2]
PROCESSES = ("matcher", "publisher", "gateway")
RECORDED = (*PROCESSES, "recorder")
"""The starting order with the recorder, which the other processes do not need."""
READY_SECONDS = 30.0
STOP_SECONDS = 10.0
PROBE_ACCOUNT = 2**31 - 1
"""Account of the orders that prove readiness; no test trades with it."""

BOUND_BY = {
    "matcher": ("MATCHER_COMMANDS", "MATCHER_EVENTS", "MATCHER_SYNC", "MATCHER_ADMIN"),
    "publisher": ("PUBLISHER_FEED", "PUBLISHER_SNAPSHOTS"),
    "gateway": ("GATEWAY_ORDERS",),
    "recorder": ("RECORDER_HISTORY",),
}
ADDRESS_SETTINGS = tuple(name for names in BOUND_BY.values() for name in names)

LIVE: "WeakSet[Exchange]" = WeakSet()
"""Exchanges now running: their logs go into the report of a test that fails."""


class ExchangeError(Exception):
    """The processes did not reach the expected state in time; the text ends with their logs."""


class Exchange:
    """Matcher, publisher and gateway as a user runs them, ready to trade inside `with`.

    `settings` are environment variables for all of them (`ORDER_QUEUE_SIZE="4"`). The gateway
    serves ZeroMQ orders only unless `GATEWAY_ROLES` names more. `order` is the order of starting;
    `RECORDED` adds the recorder. With `ready=False` nothing is started: call `start` and
    `wait_ready`.
    With `AUTH="on"` it has a key pair, and `keyring` is that of its own processes.
    Readiness is proved by real mass cancels of `PROBE_ACCOUNT`, so the stream does not begin at
    the first test command.
    """

    starter: ClassVar[Start] = staticmethod(start)
    """The function that starts a process. Tests, unlike measurements, may use a quicker one."""

    def __init__(
        self, *, order: Iterable[str] = PROCESSES, ready: bool = True, **settings: str
    ) -> None:
        self._order = tuple(order)
        self._ready = ready
        self._folder = tempfile.TemporaryDirectory(prefix="crossbook-")
        self.directory = Path(self._folder.name)
        self.processes: dict[str, Process] = {}
        self._ports = Ports()
        self.api_port = self._ports.take()
        self.addresses = {
            name: f"tcp://127.0.0.1:{self._ports.take()}" for name in ADDRESS_SETTINGS
        }
        own = {
            **self.addresses,
            "INSTRUMENTS_FILE": str(REPOSITORY / "instruments.toml"),
            "API_PORT": str(self.api_port),
            "GATEWAY_ROLES": "orders",
            "HEARTBEAT_MS": "100",
            "DATA_DIR": str(self.directory / "data"),
            "JOURNAL_SEGMENT_MB": "4",
            "LOG_FORMAT": "json",
            # Most tests trade more than an account has; tests of money turn accounts on.
            "ACCOUNTS": "off",
            **settings,
        }
        self.addresses.update((name, own[name]) for name in ADDRESS_SETTINGS)
        self.environment = process_environment(own)
        self.keyring: Keyring | None = None
        if own.get("AUTH") == "on":
            self._make_keys(own.get("FEED_ACCESS") == "keyed")

    def _make_keys(self, has_keyed_feed: bool) -> None:
        """Make the key pair of the exchange in the folder that its processes read."""
        pair = new_pair()
        write_key_file(self.data / "curve.key", KeyFile(pair), "The exchange's.")
        self.keyring = Keyring.of_exchange(pair, has_keyed_feed=has_keyed_feed)

    @property
    def orders(self) -> str:
        """Address of the gateway's order entry."""
        return self.addresses["GATEWAY_ORDERS"]

    @property
    def feed(self) -> str:
        """Address of the public feed."""
        return self.addresses["PUBLISHER_FEED"]

    @property
    def snapshots(self) -> str:
        """Address of the publisher's snapshot and resend socket."""
        return self.addresses["PUBLISHER_SNAPSHOTS"]

    @property
    def api(self) -> str:
        """Address of the HTTP API."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def history(self) -> str:
        """Address of the recorder for history queries."""
        return self.addresses["RECORDER_HISTORY"]

    @property
    def queries(self) -> str:
        """Address of the matcher's internal request socket."""
        return self.addresses["MATCHER_SYNC"]

    def __enter__(self) -> Self:
        LIVE.add(self)
        if self._ready:
            try:
                for name in self._order:
                    self.start(name)
                self.wait_ready()
            except BaseException:
                self.close()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, name: str, **environment: str) -> None:
        """Start one process, with more environment of its own; its output is appended to its
        log. A name such as `matcher-1` names the shard."""
        assert name not in self.processes, f"{name} is running"
        process, _, shard = name.partition("-")
        self.processes[name] = Exchange.starter(
            MODULES[process],
            self.directory,
            {**self.environment, "SHARD": shard or "0", **environment},
            self._log_path(name),
        )

    def pid(self, name: str) -> int:
        """Process id of a running process."""
        return self.processes[name].pid

    def send_signal(self, name: str, number: int) -> None:
        """Send a signal to one process."""
        self.processes[name].send_signal(number)

    def kill(self, name: str) -> None:
        """kill -9 one process and reap it."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(STOP_SECONDS)

    def ended(self, name: str) -> int | None:
        """The exit status of a process that has ended by itself, which can then be started
        again; None while it runs."""
        status = self.processes[name].poll()
        if status is not None:
            del self.processes[name]
        return status

    def stop(self, name: str, number: int = signal.SIGTERM) -> int:
        """Stop one process and return its exit status."""
        process = self.processes.pop(name)
        process.send_signal(number)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
            raise ExchangeError(f"{name} did not end in {STOP_SECONDS} s\n{self.logs()}") from None

    @property
    def data(self) -> Path:
        """The matcher's data directory."""
        return self.directory / self.environment.get("DATA_DIR", "data")

    def log(self, name: str) -> str:
        """The whole output of a process so far."""
        path = self._log_path(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def logs(self, limit: int = 4_000) -> str:
        """The end of every process's log."""
        names = {**dict.fromkeys(RECORDED), **dict.fromkeys(self.processes)}
        return "\n".join(f"--- {name}\n{self.log(name)[-limit:]}" for name in names)

    def check_alive(self, ending: str = "") -> None:
        """Raise `ExchangeError` when a process that was started, and is not `ending`, has ended by
        itself."""
        for name, process in self.processes.items():
            if name != ending and (status := process.poll()) is not None:
                raise ExchangeError(f"{name} ended with {status}\n{self.logs()}")

    def wait_until(
        self, goal: str, condition: Callable[[], bool], seconds: float = 10.0, ending: str = ""
    ) -> None:
        """Poll `condition` until it holds; raises `ExchangeError` naming `goal` otherwise, or when
        a process ends that is not `ending`."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.check_alive(ending)
            if time.monotonic() > deadline:
                raise ExchangeError(f"{goal}: not in {seconds} s\n{self.logs()}")
            # Yields the processor to the processes of the exchange; the condition decides.
            select_nothing(0.01)

    def wait_bound(self, name: str, seconds: float = READY_SECONDS) -> None:
        """Return once a process has bound its addresses."""
        bound = [self.addresses[setting] for setting in BOUND_BY[name]]
        self.wait_until(f"{name} binds", lambda: all(map(is_bound, bound)), seconds)

    def wait_http(self, seconds: float = READY_SECONDS) -> None:
        """Return once the API is ready, with a recorder behind it where one was started."""

        def ready() -> bool:
            try:
                with urllib.request.urlopen(f"{self.api}/ready", timeout=5) as answer:
                    document = json.load(answer)
            except OSError:
                return False
            return bool(document["recorder"] or "recorder" not in self.processes)

        self.wait_until("the API is ready", ready, seconds)

    def wait_shown(self, symbol: str) -> None:
        """Return once the gateway has a book of the instrument. It has none at its start, and after
        a restart of the publisher."""

        def shown() -> bool:
            try:
                urllib.request.urlopen(f"{self.api}/api/v1/orderbook/{symbol}", timeout=5).close()
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                return False
            return True

        self.wait_until(f"{symbol} is shown", shown)

    def wait_ready(self, seconds: float = READY_SECONDS) -> int:
        """Return once an order round trip has reached the public feed; returns the order's sequence
        number."""
        deadline = time.monotonic() + seconds
        seq = self._order_round_trip(deadline)
        self._feed_shows(seq, deadline)
        return seq

    def close(self) -> None:
        """End every process, by its own id, and remove the folder.

        Only the matcher gets a signal to end: it has children. Tests of `stop` check how the others
        end.
        """
        for name, process in self.processes.items():
            if process.poll() is None:
                gentle = name.startswith("matcher")
                process.send_signal(signal.SIGTERM if gentle else signal.SIGKILL)
                # A stopped (SIGSTOP) process receives SIGTERM only after SIGCONT.
                process.send_signal(signal.SIGCONT)
        for process in self.processes.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)
        LIVE.discard(self)
        self._ports.close()
        self._folder.cleanup()

    def _log_path(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def _order_round_trip(self, deadline: float) -> int:
        while True:
            self.check_alive()
            if time.monotonic() > deadline:
                raise ExchangeError(f"no order round trip in time\n{self.logs()}")
            with (
                RawSession(
                    self.orders, PROBE_ACCOUNT, log_on=False, keyring=self.keyring
                ) as session,
                contextlib.suppress(TimeoutError, ConnectionError),
            ):
                session.log_on(seconds=1.0)
                reply = session.reply_to(entry.MassCancel(session.next_seq()), seconds=1.0)
                if isinstance(reply, entry.Ack):
                    return reply.seq
            select_nothing(0.02)

    def _feed_shows(self, seq: int, deadline: float) -> None:
        with (
            zmq.Context() as context,
            sockets.feed_sub(context, self.feed, self.keyring) as subscriber,
        ):
            subscriber.setsockopt(zmq.SUBSCRIBE, feed.HEARTBEAT_TOPIC.encode())
            while time.monotonic() < deadline:
                self.check_alive()
                if subscriber.poll(100):
                    message = codec.decode_feed(subscriber.recv_multipart()[2])
                    if isinstance(message, feed.Heartbeat) and message.seq >= seq:
                        return
        raise ExchangeError(f"the feed did not reach sequence {seq} in time\n{self.logs()}")


def process_environment(settings: dict[str, str]) -> dict[str, str]:
    """The environment of a process: the present one without settings, plus `settings`."""
    ours = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH", ""))))
    return {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **settings}


def free_ports(count: int) -> list[int]:
    """Distinct loopback ports that were free a moment ago."""
    ports = Ports()
    found = [ports.take() for _ in range(count)]
    ports.close()
    return found


def is_bound(address: str) -> bool:
    """Whether something listens at a tcp:// address on loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port_of(address)), timeout=1):
            return True
    except OSError:
        return False


def port_of(address: str) -> int:
    """The port of a tcp:// address."""
    return int(address.rpartition(":")[2])


def select_nothing(seconds: float) -> None:
    """Let other processes run between two checks of a condition."""
    select.select([], [], [], seconds)
