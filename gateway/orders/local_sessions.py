"""Order entry from inside this process: the sessions behind HTTP and WebSocket clients.

They stand in the same session table as those of ZeroMQ clients and go through the same desk; only
their replies are handed to a function instead of a socket. No I/O.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from crossbook.common.instruments import Instrument
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
from crossbook.gateway.orders.front_desk import FrontDesk
from crossbook.gateway.orders.session import Session

LOCAL_PREFIX: Final = b"\0local"
"""How the address of a local session begins. A ZeroMQ client cannot have such a routing id: those
it chooses may not begin with a zero byte, those it is given are five bytes long."""

ACCOUNTS_MAX: Final = 10_000
"""Most accounts whose sessions stand for single requests; the longest idle one goes."""

Asked = New | Cancel | Amend | MassCancel | CancelAfter | Query | QueryBalances
"""What can be asked here; `request_seq` is set by `ask`."""

Hear = Callable[[Sequence[Reply]], None]
"""Hears the replies of one session, all of those of a command in one call."""


class Answer(Struct, gc=False):
    """The one answer to a request, and the executions it caused at once, in order."""

    reply: Ack | Reject | OpenOrders | Balances
    executions: list[Execution]


class _Waiting:
    """A request without its answer."""

    __slots__ = ("account", "done", "executions", "reply")

    def __init__(self, account: int, done: Callable[[Answer], None]) -> None:
        self.account = account
        self.done = done
        self.reply: Ack | Reject | OpenOrders | Balances | None = None
        self.executions: list[Execution] = []


class LocalSessions:
    """Asks the desk in the name of accounts and hands every answer to who asked.

    `wake` is called when the desk has something to send. Requests are bounded by the desk: past
    its limits the answer is `BUSY`.
    """

    def __init__(self, desk: FrontDesk, wake: Callable[[], None]) -> None:
        self._desk = desk
        self._wake = wake
        self._by_account: dict[int, Session] = {}
        self._listeners: dict[bytes, Hear] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._told: dict[bytes, dict[int, int]] = {}
        self._request_seq = 0
        self._opened = 0

    @property
    def taking(self) -> bool:
        """Whether commands are taken now."""
        return self._desk.taking

    @property
    def seq(self) -> int:
        """The last number this gateway heard of, of the first shard where there are several."""
        return self._desk.seq_of(0)

    @property
    def seqs(self) -> list[int]:
        """The last number this gateway heard of, of every shard."""
        return self._desk.seqs

    def home_of(self, symbol: str) -> int:
        """The shard an instrument is traded on; the first where nobody knows it."""
        return self._desk.home_of(symbol)

    def teach(self, learn: Callable[[Instrument], None]) -> None:
        """Call `learn` with every instrument that is added or changes from now on."""
        self._desk.instrument_listeners.append(learn)

    def ask(self, account: int, request: Asked, done: Callable[[Answer], None]) -> int:
        """Ask in the name of `account`; `done` gets the answer. The number it can be given up by.

        The answer may come before this returns.
        """
        self._request_seq += 1
        request_seq = self._request_seq
        session = self._session(account)
        if session is None:
            text = f"requests of {ACCOUNTS_MAX} accounts wait for an answer"
            done(Answer(Reject(request_seq, RejectReason.BUSY, "", text), []))
            return request_seq
        self._waiting[request_seq] = _Waiting(account, done)
        self._desk.receive_request(session, replace(request, request_seq=request_seq))
        self._wake()
        return request_seq

    def seq_of(self, account: int, shard: int = 0) -> int:
        """The number of a shard up to which an account was told what happens to it. Where nobody
        asked in its name yet: the last one this gateway heard of."""
        session = self._by_account.get(account)
        if session is None:
            return self._desk.seq_of(shard)
        return self._told.get(session.identity, {}).get(shard, 0)

    def give_up(self, request_seq: int) -> None:
        """Nobody waits for this answer any more."""
        self._waiting.pop(request_seq, None)

    def open(self, account: int, hear: Hear, cancel_on_disconnect: bool = False) -> Session | None:
        """A session of its own for a client that listens; None when there are too many. With
        `cancel_on_disconnect` the account's open orders are canceled when its last connection
        is gone."""
        session = self._desk.sessions.open(account, self._identity(), cancel_on_disconnect)
        if session is not None:
            self._listeners[session.identity] = hear
        return session

    def take(self, session: Session, request: Asked | CatchUp) -> None:
        """A request of a listening client, with a `request_seq` of its own choice."""
        self._desk.receive_request(session, request)
        self._wake()

    def close(self, session: Session) -> None:
        """End a listening client's session."""
        self._listeners.pop(session.identity, None)
        self._desk.sessions.close_address(session.identity)

    def deliver(self, identity: bytes, replies: Sequence[Reply]) -> None:
        """Hand on what the desk has for a local address."""
        hear = self._listeners.get(identity)
        if hear is not None:
            if replies:
                hear(replies)
            return
        answered: list[int] = []
        for reply in replies:
            if isinstance(reply, Ack | Execution):
                self._told.setdefault(identity, {})[shard_of(reply.seq)] = reply.seq
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
                waiting.done(Answer(waiting.reply, waiting.executions))

    def _session(self, account: int) -> Session | None:
        """The session that single requests of an account go through; None when none can be had."""
        session = self._by_account.pop(account, None)
        if session is None:
            if len(self._by_account) >= ACCOUNTS_MAX and not self._forget_one():
                return None
            session = self._desk.sessions.open_standing(account, self._identity())
        # A dict keeps the order of entry: the first one is the longest idle.
        self._by_account[account] = session
        return session

    def _forget_one(self) -> bool:
        """End the longest idle session of single requests; false when none is idle."""
        busy = {waiting.account for waiting in self._waiting.values()}
        for account, session in self._by_account.items():
            if account not in busy:
                del self._by_account[account]
                self._told.pop(session.identity, None)
                self._desk.sessions.close_address(session.identity)
                return True
        return False

    def _identity(self) -> bytes:
        """An address for a new session."""
        self._opened += 1
        return LOCAL_PREFIX + self._opened.to_bytes(8, "big")
