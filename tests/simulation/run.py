"""One run from a seed: make the exchange, trade under faults, let it settle, and check
everything."""

from collections.abc import Callable
from random import Random

from msgspec import Struct

from crossbook.common.messages.entry import TOKEN_BYTES
from crossbook.common.types import Side
from crossbook.matcher.engine.timers import NEVER
from crossbook.matcher.journal.segment import SUFFIX
from crossbook.matcher.recovery.recovery import recover
from crossbook.matcher.recovery.snapshot import capture, state_hash
from tests.simulation.archive import Archive
from tests.simulation.conditions import INSTRUMENTS, RunConditions, draw
from tests.simulation.fake_disk import FakeDisk
from tests.simulation.faults import FaultSchedule
from tests.simulation.gateway_process import GatewayProcess
from tests.simulation.history import check_history
from tests.simulation.matcher_process import SNAPSHOTS_KEPT, MatcherProcess
from tests.simulation.network import Network
from tests.simulation.own_orders import check_own_orders, load_own_orders
from tests.simulation.publisher_process import ConsumerProcess, PublisherProcess
from tests.simulation.trader import Trader
from tests.simulation.world import MILLISECOND, SECOND, SimulatedWorld, Violation, require
from tests.worlds.invariants import check

STEPS = 120
"""Acts of traders in a run, by default."""

BETWEEN_ACTS_NS = 30 * MILLISECOND
SETTLE_MAX_NS = 120 * SECOND
"""Longest time after the last fault until everything has settled."""

WORLD_STEPS_MAX = 2_000_000

_CHANNELS = (("l2", "candle"), ("l2", "l3", "bbo", "trade", "ticker", "candle"), ("l3",))


class Result(Struct):
    """The result of one run."""

    seed: int
    conditions: RunConditions
    trace_hash: str
    state_hash: str
    commands: int
    events: int
    requests: int
    starts: dict[str, int]
    settled_in_ns: int
    world_steps: int


class SimulationFailed(AssertionError):  # noqa: N818 - names an event
    """A broken promise of a run; the text has the command that repeats it."""

    def __init__(self, seed: int, steps: int, error: BaseException) -> None:
        again = f"python -m tests.simulation --seed {seed}"
        if steps != STEPS:
            again += f" --steps {steps}"
        super().__init__(f"seed {seed}: {type(error).__name__}: {error}\nrepeat it with: {again}")


class SimulatedExchange:
    """All parts of one exchange in one simulated world."""

    def __init__(self, seed: int, steps: int, show: Callable[[str], None] | None) -> None:
        self.world = world = SimulatedWorld(seed, show)
        self.conditions = conditions = draw(Random(f"conditions {seed}"), steps)
        self.archive = Archive()
        self.network = network = Network(world)
        self.matcher = MatcherProcess(world, network, conditions, self.archive)
        self.gateways = [
            GatewayProcess(world, network, conditions, self.archive, self.matcher, number)
            for number in (1, 2)
        ]
        self.publisher = PublisherProcess(world, network, conditions, self.matcher)
        self.consumers = [
            ConsumerProcess(world, network, n, self.publisher, _CHANNELS[n % len(_CHANNELS)])
            for n in range(conditions.consumers)
        ]
        self._gateways_of_traders = [self.gateways[n % 2] for n in range(conditions.traders)]
        self.traders = [
            Trader(world, network, n, 1 + n // 2, gateway)
            for n, gateway in enumerate(self._gateways_of_traders)
        ]
        servers = [self.matcher, *self.gateways, self.publisher]
        self.faults = FaultSchedule(world, network, conditions, self.matcher, servers)
        world.trace("conditions", str(conditions))
        for process in (*servers, *self.consumers, *self.traders):
            world.after(world.rng.randrange(200 * MILLISECOND), process.start)

    def play(self) -> None:
        """Trade during faults, and then let everything settle."""
        world, conditions = self.world, self.conditions
        world.run_until(world.now_ns + 300 * MILLISECOND)
        end_ns = world.now_ns + conditions.steps * BETWEEN_ACTS_NS
        self.faults.schedule(end_ns)
        while world.now_ns < end_ns:
            world.rng.choice(self.traders).act()
            self._run(world.rng.randrange(2 * BETWEEN_ACTS_NS))
            if self.matcher.alive:
                load_own_orders(self.traders, self.matcher.engine)
        world.trace("faults", "stop")
        self.faults.stop()
        self._settle("traders are idle", lambda: all(trader.idle for trader in self.traders))
        # A clock that was set back stands still for the matcher until it reaches its earlier time.
        clock = self.matcher.clock
        clock.offset_ns += max(0, self.matcher.sequencer.time_ns - clock.now_ns())
        self._settle("nothing is due", lambda: self.matcher.engine.next_due_ns == NEVER)
        self._settle("all books are equal", self._equal)
        self._settle("every reply has arrived", self._reported)
        self._run(300 * MILLISECOND)
        for trader in self.traders:
            trader.caught_up_to = 0
            trader.finishing = True
        self._settle("executions are complete", self._caught_up)

    def check(self) -> Result:
        """Assert everything that must be true at the end."""
        engine, archive = self.matcher.engine, self.archive
        check(engine)
        require(not archive.fences, f"fenced for nothing: {archive.fences}")
        # A matcher that died before its first command begins another incarnation.
        may_lose = bool(self.conditions.keep_segments) or len(archive.incarnations) > 1
        check_history(archive, self.traders, may_lose=may_lose)
        if len(archive.incarnations) == 1:
            check_own_orders(self.traders, engine)
        self._check_replay()
        starts = {
            process.name: process.starts
            for process in (self.matcher, *self.gateways, self.publisher)
        }
        return Result(
            seed=0, conditions=self.conditions, trace_hash=self.world.trace_hash,
            state_hash=state_hash(engine), commands=engine.seq, events=len(archive.events),
            requests=sum(len(trader.wishes_sent) for trader in self.traders), starts=starts,
            settled_in_ns=0, world_steps=self.world.steps,
        )  # fmt: skip

    def _run(self, for_ns: int) -> None:
        self.world.run_until(self.world.now_ns + for_ns)
        self.network.check()
        require(self.world.steps < WORLD_STEPS_MAX, "no end of steps")

    def _settle(self, goal: str, settled: Callable[[], bool]) -> None:
        begin = self.world.now_ns
        while not settled():
            self._run(50 * MILLISECOND)
            require(
                self.world.now_ns - begin < SETTLE_MAX_NS, f"not settled: {goal}{self._state()}"
            )
        self.world.trace("settled", goal)

    def _state(self) -> str:
        text = [f"; matcher alive={self.matcher.alive} seq={self.matcher.engine.seq}"]
        for gateway in self.gateways:
            text.append(
                f"{gateway.name} seq={gateway.desk.seq} in flight={len(gateway.desk.in_flight)} "
                f"following={gateway.link.following} gap={gateway.link.gap()}"
            )
        text += [
            f"{trader.name} outstanding={trader.session.outstanding} idle={trader.idle}"
            for trader in self.traders
            if not trader.idle
        ]
        text.append(f"publisher seq={self.publisher.replica.feed.seq}")
        return "; ".join(text)

    def _reported(self) -> bool:
        """Whether every trader has a session, and nothing is on its way to or from it."""
        for trader, gateway in zip(self.traders, self._gateways_of_traders, strict=True):
            token = trader.session.token.to_bytes(TOKEN_BYTES, "big")
            if token not in gateway.desk.sessions.by_token or not trader.idle:
                return False
        connections = [
            connection
            for gateway in self.gateways
            for connection in gateway.orders.connections.values()
        ]
        return not any(each.up.frames or each.down.frames for each in connections)

    def _equal(self) -> bool:
        """Whether every replica stands where the matcher does; raises where books differ."""
        seq = self.matcher.engine.seq
        if any(gateway.desk.seq != seq or gateway.desk.in_flight for gateway in self.gateways):
            return False
        if self.publisher.replica.lost or self.publisher.replica.feed.seq != seq:
            return False
        return all(self._book_equal(consumer) for consumer in self.consumers)

    def _book_equal(self, consumer: ConsumerProcess) -> bool:
        if not consumer.follower.ready:
            return False
        for instrument in INSTRUMENTS:
            book = consumer.follower.book(instrument.symbol)
            state = self.matcher.engine.book_state(instrument.id)
            for side, found, orders in (
                (Side.BUY, book.bids(), state.bids),
                (Side.SELL, book.asks(), state.asks),
            ):
                levels: dict[int, int] = {}
                for order in orders:
                    levels[order.price_ticks] = levels.get(order.price_ticks, 0) + order.shown_lots
                if found != list(levels.items()):
                    return False
                resting = [(each.order_id, each.price_ticks, each.shown_lots) for each in orders]
                by_order = book.order_depth
                if by_order is not None and list(by_order.orders(side)) != resting:
                    return False
        return True

    def _caught_up(self) -> bool:
        seq = self.matcher.engine.seq
        done = True
        for trader in self.traders:
            if trader.caught_up_to < seq:
                done = False
                trader.begin_final_catch_up()
        return done

    def _check_replay(self) -> None:
        """Assert that the files on disk, with snapshots and without, give the state of the running
        engine."""
        engine = self.matcher.engine
        whole = self.matcher.journal.first_seq == 1
        for use_snapshots in (True, False) if whole else (True,):
            disk = self.matcher.disk.copy()
            if not use_snapshots:
                for name in disk.names():
                    if not name.endswith(SUFFIX):
                        disk.delete(name)
            self._check_recovery(disk, capture(engine))

    def _check_recovery(self, disk: FakeDisk, expected: bytes) -> None:
        conditions = self.conditions
        again = recover(
            disk, INSTRUMENTS, 1, conditions.segment_bytes, conditions.sync, SNAPSHOTS_KEPT,
            lambda record: self.archive.keep(record.events, "replayed"),
        )  # fmt: skip
        require(capture(again.engine) == expected, "the journal makes another engine")


def simulate(seed: int, steps: int = STEPS, show: Callable[[str], None] | None = None) -> Result:
    """Do one run; raises `SimulationFailed` when a promise was broken."""
    simulation = SimulatedExchange(seed, steps, show)
    try:
        simulation.play()
        result = simulation.check()
    except Exception as error:
        simulation.world.trace("failed", f"{type(error).__name__}: {error}")
        raise SimulationFailed(seed, steps, error) from error
    result.seed = seed
    return result


__all__ = ["Result", "SimulationFailed", "Violation", "simulate"]
