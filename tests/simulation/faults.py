"""The faults of a run and their times: drawn by the seed, ended at once by `stop`."""

import errno
from collections.abc import Callable, Sequence
from typing import Final

from tests.simulation.conditions import RunConditions
from tests.simulation.fake_disk import Operation
from tests.simulation.matcher_process import MatcherProcess
from tests.simulation.network import Network
from tests.simulation.process import SimulatedProcess
from tests.simulation.world import DAY, MILLISECOND, SECOND, SimulatedWorld

START_MIN_NS = 150 * MILLISECOND
"""Least time until a started process runs."""

LOOKS: Final = 10
"""Times that a run checks a copy of the disk after a loss of power that may destroy something."""

_OPERATIONS: Final[tuple[Operation, ...]] = ("write", "sync", "sync", "claim", "replace", "read")


class FaultSchedule:
    """Schedules faults over a stretch of time; dead processes are started again."""

    def __init__(
        self,
        world: SimulatedWorld,
        network: Network,
        conditions: RunConditions,
        matcher: MatcherProcess,
        servers: Sequence[SimulatedProcess],
    ) -> None:
        self._world = world
        self._network = network
        self._conditions = conditions
        self._matcher = matcher
        self._servers = list(servers)
        self._ahead_ns = 0
        self._stopped = False
        self._restarting: dict[str, bool] = {}

    def schedule(self, until_ns: int) -> None:
        """Schedule all faults of this run before that time."""
        world = self._world
        begin = world.now_ns
        for _ in range(self._conditions.faults):
            world.at(world.rng.randrange(begin, until_ns), self._strike)
        if self._conditions.sync != "batch" and self._conditions.power_losses:
            for _ in range(LOOKS):
                world.at(world.rng.randrange(begin, until_ns), self._lose_power)
        self._watch()

    def stop(self) -> None:
        """End all faults, and start dead processes again."""
        self._stopped = True
        self._matcher.clock.offset_ns -= self._ahead_ns
        self._matcher.disk.kill()
        for process in self._servers:
            process.dies_in = 0
            process.stall(0)
            process.wake(self._world.now_ns)
            if not process.alive:
                self._world.after(START_MIN_NS, process.start)

        for port in self._network.ports:
            port.harsh_up.lost = port.harsh_down.lost = 0
            port.harsh_up.doubled = port.harsh_down.doubled = 0
            port.harsh_up.late = port.harsh_down.late = 0

    def _watch(self) -> None:
        """Schedule a start of dead processes."""
        if self._stopped:
            return
        for process in self._servers:
            if not process.alive and not self._restarting.get(process.name):
                self._restarting[process.name] = True
                wait_ns = self._world.between(START_MIN_NS, 3 * SECOND)
                self._world.after(wait_ns, self._restarter(process))
        self._world.after(10 * MILLISECOND, self._watch)

    def _restarter(self, process: SimulatedProcess) -> Callable[[], None]:
        def restart() -> None:
            self._restarting[process.name] = False
            if self._stopped:
                return
            if process is self._matcher and self._world.rng.random() < 0.3:
                self._matcher.disk.die_in(self._world.rng.randrange(12), self._world.rng)
            process.start()

        return restart

    def _strike(self) -> None:
        if self._stopped:
            return
        conditions = self._conditions
        kinds: dict[str, tuple[int, Callable[[], None]]] = {
            "kill": (4, self._kill),
            "arm": (5, self._arm),
            "stall": (2, self._stall),
            "cut": (3, self._cut),
            "swallow": (2, self._swallow),
            "die in disk": (3, self._die_in_disk),
            "power": (3 * conditions.power_losses, self._lose_power),
            "disk": (3 * conditions.disk_failures, self._fail_disk),
            "clock": (2 * conditions.clock_steps, self._step_clock),
        }
        weights = [weight for weight, _ in kinds.values()]
        kind = self._world.rng.choices(list(kinds), weights)[0]
        self._world.trace("fault", kind)
        kinds[kind][1]()

    def _kill(self) -> None:
        self._world.rng.choice(self._servers).kill("killed")

    def _arm(self) -> None:
        self._world.rng.choice(self._servers).dies_in = self._world.rng.randint(1, 40)

    def _stall(self) -> None:
        process = self._world.rng.choice(self._servers)
        process.stall(self._world.between(10 * MILLISECOND, 4 * SECOND))

    def _cut(self) -> None:
        rng = self._world.rng
        for _ in range(rng.randint(1, 6)):
            self._network.disconnect(rng.choice(self._network.plugs))

    def _swallow(self) -> None:
        plug = self._world.rng.choice(self._network.plugs)
        self._network.swallow(plug, self._world.between(10 * MILLISECOND, 4 * SECOND))

    def _die_in_disk(self) -> None:
        if self._matcher.alive:
            self._matcher.disk.die_in(self._world.rng.randrange(30), self._world.rng)

    def _fail_disk(self) -> None:
        rng = self._world.rng
        operation = rng.choice(_OPERATIONS)
        error = rng.choice((errno.EIO, errno.ENOSPC)) if operation != "read" else errno.EIO
        self._matcher.failing = True
        self._matcher.disk.fail(operation, error, rng.randrange(10))
        if operation == "sync" and self._conditions.power_losses and rng.random() < 0.7:
            # The effect of a failed sync shows only after a later loss of power.
            self._world.after(self._world.between(SECOND // 2, 6 * SECOND), self._lose_power)

    def _lose_power(self) -> None:
        if not self._stopped:
            self._matcher.lose_power()

    def _step_clock(self) -> None:
        rng = self._world.rng
        if rng.random() < 0.3:
            self._leap()
            return
        process = rng.choice(self._servers)
        step_ns = self._world.between(MILLISECOND, 3_600 * SECOND)
        if rng.random() < 0.5 and process.name != "publisher":
            # A publisher that starts on a clock set back would use topic numbers again.
            step_ns = -step_ns
        process.clock.offset_ns += step_ns

    def _leap(self) -> None:
        """Set the matcher's clock years ahead for a while."""
        years_ns = self._world.rng.choice((1, 10)) * 365 * DAY
        self._matcher.clock.offset_ns += years_ns
        self._ahead_ns += years_ns

        def back() -> None:
            if not self._stopped:
                self._matcher.clock.offset_ns -= years_ns
                self._ahead_ns -= years_ns

        self._world.after(self._world.between(MILLISECOND, 4 * SECOND), back)
