"""A simulation on an exchange in this process: the same over losses, its end, and its speed."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Ack, Execution, New, Pong, Reject
from crossbook.common.types import RejectReason
from crossbook.errors import GatewayUnavailable, OrderRejected, OutcomeUnknown
from crossbook.simulator import runner
from crossbook.simulator.batch import Batch
from crossbook.simulator.flow import AgentFlow
from crossbook.simulator.runner import CALL_TIMEOUT_S, Runner, SimulationPlan
from crossbook.simulator.venue import LocalVenue
from tests.crossbook.simulator.test_flow import BTC

ADDRESS = "inproc://market"
AGENTS = 6


@pytest.mark.parametrize(
    ("rate", "requests", "tick_s"), [(None, 0, 0.1), (None, 50, 0.1), (200.0, 50, 0.25)]
)
def test_a_tick_is_a_tenth_of_a_second_or_as_long_as_its_requests_need(
    rate: float | None, requests: int, tick_s: float
) -> None:
    plan = SimulationPlan(
        address="inproc://nowhere",
        first_account=1,
        agents=2,
        seed=1,
        symbols=("BTC-USDT",),
        rate=rate,
        duration_s=0.0,
        wait_s=0.0,
    )
    assert Runner(plan)._tick_s(requests) == tick_s


class Seat:
    """The client of one agent at an exchange in this process."""

    def __init__(self, market: "Market", account: int, timeout_s: float) -> None:
        self.account = account
        self.timeout_s = timeout_s
        self.waiting: deque[Execution] = deque()
        self.session = SimpleNamespace(
            executions=deque[Execution](), holes=0, executions_dropped=0, recovering=False
        )
        self.last_seqs: list[int] = []
        self._market = market

    async def __aenter__(self) -> "Seat":
        if self._market.absences:
            raise self._market.absences.pop()
        self._market.seats.append(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def instruments(self) -> dict[str, Instrument]:
        return {BTC.symbol: BTC}

    async def batch(self, requests: Sequence[Any]) -> list[Any]:
        """The answers; behind a lost message nothing of the batch is applied."""
        await self._market.answers()
        answers: list[Any] = []
        for request in requests:
            lost = self._market.loses()
            if not lost:
                answers.append(self._market.apply(self, request))
            # A new order may be repeated where only its answer was lost.
            if lost or (isinstance(request, New) and self._market.loses()):
                del answers[len(answers) - (not lost) :]
                return self._market.fail(answers, len(requests))
        return answers

    async def ping(self) -> Pong:
        """Deliver the waiting reports, unless the gateway is behind."""
        seq = self._market.local.engine.seq
        await self._market.answers()
        if self._market.loses():
            self._market.failures += 1
            raise OutcomeUnknown([(1, "")], "lost")
        if self._market.loses():
            return Pong(1, seq - 1, 0)
        self.session.executions.extend(self.waiting)
        self.waiting.clear()
        self.session.recovering = self._market.loses()
        return Pong(1, seq, 0)


class Market:
    """An exchange in this process, and the seats of its agents; with `chance` it loses messages."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, chance: Random | None = None) -> None:
        self.local = LocalVenue([BTC], AGENTS, keep=True)
        self.seats: list[Seat] = []
        self.absences: list[Exception] = []
        self.hangs = False
        self.failures = 0
        self._chance = chance
        monkeypatch.setattr(runner, "RETRY_S", 0)
        monkeypatch.setattr(runner, "AsyncClient", self._client)

    def _client(
        self, address: str, account: int, timeout_s: float, _: object, keys: object
    ) -> Seat:
        assert address == ADDRESS
        return Seat(self, account, timeout_s)

    async def answers(self) -> None:
        """Return unless the exchange hangs."""
        if self.hangs:
            await asyncio.Event().wait()

    def loses(self) -> bool:
        """Whether the next message is lost."""
        return self._chance is not None and self._chance.random() < 0.1

    def fail(self, answers: list[Any], count: int) -> list[Any]:
        """One of the ways in which a client reports that the rest of a batch has no answer, or a
        refusal."""
        assert self._chance is not None
        self.failures += 1
        missing = count - len(answers)
        kind = self._chance.randrange(6)
        if kind == 0:
            raise OutcomeUnknown([(1, "")], "lost", [*answers, *[None] * missing])
        if kind == 1:
            raise GatewayUnavailable("gone", [*answers, *[None] * missing])
        reason = (RejectReason.BUSY, RejectReason.THROTTLED, RejectReason.NOT_LOGGED_ON,
                  RejectReason.OUTCOME_UNKNOWN)[kind - 2]  # fmt: skip
        return [*answers, *[Reject(1, reason, "", "")] * missing]

    def apply(self, seat: Seat, request: Any) -> Ack | Reject:
        """The answer; reports wait for the next ping of their agents."""
        answers, executions = self.local.apply([Batch(self.seats.index(seat), [request])])
        for agent, execution in executions:
            self.seats[agent].waiting.append(execution)
        [(_, answer)] = answers
        return answer

    def open_orders(self) -> int:
        """Number of orders in the book."""
        accounts = [self.local.account(agent) for agent in range(AGENTS)]
        return sum(len(self.local.engine.open_orders(account)[0]) for account in accounts)

    def simulate(
        self,
        seconds: float = 3,
        watch: Callable[[Runner, AgentFlow], None] = lambda *_: None,
        **options: Any,
    ) -> tuple[Runner, AgentFlow]:
        """A run whose ticks follow each other at once."""
        found = Runner(plan(seconds), **{"turn": at_once, **options})
        return found, asyncio.run(found.run(watch))


async def at_once() -> None:
    """The next tick begins."""


def plan(seconds: float, symbol: str = BTC.symbol, wait_s: float = 0.0) -> SimulationPlan:
    return SimulationPlan(
        address=ADDRESS, first_account=50, agents=AGENTS, seed=4, symbols=(symbol,), rate=None,
        duration_s=seconds, wait_s=wait_s,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_losses_change_nothing_that_the_agents_do(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    whole, whole_flow = Market(monkeypatch).simulate()
    market = Market(monkeypatch, Random(seed))
    lossy, flow = market.simulate()
    assert flow.facts() == whole_flow.facts()
    assert flow.tick == 30
    assert (whole.outages, whole.resets) == (lossy.resets, whole.outages) == (0, 0)
    assert lossy.outages == market.failures > 20
    assert not lossy.left_open


def test_every_agent_has_its_account_and_leaves_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market(monkeypatch)
    orders: list[int] = []

    def watch(_: Runner, flow: AgentFlow) -> None:
        orders.append(sum(len(seat.waiting) for seat in market.seats))
        orders.append(market.open_orders())

    market.simulate(1, watch)
    assert [seat.account for seat in market.seats] == [50 + agent for agent in range(AGENTS)]
    assert {seat.timeout_s for seat in market.seats} == {CALL_TIMEOUT_S}
    assert orders[::2] == [0] * 10
    assert min(orders[1::2]) > 0
    assert market.open_orders() == 0


def test_orders_that_cannot_be_canceled_at_the_end_are_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "LAST_CANCEL_S", 0.01)
    market = Market(monkeypatch)

    def hang(_: Runner, flow: AgentFlow) -> None:
        market.hangs = flow.seconds >= 1

    found, _ = market.simulate(1, hang)
    assert found.left_open
    assert market.open_orders() > 0


def test_a_stop_ends_after_the_tick_and_also_within_a_call_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(found: Runner, flow: AgentFlow) -> None:
        if flow.tick == 5:
            found.stop()

    _, flow = Market(monkeypatch).simulate(3, stop)
    assert flow.tick == 5
    monkeypatch.setattr(runner, "GRACE_S", 0.01)
    monkeypatch.setattr(runner, "LAST_CANCEL_S", 0.01)
    market = Market(monkeypatch)

    def stop_and_hang(found: Runner, flow: AgentFlow) -> None:
        if flow.tick == 5:
            market.hangs = True
            asyncio.get_running_loop().call_later(0.01, found.stop)

    found, flow = market.simulate(3, stop_and_hang)
    assert (flow.tick, found.left_open) == (6, True)


@pytest.mark.parametrize("kind", ["holes", "executions_dropped"])
def test_after_lost_reports_the_agents_begin_without_orders_once(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    market = Market(monkeypatch)
    open_orders: list[int] = []

    def lose(_: Runner, flow: AgentFlow) -> None:
        open_orders.append(market.open_orders())
        if flow.tick == 4:
            setattr(market.seats[2].session, kind, 1)

    found, flow = market.simulate(1, lose)
    assert found.resets == 1
    assert open_orders[3] > open_orders[4] == 0 < open_orders[-1]
    assert flow.tick == 10


def test_the_clock_moves_by_each_tick_and_an_absent_one_misses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moves: list[timedelta] = []

    class Clock:
        def move(self, by: timedelta) -> None:
            moves.append(by)
            if len(moves) == 3:
                raise GatewayUnavailable("away")
            if len(moves) == 4:
                raise OutcomeUnknown([(1, "")], "lost")

    found, _ = Market(monkeypatch).simulate(1, clock=Clock())
    assert moves == [timedelta(milliseconds=100)] * 10
    assert found.outages == 2


def test_after_an_outage_no_more_than_a_second_is_made_up_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s, times_s = [100.0], list[float]()
    market = Market(monkeypatch)

    async def pause(_: Runner, seconds: float) -> None:
        now_s[0] += max(0.0, seconds)

    def watch(_: Runner, flow: AgentFlow) -> None:
        times_s.append(round(now_s[0] - 100, 6))
        if flow.tick == 4:
            now_s[0] += 5

    monkeypatch.setattr(runner, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    monkeypatch.setattr(Runner, "_pause", pause)
    market.simulate(2, watch, turn=None)
    # The opening takes no time.
    assert times_s == [0, 0, 0.1, 0.2, *[5.2] * 10, 5.3, 5.4, 5.5, 5.6, 5.7, 5.8]


def test_an_exchange_that_comes_within_the_wait_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market(monkeypatch)
    gone = GatewayUnavailable("gone")
    market.absences = [gone, OrderRejected(Reject(1, RejectReason.BUSY, "", "")), gone]
    found = Runner(plan(0.1, wait_s=60), turn=at_once)
    assert asyncio.run(found.run(lambda *_: None)).tick == 1
    assert market.absences == []
    market.absences = [gone]
    with pytest.raises(GatewayUnavailable):
        market.simulate()


def test_a_symbol_that_is_not_traded_is_named_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Market(monkeypatch)
    with pytest.raises(ValueError, match=r"^DOGE-USDT is not traded here, but BTC-USDT$"):
        asyncio.run(Runner(plan(1, "DOGE-USDT")).run(lambda *_: None))
