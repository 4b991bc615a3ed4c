"""A network as ZeroMQ's: messages of a connection arrive whole and in order; nothing else is
certain.

A `Port` is a socket that binds, a `Plug` one that connects. Connections come up after a while when
both processes live, and end with either of them or at random; of the messages on their way an
earlier part is then delivered. A port may be `harsh` as well: then single messages are lost,
doubled and overtaken inside a connection, which ZeroMQ does not do and the parts must survive.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any, Final

from tests.simulation.world import MICROSECOND, MILLISECOND, SECOND, SimulatedWorld, require

Frame = Any
_time: Final[Callable[[tuple[int, Frame]], int]] = lambda item: item[0]  # noqa: E731


class Harshness:
    """Chances of loss, doubling and delay of single messages inside a connection."""

    def __init__(self, lost: float = 0.0, doubled: float = 0.0, late: float = 0.0) -> None:
        self.lost = lost
        self.doubled = doubled
        self.late = late


class Pipe:
    """One direction of one connection: the messages sent and their times of arrival."""

    def __init__(
        self, world: SimulatedWorld, wake: Callable[[int], None], capacity: int, harsh: Harshness
    ) -> None:
        self._world = world
        self._wake = wake
        self._capacity = capacity
        self._harsh = harsh
        self._last_ns = 0
        self._delay_ns = world.between(20 * MICROSECOND, MILLISECOND)
        self.frames: deque[tuple[int, Frame]] = deque()
        self.swallows = False

    def send(self, frame: Frame) -> bool:
        """Send a frame; returns whether there was room."""
        if len(self.frames) >= self._capacity:
            return False
        if self.swallows:
            return True
        rng, harsh = self._world.rng, self._harsh
        copies = 1
        if harsh.lost and rng.random() < harsh.lost:
            copies = 0
        elif harsh.doubled and rng.random() < harsh.doubled:
            copies = 2
        for _ in range(copies):
            self._put(frame)
        return True

    def _put(self, frame: Frame) -> None:
        rng = self._world.rng
        wait_ns = int(self._delay_ns * (1 + rng.random()))
        if rng.random() < 0.005:
            wait_ns += self._world.between(MILLISECOND, 300 * MILLISECOND)
        at_ns = self._world.now_ns + wait_ns
        if self._harsh.late and rng.random() < self._harsh.late:
            at_ns += self._world.between(MILLISECOND, SECOND)
            insort(self.frames, (at_ns, frame), key=_time)
        else:
            self._last_ns = at_ns = max(at_ns, self._last_ns)
            insort(self.frames, (at_ns, frame), key=_time)
        self._wake(at_ns)

    def receive(self) -> Frame | None:
        """The next message that has arrived."""
        if self.frames and self.frames[0][0] <= self._world.now_ns:
            return self.frames.popleft()[1]
        return None

    def break_off(self) -> list[Frame]:
        """End the connection; returns the messages that arrived, and perhaps some that had not."""
        arrived = [frame for at_ns, frame in self.frames if at_ns <= self._world.now_ns]
        on_its_way = len(self.frames) - len(arrived)
        if on_its_way and not self.swallows:
            more = self._world.rng.randrange(on_its_way + 1)
            arrived = [frame for _, frame in self.frames][: len(arrived) + more]
        self.frames.clear()
        return arrived


class PortConnection:
    """One plug in one port, under an identity of its own."""

    def __init__(self, world: SimulatedWorld, plug: "Plug", identity: bytes) -> None:
        port = plug.port
        self.identity = identity
        self.plug = plug
        self.up = Pipe(world, port.owner.wake, port.capacity, port.harsh_up)
        self.down = Pipe(world, plug.owner.wake, port.capacity, port.harsh_down)


class Owner:
    """A process behind a socket, as the network uses it."""

    name: str
    alive: bool

    def wake(self, at_ns: int) -> None:
        """Run a round at this time, when a message arrives."""


class Port:
    """A socket that binds; many connections."""

    def __init__(
        self,
        network: "Network",
        owner: Owner,
        name: str,
        capacity: int,
        harsh_up: Harshness | None = None,
        harsh_down: Harshness | None = None,
    ) -> None:
        self.owner = owner
        self.name = name
        self.capacity = capacity
        self.harsh_up = harsh_up or Harshness()
        self.harsh_down = harsh_down or Harshness()
        self.connections: dict[bytes, PortConnection] = {}
        self.dropped = 0
        self._network = network
        self._left: deque[tuple[bytes, Frame]] = deque()
        network.ports.append(self)

    def receive(self, limit: int) -> list[tuple[bytes, Frame]]:
        """At most `limit` messages that have arrived, one of each connection in turn."""
        found = [self._left.popleft() for _ in range(min(limit, len(self._left)))]
        connections = list(self.connections.values())
        while connections and len(found) < limit:
            still = []
            for connection in connections:
                frame = connection.up.receive()
                if frame is not None and len(found) < limit:
                    found.append((connection.identity, frame))
                    still.append(connection)
                elif frame is not None:
                    connection.up.frames.appendleft((0, frame))
            connections = still
        return found

    def send(self, identity: bytes, frame: Frame) -> bool:
        """Send to a peer; False when it is gone or its queue is full."""
        connection = self.connections.get(identity)
        return connection is not None and connection.down.send(frame)

    def publish(self, frame: Frame) -> None:
        """Send to every connection but those whose queue is full."""
        for connection in self.connections.values():
            if not connection.down.send(frame):
                self.dropped += 1

    def leave(self, identity: bytes, frames: list[Frame]) -> None:
        """The messages that an ended connection still delivered."""
        room = self.capacity - len(self._left)
        self._left.extend((identity, frame) for frame in frames[:room])
        if self._left:
            self.owner.wake(self._network.world.now_ns)

    def clear(self) -> None:
        """Drop messages that ended connections left, because the process has ended."""
        self._left.clear()

    def check(self) -> None:
        """Assert that nothing here grows without bound."""
        require(len(self._left) <= self.capacity, f"{self.name}: too much is left over")
        for connection in self.connections.values():
            for pipe in (connection.up, connection.down):
                # A doubled message may be one too many.
                require(len(pipe.frames) <= self.capacity + 1, f"{self.name}: pipe overflows")


class Plug:
    """A socket that connects to one port, again and again.

    One that `queues` keeps messages while there is no connection.
    """

    def __init__(self, network: "Network", owner: Owner, port: Port, queues: bool = False) -> None:
        self.owner = owner
        self.port = port
        self.connection: PortConnection | None = None
        self.connecting = False
        self.connections_made = 0
        self._network = network
        self._queues = queues
        self._unsent: deque[Frame] = deque()
        self._left: deque[Frame] = deque()
        network.plugs.append(self)

    def send(self, frame: Frame) -> bool:
        """Send; whether the message was accepted."""
        if self._queues:
            if len(self._unsent) >= self.port.capacity:
                return False
            self._unsent.append(frame)
            self.flush()
            return True
        return self.connection is not None and self.connection.up.send(frame)

    def flush(self) -> None:
        """Send the kept messages, as far as there is room."""
        connection = self.connection
        while self._unsent and connection is not None and connection.up.send(self._unsent[0]):
            self._unsent.popleft()

    def receive(self, limit: int) -> list[Frame]:
        """At most `limit` messages that have arrived."""
        self.flush()
        found = [self._left.popleft() for _ in range(min(limit, len(self._left)))]
        while self.connection is not None and len(found) < limit:
            frame = self.connection.down.receive()
            if frame is None:
                break
            found.append(frame)
        return found

    def leave(self, frames: list[Frame]) -> None:
        """The messages that an ended connection still delivered."""
        self._left.extend(frames[: self.port.capacity - len(self._left)])
        if self._left:
            self.owner.wake(self._network.world.now_ns)

    def clear(self) -> None:
        """Drop unsent messages and those that ended connections left, because the process has
        ended."""
        self._unsent.clear()
        self._left.clear()

    def check(self) -> None:
        """Assert that nothing here grows without bound."""
        require(len(self._unsent) <= self.port.capacity, f"{self.owner.name}: unsent overflows")
        require(len(self._left) <= self.port.capacity, f"{self.owner.name}: too much is left over")


class Network:
    """All ports and plugs, and the connections between them."""

    def __init__(self, world: SimulatedWorld) -> None:
        self.world = world
        self.ports: list[Port] = []
        self.plugs: list[Plug] = []
        self._identities = count(1)

    def started(self, owner: Owner) -> None:
        """Record the start of a process: its connections will come up."""
        for plug in self.plugs:
            if plug.owner is owner or plug.port.owner is owner:
                self._reconnect(plug)

    def ended(self, owner: Owner) -> None:
        """Record the end of a process, which ends its connections."""
        for plug in self.plugs:
            if plug.owner is owner or plug.port.owner is owner:
                self.disconnect(plug)
            if plug.owner is owner:
                plug.clear()
        for port in self.ports:
            if port.owner is owner:
                port.clear()

    def disconnect(self, plug: Plug) -> None:
        """End the plug's connection, if it has one. Another one comes up after a while."""
        connection, plug.connection = plug.connection, None
        if connection is not None:
            del plug.port.connections[connection.identity]
            if plug.port.owner.alive:
                plug.port.leave(connection.identity, connection.up.break_off())
            if plug.owner.alive:
                plug.leave(connection.down.break_off())
        self._reconnect(plug)

    def swallow(self, plug: Plug, for_ns: int) -> None:
        """Let a connection lose all messages from now on, and end when that is detected."""
        connection = plug.connection
        if connection is None:
            return
        for pipe in (connection.up, connection.down):
            pipe.swallows = True
            while pipe.frames and pipe.frames[-1][0] > self.world.now_ns:
                pipe.frames.pop()

        def notice() -> None:
            if plug.connection is connection:
                self.disconnect(plug)

        self.world.after(for_ns, notice)

    def check(self) -> None:
        """Assert that nothing in the network grows without bound."""
        for port in self.ports:
            port.check()
        for plug in self.plugs:
            plug.check()

    def _reconnect(self, plug: Plug) -> None:
        if plug.connecting or plug.connection is not None:
            return
        plug.connecting = True
        world = self.world
        world.after(
            world.between(100 * MICROSECOND, 200 * MILLISECOND), lambda: self._connect(plug)
        )

    def _connect(self, plug: Plug) -> None:
        plug.connecting = False
        if plug.connection is not None or not (plug.owner.alive and plug.port.owner.alive):
            return
        identity = next(self._identities).to_bytes(5, "big")
        connection = PortConnection(self.world, plug, identity)
        plug.connection = plug.port.connections[identity] = connection
        plug.connections_made += 1
        plug.flush()
        plug.owner.wake(self.world.now_ns)
