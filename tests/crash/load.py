"""Clients that trade at random, while processes die.

A client sends due requests and receives waiting replies in `step`, never waits, and adds every
message to its history. After a lost session it logs on again, enters unanswered orders again under
their client order ids, and requests the reports that it missed.
"""

import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import zmq
from msgspec.structs import replace

from crossbook.client.market_data import MarketData
from crossbook.common.messages import codec, entry, feed
from crossbook.common.process import sockets
from crossbook.common.types import OrderType, RejectReason, Side, TimeInForce
from crossbook.errors import MarketDataError
from tests.crash.history import ClientHistory, Command, PublicHistory
from tests.system.exchange import Exchange, select_nothing

SYMBOLS = ("BTC-USDT", "ETH-USDT")
MIDDLE_TICKS = 100_000
ACCOUNTS = (1, 1, 2)
"""The account of each client. One account has two sessions, which receive the reports of each
other."""

READY_SECONDS = 15.0
OUTSTANDING_MAX = 64
FRAME_MAX = 8
LOGON_AGAIN_NS = 1_000_000_000
SILENCE_NS = 250_000_000
BUSY_WAIT_NS = 30_000_000
_GTC, _IOC, _FOK = int(TimeInForce.GTC), int(TimeInForce.IOC), int(TimeInForce.FOK)


class LoadClient:
    """A client of one account, with one session after the other.

    With `quiet` it sends no new command. It is `settled` once every command is answered and every
    report received.
    """

    def __init__(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        address: str,
        name: str,
        account: int,
        seed: str,
    ) -> None:
        self._socket = sockets.orders_dealer(context, address)
        self._chance = random.Random(seed)
        self.history = ClientHistory(name, account)
        self.account = account
        self.quiet = False
        self.first_ack_ns = 0
        self._acks_since_ns = 0
        self.busy = 0
        self.pong_seq = 0
        self.latencies_ms: list[float] = []
        self._sent_ns: dict[int, int] = {}
        self._last_request_seq = 0
        self._last_name = 0
        self._token = 0
        self._welcomed_at = 0
        self._sessions = 0
        self._pending: dict[int, Command] = {}
        self._again: deque[tuple[int, Command]] = deque()
        self._known: deque[tuple[int, str, str]] = deque(maxlen=120)
        self._received_seq = 1
        self._behind = True
        self._catch_up = 0
        self._catch_up_at_ns = 0
        self._query = 0
        self._listed: list[entry.OrderState] = []
        self._received_ns = self._logon_ns = self._ping_ns = 0

    @property
    def settled(self) -> bool:
        """Whether every command is answered and every report received."""
        return bool(self._token) and not (self._pending or self._again or self._behind)

    def close(self) -> None:
        """End the session."""
        self._socket.close(linger=0)

    def step(self, now_ns: int, allowance: int) -> int:
        """Receive waiting replies, then send due requests and up to `allowance` new commands;
        returns the number of new commands."""
        self._receive(now_ns)
        if not self._token:
            if now_ns - self._logon_ns >= LOGON_AGAIN_NS:
                self._logon_ns = now_ns
                self._send(now_ns, [entry.Logon(self._next(), self.account)])
            return 0
        if now_ns - max(self._received_ns, self._ping_ns) >= SILENCE_NS:
            self._ping_ns = now_ns
            self._send(now_ns, [entry.Ping(self._next())])
        if self._behind and not self._catch_up and now_ns >= self._catch_up_at_ns:
            self._catch_up = self._next()
            self._send(now_ns, [entry.CatchUp(self._catch_up, self._received_seq)])
        due: list[Command] = []
        while self._again and self._again[0][0] <= now_ns and len(due) < FRAME_MAX:
            due.append(replace(self._again.popleft()[1], request_seq=self._next()))
        new = 0
        room = OUTSTANDING_MAX - len(self._pending) - len(due)
        if not self.quiet:
            new = max(0, min(allowance, FRAME_MAX - len(due), room))
            due += [self._random_command() for _ in range(new)]
        if due:
            self._pending.update((request.request_seq, request) for request in due)
            self._send(now_ns, due)
        return new

    def await_ack(self) -> None:
        """Reset `first_ack_ns` to zero. It is set by the first acknowledgement of a command applied
        after this instant; earlier answers may still be on their way."""
        self.first_ack_ns = 0
        self._acks_since_ns = time.time_ns()

    def measure_anew(self) -> None:
        """Begin `latencies_ms` with the commands from now on."""
        self.latencies_ms.clear()
        self._sent_ns.clear()

    def ping(self) -> None:
        """Request the number up to which this client has received everything: see `pong_seq`."""
        self._send(time.monotonic_ns(), [entry.Ping(self._next())])

    def request_open_orders(self) -> None:
        """Begin listing the open orders; `history.open_orders` has them once complete."""
        self.history.open_orders = None
        self._listed = []
        self._query = self._next()
        self._send(time.monotonic_ns(), [entry.Query(self._query)])

    def _next(self) -> int:
        self._last_request_seq += 1
        return self._last_request_seq

    def _send(self, now_ns: int, requests: list[Any]) -> None:
        for request in requests:
            self.history.add(now_ns, self._sessions, request)
            self._sent_ns[request.request_seq] = now_ns
        body = codec.encode(requests[0] if len(requests) == 1 else requests)
        self._socket.send(self._token.to_bytes(entry.TOKEN_BYTES, "big") + body, zmq.NOBLOCK)

    def _receive(self, now_ns: int) -> None:
        while True:
            try:
                frame = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._received_ns = now_ns
            for reply in codec.decode_replies(frame):
                if isinstance(reply, entry.Welcome):
                    self._welcomed(reply)
                self.history.add(now_ns, self._sessions, reply)
                self._apply(reply, now_ns)

    def _welcomed(self, welcome: entry.Welcome) -> None:
        """Begin a session, or continue with a hole: requests without an answer may never get
        one."""
        self._sessions += 1
        self._token = welcome.token
        self._welcomed_at = self._last_request_seq
        self._behind, self._catch_up = True, 0
        lost, self._pending = self._pending, {}
        self._sent_ns.clear()
        self._again.extend((0, command) for command in lost.values()
                           if isinstance(command, entry.New))  # fmt: skip

    def _apply(self, reply: Any, now_ns: int) -> None:
        command = None
        if not isinstance(reply, entry.Execution):
            command = self._pending.pop(reply.request_seq, None)
            sent_ns = self._sent_ns.pop(reply.request_seq, None)
            if isinstance(reply, entry.Ack) and sent_ns is not None:
                self.latencies_ms.append((now_ns - sent_ns) / 1e6)
        if isinstance(reply, entry.Execution):
            self._advance(reply.seq)
        elif isinstance(reply, entry.Ack):
            if not self.first_ack_ns and reply.time_ns > self._acks_since_ns:
                self.first_ack_ns = now_ns
            self._advance(reply.seq)
            if isinstance(command, entry.New):
                self._known.append((reply.order_id, command.symbol, command.client_order_id))
        elif isinstance(reply, entry.Reject):
            self._refused(reply, command, now_ns)
        elif isinstance(reply, entry.CaughtUp) and reply.request_seq == self._catch_up:
            self._behind, self._catch_up = False, 0
            self._received_seq = max(self._received_seq, reply.to_seq)
        elif isinstance(reply, entry.Pong):
            self.pong_seq = reply.seq
        elif isinstance(reply, entry.OpenOrders) and reply.request_seq == self._query:
            self._apply_page(reply, now_ns)

    def _apply_page(self, page: entry.OpenOrders, now_ns: int) -> None:
        self._listed += page.orders
        if page.more:
            self._query = self._next()
            last = page.orders[-1].order_id
            self._send(now_ns, [entry.Query(self._query, after_order_id=last)])
        else:
            self.history.open_orders = self._listed

    def _advance(self, seq: int) -> None:
        # While the client is behind, a new report does not fill the hole before it.
        if not self._behind:
            self._received_seq = max(self._received_seq, seq)

    def _refused(self, reject: entry.Reject, command: Command | None, now_ns: int) -> None:
        if reject.reason == RejectReason.NOT_LOGGED_ON:
            # Of requests sent under an earlier token it is no news.
            if reject.request_seq > self._welcomed_at:
                self._token = 0
        elif reject.reason == RejectReason.BUSY:
            self.busy += command is not None
            if reject.request_seq == self._catch_up:
                self._catch_up, self._catch_up_at_ns = 0, now_ns + BUSY_WAIT_NS
            elif reject.request_seq == self._query:
                self._query = self._next()
                self._listed = []
                self._send(now_ns, [entry.Query(self._query)])
        else:
            return
        if command is not None:
            self._again.append((now_ns + BUSY_WAIT_NS, command))

    def _random_command(self) -> Command:
        """A command that is often sound: it crosses, rests, cancels, amends, or names no open
        order."""
        chance, kind, seq = self._chance, self._chance.random(), self._next()
        if kind < 0.72 or not self._known:
            return self._random_order(seq)
        if kind > 0.996:
            return entry.MassCancel(seq, chance.choice(SYMBOLS), chance.choice((0, 1, 2)))
        order_id, symbol, name = chance.choice(self._known)
        if kind < 0.87:
            by_name = chance.random() < 0.3
            return entry.Cancel(
                request_seq=seq,
                symbol=symbol,
                order_id=0 if by_name else order_id,
                client_order_id=name if by_name else "",
            )
        price = chance.choice((0, 0, MIDDLE_TICKS + chance.randrange(-8, 9)))
        return entry.Amend(
            request_seq=seq,
            symbol=symbol,
            order_id=order_id,
            client_order_id="",
            quantity=chance.randrange(1_000, 30_000),
            price=price,
        )

    def _random_order(self, seq: int) -> entry.New:
        chance = self._chance
        self._last_name += 1
        name = f"{self.history.name}-{self._last_name:010d}-{'x' * 14}"
        symbol, side = chance.choice(SYMBOLS), chance.choice((Side.BUY, Side.SELL))
        kind = chance.random()
        if kind < 0.03:
            return entry.New(
                request_seq=seq,
                symbol=symbol,
                side=side,
                quantity=chance.randrange(1_000, 9_000),
                price=0,
                order_type=OrderType.MARKET,
                time_in_force=_IOC,
                client_order_id=name,
            )
        if kind < 0.06:
            amount = chance.randrange(10**9, 10**10)
            return entry.New(
                request_seq=seq,
                symbol=symbol,
                side=side,
                quantity=0,
                price=0,
                order_type=OrderType.MARKET,
                time_in_force=_IOC,
                client_order_id=name,
                quote_amount=amount,
            )
        away = chance.randrange(-3, 8)
        price = MIDDLE_TICKS + (away if side == Side.SELL else -away)
        time_in_force = chance.choices((_GTC, _IOC, _FOK), (85, 12, 3))[0]
        lots = chance.randrange(1_000, 20_000)
        return entry.New(
            request_seq=seq,
            symbol=symbol,
            side=side,
            quantity=lots,
            price=price,
            order_type=OrderType.LIMIT,
            time_in_force=time_in_force,
            client_order_id=name,
        )


class CrashLoad:
    """All clients and one subscriber of the public feed, on one thread.

    `rate` is the number of new commands a second, over all clients. Each of the `companions` is
    called at every step.
    """

    def __init__(self, exchange: Exchange, seed: int, rate: float = 1_500.0) -> None:
        self.rate = rate
        self._exchange = exchange
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.clients = [
            LoadClient(self._context, exchange.orders, f"c{number}", account, f"{seed}/{number}")
            for number, account in enumerate(ACCOUNTS)
        ]
        self.market = MarketData(
            exchange.feed, exchange.snapshots, SYMBOLS, ("trade", "l3"), self._context
        )
        try:
            # Trades from before the subscriber began are no loss.
            self.market.wait_ready(READY_SECONDS)
        except MarketDataError:
            self.close()
            raise
        self.public = PublicHistory({})
        self.received_public_ns = 0
        self.companions: list[Callable[[], None]] = []
        self._allowance = 0.0
        self._turn = 0
        self._last_ns = time.monotonic_ns()

    def close(self) -> None:
        """Close every connection."""
        for client in self.clients:
            client.close()
        self.market.close()
        self._context.destroy(linger=0)

    def step(self) -> None:
        """Run one step of every client."""
        now_ns = time.monotonic_ns()
        self._allowance = min(
            self._allowance + (now_ns - self._last_ns) * 1e-9 * self.rate, 0.1 * self.rate
        )
        self._last_ns = now_ns
        # The first client changes, so that all get commands even where a step allows only one.
        self._turn = (self._turn + 1) % len(self.clients)
        for client in self.clients[self._turn :] + self.clients[: self._turn]:
            share = int(self._allowance / len(self.clients)) + 1
            self._allowance -= client.step(now_ns, min(share, int(self._allowance)))
        self._receive_public()
        for companion in self.companions:
            companion()
        # Yields the processor to the processes under load.
        select_nothing(0.001)

    def last_trade_id(self, symbol: str) -> int:
        """The last trade received of the public feed, zero before any."""
        trades = self.public.trades.get(symbol)
        return trades[-1].trade_id if trades else 0

    def settled(self) -> bool:
        """Whether all clients are settled and the subscriber misses no trade."""
        return all(client.settled for client in self.clients)

    def _receive_public(self) -> None:
        try:
            updates = self.market.poll(0.0)
        except MarketDataError:
            return
        for update in updates:
            if isinstance(update, feed.Trades):
                self.public.trades.setdefault(update.symbol, []).extend(update.trades)
            self.received_public_ns = time.monotonic_ns()
