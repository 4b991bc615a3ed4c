"""A client: a `crossbook` session without its socket, and a trader that uses it.

There are three kinds: one has a session that recovers, one catches up by itself, and one does
neither. A trader repeats requests that were refused as busy or got no answer, mostly under the same
client order id. Every reply is kept for the checks.
"""

from collections import deque
from typing import Final

from msgspec.structs import replace

from crossbook.client.own_orders import Orders
from crossbook.client.pending import Outcome, Unanswered
from crossbook.client.recovery import Recovery
from crossbook.client.session import OUTSTANDING_MAX, ClientSession
from crossbook.common.messages.codec import decode_replies
from crossbook.common.messages.entry import (
    Ack,
    Amend,
    Cancel,
    CancelAfter,
    CatchUp,
    CaughtUp,
    Execution,
    MassCancel,
    New,
    Ping,
    Pong,
    Query,
    Reject,
    Reply,
    Request,
    Welcome,
)
from crossbook.common.types import OrderType, RejectReason, Side, TimeInForce
from tests.simulation.conditions import INSTRUMENTS
from tests.simulation.gateway_process import GatewayProcess
from tests.simulation.network import Network, Plug
from tests.simulation.process import ROUND_MAX_NS, SimulatedProcess
from tests.simulation.world import (
    EPOCH_NS,
    MICROSECOND,
    MILLISECOND,
    SECOND,
    SimulatedWorld,
    require,
)

_BY_SYMBOL: Final = {each.symbol: each for each in INSTRUMENTS}

DEADLINE_NS: Final = 3 * SECOND
CALLS_MAX: Final = 30
"""Most requests of a trader without an answer."""


class Wish:
    """An aim of the trader, in one or more requests."""

    def __init__(self, request: Request, persistent: bool) -> None:
        self.request = request
        self.persistent = persistent
        self.numbers: list[int] = []
        self.outcomes: list[Outcome] = []
        self.settled = False
        self.due_ns = 0


class Reception:
    """The replies between two welcomes. At a welcome some replies may be missing."""

    def __init__(self) -> None:
        self.replies: list[Ack | Execution] = []


class Trader(SimulatedProcess):
    """One client of one gateway. `recovers` and `catches_up` are its kind.

    `handed_on` has the executions that a recovering session delivered, `base_seq` the number where
    they begin (-1 when unknown). `final` has those of the final catch-up.
    """

    def __init__(
        self,
        world: SimulatedWorld,
        network: Network,
        number: int,
        account: int,
        gateway: GatewayProcess,
    ) -> None:
        super().__init__(world, network, f"trader-{number}")
        self.account = account
        self.recovers = number % 3 == 0
        self.catches_up = number % 3 == 1
        self.base_seq = -1
        self.handed_on: list[Execution] = []
        self.wishes: list[Wish] = []
        self.answers: dict[int, list[Reply]] = {}
        self.wishes_sent: dict[int, Wish] = {}
        self.resolved: dict[int, Outcome] = {}
        self.tokens: list[bytes] = []
        self.receptions: list[Reception] = []
        self.final: dict[int, list[Execution]] = {}
        self.final_complete = True
        self.caught_up_to = 0
        self.finishing = False
        self.welcomed_in_final = False
        self._plug = Plug(network, self, gateway.orders, queues=True)
        self._known: deque[tuple[str, int, str]] = deque(maxlen=40)
        self._unsent: deque[bytes] = deque()
        self._final_from = 0
        self._catching_up = False
        self._recovery: Recovery | None = None
        self.session = ClientSession(account, self.recovers)
        self.orders = Orders(_BY_SYMBOL.get)
        if self.recovers:
            self.session.observer = self.orders

    def boot(self) -> bool:
        """Begin once: clients do not end here, because their messages must not be lost."""
        self.session.open()
        return True

    def round(self) -> int:
        """Do the work of one step of `Client`."""
        session, now_ns = self.session, self.world.now_ns
        session.tick(now_ns)
        self._send()
        frames = self._plug.receive(1_000)
        for frame in frames:
            replies = decode_replies(frame)
            self._keep(replies)
            session.receive_replies(replies, now_ns)
        session.tick(now_ns)
        for number, outcome in session.drain_outcomes():
            self._resolve(number, outcome)
        self.handed_on += session.executions
        session.executions.clear()
        self._see_recovery()
        self._send_again()
        self._send()
        require(session.outstanding <= OUTSTANDING_MAX, f"{self.name}: requests pile up")
        return now_ns + (MICROSECOND if frames else ROUND_MAX_NS)

    def act(self) -> None:
        """Begin a new aim."""
        if self.session.outstanding < CALLS_MAX:
            for _ in range(self.world.rng.choice((1, 1, 1, 2, 5))):
                self._wish_for(self._idea())
            self.wake(self.world.now_ns)

    @property
    def idle(self) -> bool:
        """Whether every aim is reached."""
        session = self.session
        return not (session.outstanding or session.recovering) and all(
            wish.settled or not wish.due_ns for wish in self.wishes
        )

    def begin_final_catch_up(self) -> None:
        """Request everything since the beginning; `final` and `caught_up_to` are the result."""
        if self._catching_up or self.session.recovering:
            return
        self._catching_up = True
        if self.recovers:
            self._recovery = self.session.catch_up(1)
        else:
            self._final_from = self.caught_up_to + 1
            self.final.pop(self._final_from, None)
            self.final[self._final_from] = []
            self._send_wish(Wish(CatchUp(0, self._final_from), persistent=False))
        self.wake(self.world.now_ns)

    def _see_recovery(self) -> None:
        recovery = self._recovery
        if recovery is not None and not recovery.under_way:
            self._recovery = None
            self._catching_up = False
            require(not recovery.given_up, f"{self.name}: the catch-up was given up")
            self.final = {1: recovery.filled}
            self.final_complete = recovery.complete and recovery.same_history
            self.caught_up_to = recovery.next_seq - 1

    def _send(self) -> None:
        self._unsent += self.session.frames(self.world.now_ns)
        while self._unsent and self._plug.send(self._unsent[0]):
            self._unsent.popleft()

    def _idea(self) -> Wish:
        rng = self.world.rng
        kind = rng.choices(
            ("new", "cancel", "amend", "mass", "ask", "deadline"), (60, 15, 15, 1, 4, 1)
        )[0]
        if kind == "ask":
            ideas: list[Request] = [Query(0), Ping(0)]
            if self.catches_up:
                ideas.append(CatchUp(0, max(1, self.caught_up_to + 1 - rng.randrange(50))))
            return Wish(rng.choice(ideas), persistent=False)
        if kind == "deadline":
            return Wish(CancelAfter(0, rng.choice((0, 50, 5_000))), persistent=False)
        if kind == "mass":
            return Wish(MassCancel(0, rng.choice(("", "BTC-USDT"))), persistent=False)
        if kind == "new" or not self._known:
            return self._new()
        symbol, order_id, coid = rng.choice(self._known)
        if coid and rng.random() < 0.3:
            order_id = 0
        else:
            coid = ""
        if kind == "cancel":
            return Wish(
                Cancel(request_seq=0, symbol=symbol, order_id=order_id, client_order_id=coid),
                persistent=False,
            )
        quantity = rng.choice((0, rng.randint(1, 30)))
        price = rng.randint(95, 105) if not quantity or rng.random() < 0.5 else 0
        return Wish(
            Amend(
                request_seq=0,
                symbol=symbol,
                order_id=order_id,
                client_order_id=coid,
                quantity=quantity,
                price=price,
            ),
            persistent=False,
        )

    def _new(self) -> Wish:
        rng = self.world.rng
        symbol = rng.choice(INSTRUMENTS).symbol
        side = int(rng.choice((Side.BUY, Side.SELL)))
        coid = f"{self.name}/{len(self.wishes)}" if rng.random() < 0.8 else ""
        price = rng.randint(90, 103) if side == Side.BUY else rng.randint(97, 110)
        tif = rng.choices((TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK), (80, 10, 10))[0]
        order = New(
            request_seq=0,
            symbol=symbol,
            side=side,
            quantity=rng.randint(1, 30),
            price=price,
            order_type=1,
            time_in_force=int(tif),
            client_order_id=coid,
        )
        if rng.random() < 0.05:
            order = New(
                request_seq=0,
                symbol=symbol,
                side=side,
                quantity=5,
                price=0,
                order_type=int(OrderType.MARKET),
                time_in_force=1,
                client_order_id=coid,
            )
        elif rng.random() < 0.03:
            order = replace(order, price=0, order_type=int(OrderType.MARKET), quantity=0,
                            time_in_force=1, quote_amount=rng.randint(1, 10**6))  # fmt: skip
        elif tif == TimeInForce.GTC and rng.random() < 0.3:
            order = self._special(order)
        order = replace(order, prevention=rng.choice((0, 1, 1, 2, 3)))
        return Wish(order, persistent=bool(coid) and rng.random() < 0.8)

    def _special(self, order: New) -> New:
        """A stop, an iceberg, a post-only order or one that expires."""
        rng = self.world.rng
        kind = rng.randrange(5)
        if kind == 0:
            return replace(order, order_type=int(OrderType.STOP), price=0,
                           stop_price=rng.randint(90, 110))  # fmt: skip
        if kind == 1:
            return replace(order, order_type=int(OrderType.TAKE_PROFIT_LIMIT),
                           stop_price=rng.randint(90, 110))  # fmt: skip
        if kind == 2:
            return replace(order, quantity=rng.randint(10, 60), display_quantity=5)
        if kind == 3:
            return replace(order, post_only=True)
        soon = EPOCH_NS + self.world.now_ns + self.world.between(MILLISECOND, 5 * SECOND)
        return replace(order, time_in_force=int(TimeInForce.GTD), expire_time=soon)

    def _wish_for(self, wish: Wish) -> None:
        self.wishes.append(wish)
        self._send_wish(wish)

    def _send_wish(self, wish: Wish) -> None:
        wish.due_ns = 0
        number = self.session.enqueue([wish.request], self.world.now_ns + DEADLINE_NS)[0]
        wish.numbers.append(number)
        self.wishes_sent[number] = wish

    def _send_again(self) -> None:
        for wish in self.wishes:
            if wish.due_ns and wish.due_ns <= self.world.now_ns and not wish.settled:
                self._send_wish(wish)

    def _resolve(self, number: int, outcome: Outcome) -> None:
        require(number not in self.resolved, f"{self.name}: request {number} resolved twice")
        require(number in self.wishes_sent, f"{self.name}: request {number} was never sent")
        self.resolved[number] = outcome
        wish = self.wishes_sent[number]
        wish.outcomes.append(outcome)
        kind = type(outcome).__name__
        self.world.trace(self.name, f"{number} {type(wish.request).__name__} -> {kind}")
        if isinstance(wish.request, CatchUp):
            self._catching_up = False
            if isinstance(outcome, CaughtUp):
                self.caught_up_to = outcome.to_seq
                self.final_complete &= outcome.complete
            wish.settled = True
        elif isinstance(outcome, Unanswered) or (isinstance(outcome, Reject) and not outcome.seq):
            again = wish.persistent and (
                isinstance(outcome, Unanswered)
                or outcome.reason in (RejectReason.BUSY, RejectReason.OUTCOME_UNKNOWN,
                                      RejectReason.NOT_LOGGED_ON)
            )  # fmt: skip
            wish.settled = not again
            if again:
                rng = self.world.rng
                wish.due_ns = self.world.now_ns + rng.randrange(MILLISECOND, SECOND)
        else:
            wish.settled = True
            if isinstance(outcome, Ack) and isinstance(wish.request, New):
                known = (wish.request.symbol, outcome.order_id, wish.request.client_order_id)
                self._known.append(known)

    def _see_base(self, pong: Pong) -> None:
        """Set the number where the delivered executions begin. A gateway that reported 0 may
        correct it later."""
        reported = any(receptions.replies for receptions in self.receptions)
        if self.base_seq < 0 or not (
            pong.request_seq or self.base_seq or reported or self.session.recovering
        ):
            self.base_seq = pong.seq

    def _keep(self, replies: list[Reply]) -> None:
        """Record the replies, before the session receives them."""
        for reply in replies:
            if isinstance(reply, Welcome):
                self.welcomed_in_final |= self.finishing
                token = reply.token.to_bytes(8, "big")
                if token not in self.tokens:
                    self.tokens.append(token)
                self.receptions.append(Reception())
                continue
            if isinstance(reply, Pong):
                self._see_base(reply)
            if isinstance(reply, Execution):
                if self._catching_up and self.finishing and not self.recovers:
                    self.final[self._final_from].append(reply)
            else:
                self.answers.setdefault(reply.request_seq, []).append(reply)
            if isinstance(reply, Ack | Execution) and not self.finishing:
                require(bool(self.receptions), f"{self.name}: an answer before any welcome")
                self.receptions[-1].replies.append(reply)
