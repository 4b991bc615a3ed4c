"""Desk, link and a real engine on one thread, over a network that may lose, double and delay.

Time advances by `step`. Messages on their way are in `wires`; each wire keeps its order, as one
connection does, unless it is set to reorder.
"""

from collections.abc import Callable, Iterable
from random import Random

from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_events, decode_matcher_query, encode
from crossbook.common.messages.entry import (
    Ack,
    Balance,
    CaughtUp,
    Execution,
    Logon,
    New,
    Reject,
    Reply,
    Request,
    Welcome,
)
from crossbook.common.messages.events import Event, EventBatch
from crossbook.common.messages.matcher_queries import (
    AccountBalances,
    BalancesRequest,
    GatewayRequest,
    GatewayState,
    KeyPage,
    KeysRequest,
    Orders,
    OrdersRequest,
    Resend,
    ResendRequest,
    ResendTooOld,
)
from crossbook.common.shards import base_of
from crossbook.common.types import Side
from crossbook.gateway.keys.key_follower import KeyFollower
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.gateway.orders.desk import OrderDesk
from crossbook.gateway.orders.matcher_link import MatcherLink
from crossbook.gateway.orders.session import SessionTable
from crossbook.matcher.batch import apply_batch
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.engine.keys import keys_page
from tests.worlds.desk_world import GATEWAY, INSTRUMENTS

STEP_NS = 20_000_000
HEARTBEAT_STEPS = 5
SECOND_STEPS = 1_000_000_000 // STEP_NS

ANN, BOB, EVE = b"ann", b"bob", b"eve"
SYMBOL = "BTC-USDT"


class NetworkFaults:
    """Chances, per message, of the faults of a network and its processes."""

    def __init__(self, lose: float = 0, double: float = 0, delay: float = 0) -> None:
        self.lose = lose
        self.double = double
        self.delay = delay
        self.reorder = False


class Wire:
    """Messages in one direction of one connection that have not arrived yet."""

    def __init__(self, rng: Random, faults: NetworkFaults) -> None:
        self._rng = rng
        self._faults = faults
        self.messages: list[bytes] = []

    def put(self, message: bytes) -> None:
        """Send a message, which may be lost or doubled."""
        rng, faults = self._rng, self._faults
        if rng.random() >= faults.lose:
            self.messages += [message] * (2 if rng.random() < faults.double else 1)

    def arrived(self) -> list[bytes]:
        """The messages that arrive now; the rest arrives later."""
        rng, faults = self._rng, self._faults
        if faults.reorder:
            rng.shuffle(self.messages)
        count = len(self.messages)
        while count and rng.random() < faults.delay:
            count -= 1
        arrived, self.messages = self.messages[:count], self.messages[count:]
        return arrived


class EngineMatcher:
    """The real engine, numbering one incarnation; `batches` is its journal from `first_held` on."""

    def __init__(
        self, incarnation: int = 1, shard: int = 0, instruments: Iterable[Instrument] = INSTRUMENTS
    ) -> None:
        self.incarnation = incarnation
        self.engine = Engine(instruments)
        self.engine.seq = base_of(shard)
        self.batches: list[bytes] = []
        self.first_held = base_of(shard) + 1
        self.resend_bytes = 4_000

    @property
    def events(self) -> list[Event]:
        """All events so far."""
        return [event for batch in self.batches for event in decode_events(batch).events]

    def apply(self, payloads: list[bytes], now_ns: int) -> bytes:
        """The batch of these payloads; empty when no command was applied."""
        encoded = apply_batch(self.engine, self.incarnation, payloads, now_ns).encoded
        if encoded:
            self.batches.append(encoded)
        return encoded

    def heartbeat(self, now_ns: int) -> bytes:
        """A heartbeat with the last number."""
        seq = self.engine.seq
        return encode(
            EventBatch(
                incarnation=self.incarnation,
                first_seq=seq + 1,
                last_seq=seq,
                time_ns=now_ns,
                events=[],
            )
        )

    def answer(self, payload: bytes) -> bytes:
        """The answer to a request of the gateway."""
        request = decode_matcher_query(payload)
        engine = self.engine
        if isinstance(request, GatewayRequest):
            last = engine.last_request.get(request.gateway, 0)
            return encode(
                GatewayState(
                    request_id=request.request_id,
                    gateway=request.gateway,
                    incarnation=self.incarnation,
                    seq=engine.seq,
                    last_request_seq=last,
                )
            )
        if isinstance(request, ResendRequest):
            return self._resend(request)
        if isinstance(request, OrdersRequest):
            found = engine.open_orders(
                request.account, request.instrument, request.order_id, request.client_order_id,
                request.after_order_id, request.limit,
            )  # fmt: skip
            return encode(Orders(request.request_id, engine.seq, *found))
        if isinstance(request, KeysRequest):
            keys, more = keys_page(engine, request.after_key_id)
            return encode(
                KeyPage(
                    request_id=request.request_id,
                    incarnation=self.incarnation,
                    changed_seq=engine.keys_seq,
                    keys=keys,
                    more=more,
                )
            )
        assert isinstance(request, BalancesRequest), request
        balances = [Balance("BTC", 5, 1), Balance(f"X{self.incarnation}", 2, 0)]
        return encode(AccountBalances(request.request_id, engine.seq, balances))

    def _resend(self, request: ResendRequest) -> bytes:
        found: list[bytes] = []
        size = 0
        for payload in self.batches:
            batch = decode_events(payload)
            if batch.last_seq >= request.from_seq and batch.last_seq >= self.first_held:
                size += len(payload)
                if found and size > self.resend_bytes:
                    break
                found.append(payload)
        served = found and decode_events(found[0]).first_seq <= request.from_seq
        if request.incarnation != self.incarnation or not served:
            seq = self.engine.seq
            return encode(
                ResendTooOld(
                    request_id=request.request_id,
                    incarnation=self.incarnation,
                    first_seq=self.first_held,
                    last_seq=seq,
                )
            )
        # Joined by hand: an encoded list of batches that are encoded already.
        head = encode(Resend(request.request_id, self.incarnation, []))
        return head[:-1] + bytes([0xDC]) + len(found).to_bytes(2, "big") + b"".join(found)


class LinkWorld:
    """One gateway and one matcher; `received` has all replies to the clients."""

    def __init__(
        self,
        seed: int = 0,
        faults: NetworkFaults | None = None,
        queue_size: int = 100_000,
        with_keys: bool = False,
    ) -> None:
        self.rng = Random(seed)
        self.faults = faults or NetworkFaults()
        self.now_ns = 0
        self.steps = 0
        self.matcher: EngineMatcher | None = EngineMatcher()
        self.received: dict[bytes, list[Reply]] = {}
        self.frames: list[int] = []
        self.notices: list[str] = []
        self._queue_size = queue_size
        self._with_keys = with_keys
        self.commands = Wire(self.rng, self.faults)
        self._tokens = iter(range(1001, 100_000))
        self.start_gateway()

    def start_gateway(self) -> None:
        """Start a gateway process without memory.

        Messages to or from the last one are lost, except for commands, which may still arrive.
        """
        sessions = SessionTable(1_000, lambda: next(self._tokens))
        self.desk = OrderDesk(INSTRUMENTS, GATEWAY, self._queue_size, sessions)
        self.keys = KeyTable()
        follower = KeyFollower(self.keys) if self._with_keys else None
        self.link = MatcherLink(self.desk, GATEWAY, 0, keys=follower)
        self.events = Wire(self.rng, self.faults)
        self.questions = Wire(self.rng, self.faults)
        self.answers = Wire(self.rng, self.faults)

    def kill_matcher(self) -> EngineMatcher:
        """End the matcher; all messages on their way are lost. Return its state."""
        assert self.matcher is not None
        dead, self.matcher = self.matcher, None
        for wire in (self.commands, self.events, self.questions, self.answers):
            wire.messages.clear()
        return dead

    def log_on(self, identity: bytes, account: int) -> int:
        """The token of a new session."""
        self.send(identity, 0, Logon(1, account))
        self.deliver()
        welcome = self.received[identity][-1]
        assert isinstance(welcome, Welcome), welcome
        return welcome.token

    def send(self, identity: bytes, token: int, *requests: Request) -> None:
        """Deliver a client's frame to the gateway."""
        self.desk.receive_frame(identity, token.to_bytes(8, "big") + encode(list(requests)))

    def deliver(self) -> None:
        """Send the gateway's commands and requests."""
        self.link.send(self._sender(self.commands), self._sender(self.questions), self.now_ns)
        for identity, replies in self.desk.collect_replies().items():
            self.received.setdefault(identity, []).extend(replies)
            self.frames.append(len(replies))
        self.notices += [event for event, _ in self.link.collect_notices()]

    def step(self, steps: int = 1) -> None:
        """Let time pass; every message that arrives is received and answered."""
        for _ in range(steps):
            self.now_ns += STEP_NS
            self.steps += 1
            self._step_matcher()
            for payload in self.events.arrived():
                self.link.receive_events(payload)
            for payload in self.answers.arrived():
                self.link.receive_answer(payload, self.now_ns)
            self.desk.work()
            if self.steps % HEARTBEAT_STEPS == 0:
                self.link.tick(self.now_ns)
            self.deliver()

    def settle(self, steps: int = 1_500) -> None:
        """End all faults of the network, and run until every command has ended."""
        self.faults.lose = self.faults.double = self.faults.delay = 0
        self.faults.reorder = False
        self.step(steps)

    def _step_matcher(self) -> None:
        matcher = self.matcher
        if matcher is None:
            return
        batch = matcher.apply(self.commands.arrived(), self.now_ns)
        if batch:
            self.events.put(batch)
        if self.steps % HEARTBEAT_STEPS == 0:
            self.events.put(matcher.heartbeat(self.now_ns))
        for question in self.questions.arrived():
            self.answers.put(matcher.answer(question))

    def _sender(self, wire: Wire) -> Callable[[bytes], bool]:
        def send(message: bytes) -> bool:
            if self.matcher is None:
                return False
            wire.put(message)
            return True

        return send


def order(seq: int, name: str = "", side: int = Side.SELL, price: int = 5_000_000) -> New:
    return New(
        request_seq=seq, symbol=SYMBOL, side=side, quantity=1_000, price=price, client_order_id=name
    )


def ready(seed: int = 0, faults: NetworkFaults | None = None) -> tuple[LinkWorld, int]:
    """A world whose link is up, and the token of a session of account 7 at `ANN`."""
    world = LinkWorld(seed, faults)
    world.step(5)
    return world, world.log_on(ANN, 7)


def answers(world: LinkWorld, identity: bytes = ANN) -> list[Reply]:
    """Drain the replies that answer a command, oldest first."""
    return [reply for reply in world.received.pop(identity, []) if isinstance(reply, Ack | Reject)]


def reasons(replies: list[Reply]) -> list[int]:
    return [reply.reason if isinstance(reply, Reject) else 0 for reply in replies]


def caught_up(world: LinkWorld, identity: bytes = ANN) -> tuple[list[Execution], CaughtUp]:
    replies = world.received.pop(identity)
    ends = [reply for reply in replies if isinstance(reply, CaughtUp)]
    assert len(ends) == 1, replies[-3:]
    return [reply for reply in replies if isinstance(reply, Execution)], ends[0]
