"""Order entry from inside this process: the sessions of HTTP and WebSocket clients. No I/O.

They are in the same session table as those of ZeroMQ clients and use the same desk; only their
replies go to a function instead of a socket.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from crossbook.common.messages.entry import (
    Ack,
    Amend,
    Balances,
    Cancel,
    CancelAfter,
    CatchUp,
    Execution,
    MassCancel,
    New,
    OpenOrders,
    Query,
    QueryBalances,
    Reject,
    Reply,
)
from crossbook.common.shards import shard_of
from crossbook.common.types import RejectReason
from crossbook.gateway.orders.front_desk import BatchFollower, FrontDesk
from crossbook.gateway.orders.session import OrderSession

LOCAL_PREFIX: Final = b"\0local"
"""How the address of a local session begins. A ZeroMQ client cannot have such a routing id: those
it chooses may not begin with a zero byte, those it is given are five bytes long."""

ACCOUNTS_MAX: Final = 10_000
"""Most accounts with a session for single requests; the longest idle one makes room."""

LocalRequest = New | Cancel | Amend | MassCancel | CancelAfter | Query | QueryBalances
"""A request of a local client; `submit` sets its `request_seq`."""

Deliver = Callable[[Sequence[Reply]], None]
"""Receives the replies of one session, all of those of a command in one call."""


class LocalAnswer(Struct, gc=False):
    """The one answer to a request, and the executions it caused at once, in order."""

    reply: Ack | Reject | OpenOrders | Balances
    executions: list[Execution]


class _WaitingRequest:
    """A request without its answer."""

    __slots__ = ("account", "done", "executions", "reply")

    def __init__(self, account: int, done: Callable[[LocalAnswer], None]) -> None:
        self.account = account
        self.done = done
        self.reply: Ack | Reject | OpenOrders | Balances | None = None
        self.executions: list[Execution] = []


class LocalSessions:
    """Sends the requests of accounts to the desk, and each answer to the caller of the request.

    `wake` is called when the desk has something to send. The desk bounds the requests: past its
    limits the answer is `BUSY`.
    """

    def __init__(self, desk: FrontDesk, wake: Callable[[], None]) -> None:
        self._desk = desk
        self._wake = wake
        self._by_account: dict[int, OrderSession] = {}
        self._deliveries: dict[bytes, Deliver] = {}
        self._waiting: dict[int, _WaitingRequest] = {}
        self._seqs: dict[bytes, dict[int, int]] = {}
        self._request_seq = 0
        self._opened = 0

    @property
    def is_accepting(self) -> bool:
        """Whether commands are accepted now."""
        return self._desk.is_accepting

    @property
    def seq(self) -> int:
        """The last number that this gateway received; where there are several shards, from the
        first one."""
        return self._desk.seq_of(0)

    @property
    def seqs(self) -> list[int]:
        """The last number that this gateway received from each shard."""
        return self._desk.seqs

    @property
    def times_ns(self) -> list[int]:
        """The time of the last batch or heartbeat of each shard's matcher."""
        return self._desk.times_ns

    def follow(self, follower: BatchFollower) -> None:
        """Have `follower` receive the events of every matcher from now on."""
        self._desk.followers.append(follower)

    def home_of(self, symbol: str) -> int:
        """The shard an instrument is traded on; the first for an unknown one."""
        return self._desk.home_of(symbol)

    def submit(
        self, account: int, request: LocalRequest, done: Callable[[LocalAnswer], None]
    ) -> int:
        """Send a request of `account`, whose answer `done` gets; return its request_seq.

        The answer may come before this returns.
        """
        self._request_seq += 1
        request_seq = self._request_seq
        session = self._session(account)
        if session is None:
            text = f"requests of {ACCOUNTS_MAX} accounts wait for an answer"
            done(LocalAnswer(Reject(request_seq, RejectReason.BUSY, "", text), []))
            return request_seq
        self._waiting[request_seq] = _WaitingRequest(account, done)
        self._desk.receive_request(session, replace(request, request_seq=request_seq))
        self._wake()
        return request_seq

    def seq_of(self, account: int, shard: int = 0) -> int:
        """The last number of a shard in the replies to an account; before its first request, the
        last number that this gateway received from the shard. Zero for nobody (account zero), who
        has received nothing that a record would have to contain."""
        session = self._by_account.get(account)
        if session is None:
            return self._desk.seq_of(shard) if account else 0
        return self._seqs.get(session.identity, {}).get(shard, 0)

    def give_up(self, request_seq: int) -> None:
        """Drop the answer to a request: its caller has stopped waiting."""
        self._waiting.pop(request_seq, None)

    def open(
        self, account: int, deliver: Deliver, cancel_on_disconnect: bool = False
    ) -> OrderSession | None:
        """Open a session for a client that receives executions; None when there are too many
        (`why_full`).

        With `cancel_on_disconnect` the account's open orders are canceled when its last connection
        is gone.
        """
        session = self._desk.sessions.open(account, self._identity(), cancel_on_disconnect)
        if session is not None:
            self._deliveries[session.identity] = deliver
        return session

    def why_full(self, account: int) -> str:
        """Why `open` gave no session."""
        return self._desk.sessions.why_full(account)

    def send(self, session: OrderSession, request: LocalRequest | CatchUp) -> None:
        """Send a request of a session that `open` gave, with a `request_seq` of the client's."""
        self._desk.enter(session, (request,))
        self._wake()

    def close(self, session: OrderSession) -> None:
        """Close a session that `open` gave."""
        self._deliveries.pop(session.identity, None)
        self._desk.sessions.close_address(session.identity)

    def deliver(self, identity: bytes, replies: Sequence[Reply]) -> None:
        """Deliver the replies to a local address."""
        deliver = self._deliveries.get(identity)
        if deliver is not None:
            if replies:
                deliver(replies)
            return
        answered: list[int] = []
        for reply in replies:
            if isinstance(reply, Ack | Execution):
                self._seqs.setdefault(identity, {})[shard_of(reply.seq)] = reply.seq
            waiting = self._waiting.get(reply.request_seq) if reply.request_seq else None
            if waiting is None:
                continue
            if isinstance(reply, Execution):
                waiting.executions.append(reply)
            elif isinstance(reply, Ack | Reject | OpenOrders | Balances):
                waiting.reply = reply
                answered.append(reply.request_seq)
        for request_seq in answered:
            waiting = self._waiting.pop(request_seq, None)
            if waiting is not None and waiting.reply is not None:
                waiting.done(LocalAnswer(waiting.reply, waiting.executions))

    def _session(self, account: int) -> OrderSession | None:
        """The session for single requests of an account; None when there is no room for one."""
        session = self._by_account.pop(account, None)
        if session is None:
            if len(self._by_account) >= ACCOUNTS_MAX and not self._forget_one():
                return None
            session = self._desk.sessions.open_standing(account, self._identity())
        # A dict keeps the order of entry: the first one is the longest idle.
        self._by_account[account] = session
        return session

    def _forget_one(self) -> bool:
        """Close the longest idle session for single requests; false when none is idle."""
        busy = {waiting.account for waiting in self._waiting.values()}
        for account, session in self._by_account.items():
            if account not in busy:
                del self._by_account[account]
                self._seqs.pop(session.identity, None)
                self._desk.sessions.close_address(session.identity)
                return True
        return False

    def _identity(self) -> bytes:
        """An address for a new session."""
        self._opened += 1
        return LOCAL_PREFIX + self._opened.to_bytes(8, "big")
