"""A desk in front of a real engine, on one thread, for the tests of the gateway."""

from pathlib import Path

from crossbook.common.instruments_file import load_instruments
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import Command
from crossbook.common.messages.entry import Logon, Reply, Request, Welcome
from crossbook.common.messages.events import Event, EventBatch
from crossbook.gateway.orders.desk import OrderDesk
from crossbook.gateway.orders.session import SessionTable
from crossbook.matcher.engine.engine import Engine

INSTRUMENTS = load_instruments(Path(__file__).parents[2] / "instruments.toml")
GATEWAY = 1


class DeskWorld:
    """Desk and engine, joined by `settle`; tokens are drawn from a counter."""

    def __init__(self, queue_size: int = 100, sessions: int = 10) -> None:
        self.engine = Engine(INSTRUMENTS)
        tokens = iter(range(1001, 100_000))
        self.desk = OrderDesk(
            INSTRUMENTS, GATEWAY, queue_size, SessionTable(sessions, lambda: next(tokens))
        )
        self.desk.in_flight.begin(0)
        self.desk.begin(0)
        self.incarnation = 1
        self._sent: list[Command] = []

    def log_on(self, identity: bytes, account: int) -> int:
        """The token of a new session."""
        welcome = self.replies_to(identity, 0, Logon(1, account))[-1]
        assert isinstance(welcome, Welcome), welcome
        return welcome.token

    def send(self, identity: bytes, token: int, *requests: Request) -> None:
        """Give the desk one frame, without any work of the matcher."""
        message = requests[0] if len(requests) == 1 else list(requests)
        self.desk.receive_frame(identity, token.to_bytes(8, "big") + encode(message))

    def settle(self) -> None:
        """Let the engine apply the unsent commands, and the desk apply the events."""
        first_seq = self.engine.seq + 1
        events: list[Event] = []
        commands, self._sent = [*self._sent, *self.desk.in_flight.collect()], []
        for command in commands:
            events += self.engine.apply(command, 5)
        batch = EventBatch(
            incarnation=self.incarnation,
            first_seq=first_seq,
            last_seq=self.engine.seq,
            time_ns=5,
            events=events,
        )
        self.desk.apply(batch)

    def answer(self, count: int) -> None:
        """As `settle`, but for the oldest commands only."""
        self._sent += self.desk.in_flight.collect()
        later = self._sent[count:]
        del self._sent[count:]
        self.settle()
        self._sent = later

    def replies(self, identity: bytes) -> list[Reply]:
        """Remove and return the replies that wait to be sent to an address."""
        found: list[Reply] = []
        for address, replies in self.desk.outbox.drain().items():
            if address == identity:
                found = replies
            else:
                self.desk.outbox.extend(address, replies)
        return found

    def replies_to(self, identity: bytes, token: int, *requests: Request) -> list[Reply]:
        """Send, settle, and return the replies."""
        self.send(identity, token, *requests)
        self.settle()
        return self.replies(identity)
