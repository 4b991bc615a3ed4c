"""A simulated process runs in rounds, may stall, and may end at any point of a round."""

from tests.simulation.fake_disk import Died
from tests.simulation.network import Network, Owner
from tests.simulation.world import MICROSECOND, MILLISECOND, SimulatedWorld, WallClock, require

ROUND_MAX_NS = 100 * MILLISECOND
"""Longest sleep of any process."""


class SimulatedProcess(Owner):
    """A process that runs rounds over sockets. `boot` makes its parts, `round` uses them once.

    `die_in` arms it: it ends at that point in the future. Points are the places in a round at which
    a kill of the real process has different outcomes.
    """

    def __init__(self, world: SimulatedWorld, network: Network, name: str) -> None:
        self.world = world
        self.network = network
        self.name = name
        self.clock = WallClock(world)
        self.alive = False
        self.starts = 0
        self.dies_in = 0
        self._due_ns = 0
        self._stalled_until_ns = 0

    def boot(self) -> bool:
        """Make the parts anew; false when the process refuses to start."""
        raise NotImplementedError

    def round(self) -> int:
        """Run one round; returns the latest time of the next."""
        raise NotImplementedError

    def ended(self) -> None:
        """Drop the parts of the ended life."""

    def start(self) -> None:
        """Begin a new life, unless it lives."""
        if self.alive:
            return
        self.starts += 1
        self._due_ns = self._stalled_until_ns = 0
        try:
            if not self.boot():
                self.world.trace(self.name, "refused to start")
                self.ended()
                return
        except Died:
            self.world.trace(self.name, "died while starting")
            self.ended()
            return
        self.alive = True
        self.world.trace(self.name, "started")
        self.network.started(self)
        self.wake(self.world.now_ns)

    def kill(self, why: str) -> None:
        """End this life at once."""
        if self.alive:
            self.alive = False
            self.dies_in = 0
            self.world.trace(self.name, f"ended: {why}")
            self.network.ended(self)
            self.ended()

    def stall(self, for_ns: int) -> None:
        """Do nothing for a while."""
        self._stalled_until_ns = self.world.now_ns + for_ns

    @property
    def is_stalled(self) -> bool:
        """Whether it does nothing now."""
        return self.world.now_ns <= self._stalled_until_ns

    def point(self) -> None:
        """End the life here if it is armed for this point."""
        if self.dies_in:
            self.dies_in -= 1
            if not self.dies_in:
                raise Died

    def wake(self, at_ns: int) -> None:
        """Run a round then, or a little later."""
        if not self.alive:
            return
        at_ns = max(at_ns, self.world.now_ns, self._stalled_until_ns)
        if self._due_ns and self._due_ns <= at_ns:
            return
        self._due_ns = at_ns
        life = self.starts
        self.world.at(at_ns, lambda: self._run(life, at_ns))

    def _run(self, life: int, due_ns: int) -> None:
        if not self.alive or life != self.starts or due_ns != self._due_ns:
            return
        if self.world.now_ns < self._stalled_until_ns:
            self._due_ns = 0
            self.wake(self._stalled_until_ns)
            return
        self._due_ns = 0
        try:
            again_ns = self.round()
        except Died:
            self.kill("killed in the middle of a round")
            return
        if self.alive:
            require(again_ns > 0, f"{self.name}: no time of the next round")
            # A round lasts some time, so that messages arriving meanwhile are received together.
            takes_ns = self.world.rng.randrange(10 * MICROSECOND, 200 * MICROSECOND)
            self._due_ns = 0
            self.wake(max(again_ns, self.world.now_ns + takes_ns))
            self._busy_until(self.world.now_ns + takes_ns)

    def _busy_until(self, time_ns: int) -> None:
        self._stalled_until_ns = max(self._stalled_until_ns, time_ns)
