"""One gateway before two matchers, on one thread. A matcher may end and start again."""

from collections.abc import Callable

from crossbook.common.messages.codec import encode
from crossbook.common.messages.entry import Logon, Reply, Request, Welcome
from crossbook.gateway.orders.desk import OrderDesk
from crossbook.gateway.orders.matcher_link import MatcherLink
from crossbook.gateway.orders.outbox import Outbox
from crossbook.gateway.orders.session import SessionTable
from crossbook.gateway.orders.sharded_desk import ShardedDesk
from tests.worlds.desk_world import GATEWAY, INSTRUMENTS
from tests.worlds.link_world import HEARTBEAT_STEPS, STEP_NS, EngineMatcher

SHARDS = 2
ASSIGNMENT = {instrument.id: instrument.id % SHARDS for instrument in INSTRUMENTS}


class WorldShard:
    """One matcher, which may be away, with a desk and a link to it."""

    def __init__(self, number: int, sessions: SessionTable, outbox: Outbox) -> None:
        own = [each for each in INSTRUMENTS if ASSIGNMENT[each.id] == number]
        self.number = number
        self.matcher: EngineMatcher | None = EngineMatcher(number + 1, number, own)
        self.desk = OrderDesk(own, GATEWAY, 100, sessions, outbox)
        self.link = MatcherLink(self.desk, GATEWAY, 0, number)
        self.commands: list[bytes] = []
        self.questions: list[bytes] = []

    def step(self, steps: int, now_ns: int) -> None:
        """Deliver the messages on their way, in both directions."""
        matcher = self.matcher
        if matcher is not None:
            commands, self.commands = self.commands, []
            questions, self.questions = self.questions, []
            batch = matcher.apply(commands, now_ns)
            if batch:
                self.link.receive_events(batch)
            if steps % HEARTBEAT_STEPS == 0:
                self.link.receive_events(matcher.heartbeat(now_ns))
            for question in questions:
                self.link.receive_answer(matcher.answer(question), now_ns)
        if steps % HEARTBEAT_STEPS == 0:
            self.link.tick(now_ns)

    def sender(self, line: list[bytes]) -> Callable[[bytes], bool]:
        """Accepts frames while the matcher is there."""

        def send(frame: bytes) -> bool:
            if self.matcher is None:
                return False
            line.append(frame)
            return True

        return send


class ShardedWorld:
    """A gateway and two matchers. `replies_to` sends for a client, and `received` has all its
    replies."""

    def __init__(self) -> None:
        tokens = iter(range(1001, 100_000))
        sessions = SessionTable(10, lambda: next(tokens))
        outbox = Outbox()
        self.shards = [WorldShard(number, sessions, outbox) for number in range(SHARDS)]
        self.desk = ShardedDesk(
            [shard.desk for shard in self.shards], INSTRUMENTS, ASSIGNMENT, GATEWAY
        )
        self.received: dict[bytes, list[Reply]] = {}
        self.now_ns = 0
        self.steps = 0

    def log_on(self, identity: bytes, account: int, leaves: bool = False) -> int:
        """The token of a new session; `leaves` cancels its orders when it is gone."""
        welcome = self.replies_to(identity, 0, Logon(1, account, leaves))[0]
        assert isinstance(welcome, Welcome), welcome
        return welcome.token

    def send(self, identity: bytes, token: int, *requests: Request) -> None:
        """Deliver a client's frame to the gateway."""
        self.desk.receive_frame(identity, token.to_bytes(8, "big") + encode(list(requests)))
        self._deliver()

    def replies_to(self, identity: bytes, token: int, *requests: Request) -> list[Reply]:
        """Send, let the matchers answer, and return the client's replies."""
        self.send(identity, token, *requests)
        self.step(3)
        return self.received.pop(identity, [])

    def step(self, steps: int = 1) -> None:
        """Let time pass."""
        for _ in range(steps):
            self.now_ns += STEP_NS
            self.steps += 1
            for shard in self.shards:
                shard.step(self.steps, self.now_ns)
                shard.desk.work()
                self._deliver()

    def kill(self, number: int) -> EngineMatcher:
        """End a matcher; all messages on their way are lost. Return the content of its disk."""
        shard = self.shards[number]
        assert shard.matcher is not None
        dead, shard.matcher = shard.matcher, None
        shard.commands.clear()
        shard.questions.clear()
        return dead

    def _deliver(self) -> None:
        for shard in self.shards:
            commands, questions = shard.sender(shard.commands), shard.sender(shard.questions)
            shard.link.send(commands, questions, self.now_ns)
        for identity, replies in self.desk.collect_replies().items():
            self.received.setdefault(identity, []).extend(replies)


def ready() -> tuple[ShardedWorld, int]:
    """A world whose matchers are reached, and a session of account 7 at `b"ann"`."""
    world = ShardedWorld()
    world.step(5)
    return world, world.log_on(b"ann", 7)
