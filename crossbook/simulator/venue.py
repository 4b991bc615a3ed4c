"""An exchange in this process: the engine behind the gateway's own translation and reports, without
sockets, journal and clock."""

from collections.abc import Callable, Iterable, Sequence

from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import Command
from crossbook.common.messages.entry import Ack, Execution, Reject
from crossbook.common.messages.events import Event, EventBatch
from crossbook.common.rules import Rules
from crossbook.gateway.orders.commands_in_flight import CommandsInFlight
from crossbook.gateway.orders.outbox import Outbox
from crossbook.gateway.orders.reports import Reporter
from crossbook.gateway.orders.session import OrderSession
from crossbook.gateway.orders.translate import Translator
from crossbook.matcher.engine.engine import Engine
from crossbook.simulator.batch import Answer, Batch

GATEWAY = 1
FIRST_ACCOUNT = 9_001

Watch = Callable[[int, Sequence[Event]], None]
"""Called with the time in nanoseconds and the events of each command."""


class LocalVenue:
    """Applies the batches of a flow; agent `n` trades for account `FIRST_ACCOUNT` + n.

    `rules` are the venue's. With `keep` the list `commands` has all commands, in order.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        agents: int,
        rules: Rules | None = None,
        keep: bool = False,
    ) -> None:
        instruments = tuple(instruments)
        self.engine = Engine(instruments, rules)
        self.commands: list[Command] = []
        self._keep = keep
        self._translator = Translator(instruments, GATEWAY)
        self._in_flight = CommandsInFlight(limit=1)
        self._outbox = Outbox()
        self._sessions = [
            OrderSession(b"", self.account(agent), agent.to_bytes(2, "big"))
            for agent in range(agents)
        ]
        by_account = {session.account: [session] for session in self._sessions}
        self._reporter = Reporter(instruments, GATEWAY, by_account, self._in_flight, self._outbox)

    @staticmethod
    def account(agent: int) -> int:
        """The account of an agent."""
        return FIRST_ACCOUNT + agent

    def apply(
        self, batches: Iterable[Batch], time_ns: int = 0, watch: Watch | None = None
    ) -> tuple[list[Answer], list[tuple[int, Execution]]]:
        """Apply one tick's batches; returns the answers in order, and all execution reports."""
        answers: list[Answer] = []
        executions: list[tuple[int, Execution]] = []
        for batch in batches:
            session = self._sessions[batch.agent]
            for request in batch.requests:
                number = self._in_flight.number + 1
                command = self._translator.command(request, session.account, number)
                self._in_flight.add(session, number, command)
                collected = self._in_flight.collect()
                if self._keep:
                    self.commands += collected
                events = self.engine.apply(command, time_ns)
                seq = self.engine.seq
                self._reporter.report(EventBatch(1, seq, seq, time_ns, events))
                if watch is not None:
                    watch(time_ns, events)
                for identity, replies in self._outbox.drain().items():
                    for reply in replies:
                        if isinstance(reply, Execution):
                            executions.append((int.from_bytes(identity, "big"), reply))
                        else:
                            assert isinstance(reply, Ack | Reject)
                            answers.append((request, reply))
        return answers, executions
