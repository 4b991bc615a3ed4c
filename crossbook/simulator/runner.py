"""Trades a flow on an exchange, in lock-step.

A tick's batches are sent one after the other, each when the one before is answered: requests of
different sessions race otherwise. Then every agent's session sends a ping, whose answer comes
behind all execution reports of the tick. Only then does the flow apply answers and reports and
decide the next tick. So the speed of machine and exchange changes the time of requests, never the
requests; the plan's rate only sets the wait between ticks.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final, Protocol, TypeVar

import zmq
from msgspec import Struct

from crossbook.client.async_client import AsyncClient
from crossbook.client.request import mass_cancel
from crossbook.common.errors import CrossbookError
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Ack, Execution, MassCancel, Reject
from crossbook.common.process.keyring import Keyring
from crossbook.common.shards import shard_of
from crossbook.common.types import RejectReason
from crossbook.errors import GatewayUnavailable, OrderRejected, OutcomeUnknown
from crossbook.simulator.batch import Answer, TradeRequest
from crossbook.simulator.flow import AgentFlow
from crossbook.simulator.fundamental import TICKS_PER_SECOND
from crossbook.simulator.population import AgentChoice, Values, check_population

BATCH_MOST: Final = 256
"""Requests in one message."""

CALL_TIMEOUT_S: Final = 30.0
"""Longer than any stall of a working exchange: a lost session is detected sooner."""

RETRY_S: Final = 0.25
"""Wait before a request that was not applied is sent again."""

BEHIND_MOST_S: Final = 1.0
"""How much of an outage is made up for by a faster pace afterwards."""

NEW_HISTORY_S: Final = 3.0
"""How long a gateway may be behind the acknowledged number: a restarted one has to catch up."""

GRACE_S: Final = 0.5
"""Time for a call under way to end once the simulation stops."""

LAST_CANCEL_S: Final = 1.5
"""Time for the cancels at the end."""

_AGAIN: Final = (
    RejectReason.BUSY,
    RejectReason.THROTTLED,
    RejectReason.NOT_LOGGED_ON,
    RejectReason.OUTCOME_UNKNOWN,
)

_T = TypeVar("_T")


_TICK: Final = timedelta(seconds=1) / TICKS_PER_SECOND


class TickClock(Protocol):
    """The clock of an exchange: `crossbook.client.exchange_clock.ExchangeClock`."""

    def move(self, by: timedelta) -> object:
        """Move the time of the matchers; raises `CrossbookError` where that is not possible."""


class Stopped(CrossbookError):  # noqa: N818 - names an event
    """The simulation was stopped while it waited."""


class SimulationPlan(Struct, frozen=True):
    """The simulation to run, for so many simulated seconds (zero: no end).

    A simulated second lasts a real one, or with a `rate` as long as its requests need at so many a
    second. `agents` of the built-in kinds, with `kinds` as values of their parameters, and `own`
    further ones trade. Agent `n` trades for account `first_account` + n; those of `own` come last.
    All prove `keys`, where the exchange needs some.
    """

    address: str
    first_account: int
    agents: int
    seed: int
    symbols: tuple[str, ...]
    rate: float | None
    duration_s: float
    wait_s: float
    own: tuple[AgentChoice, ...] = ()
    kinds: Mapping[str, Values] = {}
    keys: Keyring | None = None

    @property
    def accounts(self) -> int:
        """The number of agents, each of which has an account of its own."""
        return self.agents + sum(choice.count for choice in self.own)


class Runner:
    """One simulation on one exchange. `stop` ends it after the tick it is in.

    With a `clock`, which is manual, the exchange's time moves by each tick at its end, when
    everything in it is answered: a simulated second is one of the exchange. With `turn`, each tick
    but the opening one begins when its call returns, and is not paced. Raises `ConfigError` for
    agents that cannot be engaged.
    """

    def __init__(
        self,
        plan: SimulationPlan,
        clock: TickClock | None = None,
        turn: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        check_population(plan.agents, plan.kinds, plan.own)
        self.plan = plan
        self._clock = clock
        self._turn = turn
        self.flow: AgentFlow | None = None
        self.outages = 0
        self.resets = 0
        self.left_open = False
        self._clients: list[AsyncClient] = []
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._stopping = asyncio.Event()
        self._holes_seen = 0
        # By shard of the exchange.
        self._last_seqs: dict[int, int] = {}
        self._history_ended = False

    def stop(self) -> None:
        """End soon; the agents' orders are canceled."""
        self._stopping.set()

    async def run(self, watch: Callable[["Runner", AgentFlow], None]) -> AgentFlow:
        """Simulate until the duration is over or `stop`; `watch` is called after every tick.

        Raises `CrossbookError` when the exchange cannot be reached within the plan's wait,
        `ConfigError` for an agent that fails before the first tick, and `ValueError` when the
        exchange does not trade a symbol. A simulation is over when all of its agents failed.
        """
        async with AsyncExitStack() as stack:
            # One context for all, so that the end waits for unsent frames once and not per agent.
            self._context = zmq.Context()
            stack.push_async_callback(asyncio.to_thread, self._context.term)
            instruments = await self._connect(stack)
            cancels = await self._cancel_all()
            # A number the exchange has never given before: client order ids stay unique on it,
            # and are the same on every fresh one.
            plan = self.plan
            flow = self.flow = AgentFlow(
                instruments, plan.agents, plan.seed, f"s{cancels[0].seq}-", plan.own, plan.kinds
            )
            try:
                await self._trade(flow, watch)
            except Stopped:
                pass
            finally:
                await self._leave()
        return flow

    async def _connect(self, stack: AsyncExitStack) -> list[Instrument]:
        """Log every agent on; the instruments to trade."""
        plan = self.plan
        deadline_s = time.monotonic() + plan.wait_s
        for agent in range(plan.accounts):
            while True:
                client = AsyncClient(
                    plan.address,
                    plan.first_account + agent,
                    1.0,
                    self._context,
                    keys=plan.keys,
                )
                try:
                    await self._or_stop(stack.enter_async_context(client))
                    break
                except (GatewayUnavailable, OrderRejected):
                    if time.monotonic() > deadline_s:
                        raise
                    await self._pause(RETRY_S)
            client.timeout_s = CALL_TIMEOUT_S
            self._clients.append(client)
        known = await self._or_stop(self._clients[0].instruments())
        missing = [symbol for symbol in plan.symbols if symbol not in known]
        if missing:
            raise ValueError(f"{missing[0]} is not traded here, but {', '.join(known)}")
        return [known[symbol] for symbol in plan.symbols]

    async def _cancel_all(self) -> list[Ack]:
        """Cancel every order of the agents, in their order."""
        acks = []
        for client in self._clients:
            [answer] = await self._send(client, [mass_cancel()])
            if isinstance(answer, Reject):
                raise OrderRejected(answer)
            acks.append(answer)
        return acks

    async def _trade(self, flow: AgentFlow, watch: Callable[["Runner", AgentFlow], None]) -> None:
        due_s = time.monotonic()
        while not self._stopping.is_set() and not self._over(flow):
            opening = flow.tick == 0
            if self._turn is not None and not opening:
                await self._or_stop(self._turn())
            count = 0
            answers: list[Answer] = []
            for batch in flow.step():
                count += len(batch.requests)
                replies = await self._send(self._clients[batch.agent], batch.requests)
                answers += zip(batch.requests, replies, strict=True)
                self._note_seqs([reply.seq for reply in replies if reply.seq])
            flow.receive(answers, await self._reports())
            if self._missed_something():
                self.resets += 1
                await self._cancel_all()
                flow.forget_orders()
            self._move_time()
            watch(self, flow)
            if self._turn is not None:
                continue
            # The opening is bounded by the number of agents; it is not paced, so that there is a
            # market at once.
            now_s = time.monotonic()
            due_s = max(due_s, now_s - BEHIND_MOST_S) + (0 if opening else self._tick_s(count))
            await self._pause(due_s - now_s)

    def _move_time(self) -> None:
        """Let the tick pass at the exchange. A matcher that is away misses it."""
        if self._clock is None:
            return
        try:
            self._clock.move(_TICK)
        except (GatewayUnavailable, OutcomeUnknown):
            self.outages += 1

    def _tick_s(self, requests: int) -> float:
        """Real seconds of a tick with so many requests."""
        return requests / self.plan.rate if self.plan.rate else 1 / TICKS_PER_SECOND

    def _over(self, flow: AgentFlow) -> bool:
        return flow.deserted or 0 < self.plan.duration_s <= flow.seconds

    async def _send(
        self, client: AsyncClient, requests: Sequence[TradeRequest | MassCancel]
    ) -> list[Ack | Reject]:
        """Send requests until each is answered, whatever happens to the exchange meanwhile.

        A new order is entered once however often it is sent; a cancel or an amend that was
        applied without an answer is answered by a reject, or changes nothing again.
        """
        answers: dict[int, Ack | Reject] = {}
        while len(answers) < len(requests):
            open_ones = [each for each in range(len(requests)) if each not in answers][:BATCH_MOST]
            try:
                outcomes: Sequence[object] = await self._or_stop(
                    client.batch([requests[each] for each in open_ones])
                )
            except (OutcomeUnknown, GatewayUnavailable) as error:
                outcomes = error.answers
            for each, answer in zip(open_ones, outcomes, strict=False):
                again = isinstance(answer, Reject) and answer.reason in _AGAIN
                if isinstance(answer, Ack | Reject) and not again:
                    answers[each] = answer
            if any(each not in answers for each in open_ones):
                self.outages += 1
                await self._pause(RETRY_S)
                if self._stopping.is_set():
                    raise Stopped
        return [answers[each] for each in range(len(requests))]

    def _note_seqs(self, seqs: Sequence[int]) -> None:
        """These numbers of the matchers answered one batch: numbers that fall back are those of
        another history, in which no order of this run is open."""
        for shard in {shard_of(seq) for seq in seqs}:
            own = [seq for seq in seqs if shard_of(seq) == shard]
            fell_back = min(own) < self._last_seqs.get(shard, 0)
            self._history_ended = self._history_ended or fell_back
            self._last_seqs[shard] = max(own)

    async def _reports(self) -> list[tuple[int, Execution]]:
        """All execution reports up to the last number that answered, by agent."""
        await asyncio.gather(*(self._await_reports(client) for client in self._clients))
        reports = []
        for agent, client in enumerate(self._clients):
            executions = client.session.executions
            while executions:
                reports.append((agent, executions.popleft()))
        return reports

    async def _await_reports(self, client: AsyncClient) -> None:
        """Return once a session has received everything up to the last acknowledged number.

        Where the gateway stays behind that number, the exchange has begun a new history.
        """
        behind_since_s = 0.0
        while True:
            try:
                pong = await self._or_stop(client.ping())
                received = {shard_of(seq): seq for seq in client.last_seqs} | {0: pong.seq}
                behind = any(received.get(each, 0) < seq for each, seq in self._last_seqs.items())
                if not behind and not client.session.recovering:
                    return
                behind_since_s = (behind_since_s or time.monotonic()) if behind else 0.0
                if behind and time.monotonic() - behind_since_s > NEW_HISTORY_S:
                    self._history_ended = True
                    self._last_seqs.clear()
                    return
            except (OutcomeUnknown, GatewayUnavailable, OrderRejected):
                self.outages += 1
            await self._pause(RETRY_S)
            if self._stopping.is_set():
                raise Stopped

    def _missed_something(self) -> bool:
        """Whether execution reports were lost since the last check."""
        ended, self._history_ended = self._history_ended, False
        holes = sum(
            client.session.holes + client.session.executions_dropped for client in self._clients
        )
        seen, self._holes_seen = self._holes_seen, holes
        return ended or holes > seen

    async def _leave(self) -> None:
        """Cancel the open orders, if the exchange still runs."""
        self._stopping.clear()
        try:
            async with asyncio.timeout(LAST_CANCEL_S):
                await self._cancel_all()
        except (TimeoutError, CrossbookError):
            self.left_open = True

    async def _or_stop(self, call: Awaitable[_T]) -> _T:
        """The result of a call; raises `Stopped` when it does not end soon after a stop."""
        task = asyncio.ensure_future(call)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                await asyncio.wait((task,), timeout=GRACE_S)
            if not task.done():
                raise Stopped("stopped")
            return task.result()
        finally:
            stopping.cancel()
            task.cancel()

    async def _pause(self, seconds: float) -> None:
        """Wait, at most until a stop."""
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
