"""A gateway's shell without sockets: the rounds of its service over a fake network."""

from typing import Final

from crossbook.common.messages.codec import decode_commands, encode
from crossbook.common.sequence import base_at
from crossbook.gateway.orders.desk import OrderDesk
from crossbook.gateway.orders.matcher_link import MatcherLink
from crossbook.gateway.orders.session import SessionTable
from tests.simulation.archive import Archive
from tests.simulation.conditions import INSTRUMENTS, RunConditions
from tests.simulation.matcher_process import MatcherProcess
from tests.simulation.network import Network, Plug, Port
from tests.simulation.process import SimulatedProcess
from tests.simulation.world import MICROSECOND, MILLISECOND, SimulatedWorld, require

DRAIN_MAX: Final = 256
REPLIES_MAX: Final = 1_000
TICK_NS: Final = 100 * MILLISECOND
PROBE_TICKS: Final = 50
SESSIONS_MAX: Final = 100


class GatewayProcess(SimulatedProcess):
    """One gateway. `archive` receives every command sent to the network."""

    desk: OrderDesk
    link: MatcherLink

    def __init__(
        self,
        world: SimulatedWorld,
        network: Network,
        conditions: RunConditions,
        archive: Archive,
        matcher: MatcherProcess,
        number: int,
    ) -> None:
        super().__init__(world, network, f"gateway-{number}")
        self.number = number
        self.orders = Port(network, self, f"orders-{number}", conditions.pipe_capacity)
        self._commands = Plug(network, self, matcher.commands)
        self._events = Plug(network, self, matcher.events)
        self._queries = Plug(network, self, matcher.queries)
        self._conditions = conditions
        self._archive = archive
        self._ticks = 0
        self._tick_at = 0

    def boot(self) -> bool:
        """Begin with an empty memory."""
        sessions = SessionTable(SESSIONS_MAX, lambda: self.world.rng.getrandbits(63))
        self.desk = OrderDesk(INSTRUMENTS, self.number, self._conditions.queue_size, sessions)
        self.link = MatcherLink(self.desk, self.number, base_at(self.clock.now_ns()))
        self._ticks = 0
        self._tick_at = self.world.now_ns
        return True

    def round(self) -> int:
        """Tick when due, receive waiting messages, and send the messages that follow."""
        now_ns = self.clock.monotonic_ns()
        if now_ns >= self._tick_at:
            self._ticks += 1
            self._tick_at = now_ns + TICK_NS
            self.link.tick(now_ns)
            if self._ticks % PROBE_TICKS == 0:
                self.desk.probe_sessions()
            self._send()
        busy = self._receive_frames()
        busy |= self._receive_events()
        busy |= self._receive_answers()
        if self.desk.has_work:
            busy = True
            self.desk.work()
        self._send()
        self._check()
        if self.link.fenced:
            self._archive.fenced(self.name)
            self.kill("fenced")
            return 0
        return now_ns + MICROSECOND if busy else self._tick_at

    def _receive_frames(self) -> bool:
        frames = self.orders.receive(DRAIN_MAX)
        for identity, frame in frames:
            self.desk.receive_frame(identity, frame)
        return bool(frames)

    def _receive_events(self) -> bool:
        payloads = self._events.receive(DRAIN_MAX)
        for payload in payloads:
            self.link.receive_events(payload)
        if self.desk.outbox:
            self.point()
        return bool(payloads)

    def _receive_answers(self) -> bool:
        payloads = self._queries.receive(DRAIN_MAX)
        for payload in payloads:
            self.link.receive_answer(payload, self.clock.monotonic_ns())
        return bool(payloads)

    def _send(self) -> None:
        desk, link = self.desk, self.link
        if desk.in_flight.unsent:
            self.point()
        link.send(self._hand_over, self._queries.send, self.clock.monotonic_ns())
        if desk.outbox:
            self._send_replies()
        for event, facts in link.collect_notices():
            self.world.trace(self.name, f"{event} {facts}")

    def _hand_over(self, frame: bytes) -> bool:
        """Give commands to the network, and their senders to the archive."""
        self.point()
        for command in decode_commands(frame):
            origin = self.desk.in_flight.origin(command.request_seq)
            require(origin is not None, f"{self.name} sends {command.request_seq}, not in flight")
            assert origin is not None
            self._archive.hands_over(command, origin[0].token, origin[1])
        taken = self._commands.send(frame)
        if taken:
            for command in decode_commands(frame):
                self._archive.handed_over(command)
        self.point()
        return taken

    def _send_replies(self) -> None:
        for identity, replies in self.desk.collect_replies().items():
            self.point()
            for start in range(0, max(1, len(replies)), REPLIES_MAX):
                if not self.orders.send(identity, encode(replies[start : start + REPLIES_MAX])):
                    self.world.trace(self.name, "a client is gone")
                    self.desk.sessions.close_address(identity)
                    break

    def _check(self) -> None:
        desk = self.desk
        require(len(desk.in_flight) <= self._conditions.queue_size, f"{self.name}: in flight")
        require(not desk.in_flight.unsent, f"{self.name}: commands pile up")
        require(not desk.queries.has_unsent, f"{self.name}: queries pile up")
        require(not desk.outbox, f"{self.name}: replies pile up")
        require(len(desk.sessions) <= SESSIONS_MAX, f"{self.name}: sessions pile up")
