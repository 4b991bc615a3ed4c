"""The calls that the blocking and the asyncio client share."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar, Unpack, overload

import zmq

from crossbook.client import connection, failures, procedures
from crossbook.client.answers import Ack, Balance, Execution, OrderState, Reject
from crossbook.client.connection import Keys
from crossbook.client.known_instruments import KnownInstruments
from crossbook.client.own_orders import Orders
from crossbook.client.procedures import Procedure
from crossbook.client.recovery import Recovery
from crossbook.client.request import (
    AmendedTerms,
    Amount,
    OrderTerms,
    amend_order,
    cancel_after,
    cancel_order,
    mass_cancel,
    new_order,
)
from crossbook.client.session import ClientSession
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import Amend, Cancel, MassCancel, New, Pong
from crossbook.common.process import sockets
from crossbook.common.process.keyring import Realm
from crossbook.common.types import Side
from crossbook.errors import ExecutionsMissed

AckT = TypeVar("AckT")
AnswersT = TypeVar("AnswersT")
OrdersT = TypeVar("OrdersT")
BalancesT = TypeVar("BalancesT")
InstrumentsT = TypeVar("InstrumentsT")
PongT = TypeVar("PongT")


class OrderEntry(ABC, Generic[AckT, AnswersT, OrdersT, BalancesT, InstrumentsT, PongT]):
    """Order entry for one account. A subclass sends and waits, in `_perform`; its type arguments
    are what the calls return there: the results, or awaitables of them."""

    def __init__(
        self,
        address: str | None = None,
        account: int | None = None,
        timeout_s: float = 5.0,
        context: "zmq.Context[zmq.Socket[bytes]] | None" = None,
        recover: bool = True,
        cancel_on_disconnect: bool = False,
        keys: Keys | None = None,
    ) -> None:
        self.address, account, self._keyring = connection.order_entry(address, account, keys)
        self.timeout_s = timeout_s
        self.session = ClientSession(account, recover, cancel_on_disconnect)
        self._owns_context = context is None
        self._context: zmq.Context[zmq.Socket[bytes]] = context or zmq.Context()
        self._known = KnownInstruments()
        self._unsent: deque[bytes] = deque()
        self._holes_raised = 0
        self._orders: Orders | None = None
        self._prepare()

    @abstractmethod
    def _prepare(self) -> None:
        """Set up the state of the subclass."""

    @property
    def account(self) -> int:
        """The account this client trades for."""
        return self.session.account

    @property
    def last_seq(self) -> int:
        """The highest of the matcher's numbers seen: where a later `catch_up` may begin. Where
        the exchange has several shards, see `last_seqs`."""
        return self.session.last_seq

    @property
    def last_seqs(self) -> list[int]:
        """The highest number seen of every shard that sent one: `catch_up` takes a number of one
        shard, and catches up with that shard."""
        return self.session.last_seqs

    def submit(
        self,
        symbol: str,
        side: Side | str,
        quantity: Amount | None = None,
        price: Amount | None = None,
        **terms: Unpack[OrderTerms],
    ) -> AckT:
        """Enter an order. Its fills follow as executions.

        `quantity`, `price` and the other amounts are decimal text or `Decimal`, never a bare
        number: `price="65000"`. The same as whole numbers: `quantity_lots`, `price_ticks`,
        `stop_price_ticks`, `display_lots`, and `quote_units`, the quote asset's smallest units.
        A market order has no price; by `quote_amount` it has no quantity either. A stop
        (`order_type` "stop", "stop_limit", "take_profit", "take_profit_limit") waits for the last
        trade to reach `stop_price`; an iceberg shows `display_quantity` at a time; with
        `time_in_force` "gtd" the order expires at `expire_time` (nanoseconds). `post_only` and
        `prevention` are the other terms.

        With a `client_order_id` it is safe to repeat the call after `OutcomeUnknown`, with the same
        arguments: the order is entered once, and `repeated` of the answer is true if it had been
        entered before, with its first `order_id` and its present status. Use an id for one order
        only.
        """
        return self._perform(
            procedures.command(
                self.address, self._known, new_order, symbol, side, quantity, price, **terms
            )
        )

    def cancel(self, symbol: str, order_id: int = 0, client_order_id: str = "") -> AckT:
        """Cancel one open order by either of its ids."""
        return self._perform(
            procedures.command(
                self.address, self._known, cancel_order, symbol, order_id, client_order_id
            )
        )

    def amend(
        self,
        symbol: str,
        order_id: int = 0,
        client_order_id: str = "",
        **terms: Unpack[AmendedTerms],
    ) -> AckT:
        """Change `quantity` (the new total, filled part included), `price` or `stop_price` of an
        open order. Amounts are as in `submit`, whole numbers too: `quantity_lots`, `price_ticks`,
        `stop_price_ticks`. A term that is not given stays as it is."""
        return self._perform(
            procedures.command(
                self.address, self._known, amend_order, symbol, order_id, client_order_id, **terms
            )
        )

    def mass_cancel(self, symbol: str | None = None, side: Side | str | None = None) -> AckT:
        """Cancel all open orders of the account, of one symbol and side if given; `count` of the
        answer is their number. An empty symbol or side is refused."""
        return self._perform(
            procedures.command(self.address, self._known, mass_cancel, symbol, side)
        )

    def cancel_after(self, timeout_s: float) -> AckT:
        """Have all open orders of the account canceled unless this is called again within
        `timeout_s`; zero calls it off. Call it at a third of that time or more often."""
        return self._perform(procedures.command(self.address, self._known, cancel_after, timeout_s))

    def batch(self, requests: Sequence[New | Cancel | Amend | MassCancel]) -> AnswersT:
        """Send commands together; their answers, in the same order. A refusal raises nothing.

        The request sequences in `requests` are replaced. Make requests with
        `crossbook.new_order`, `cancel_order`, `amend_order`. A `Reject` with OUTCOME_UNKNOWN
        among the answers is no refusal: query that order.
        """
        return self._perform(procedures.batch(self.address, self._known, requests))

    def open_orders(
        self, symbol: str = "", order_id: int = 0, client_order_id: str = ""
    ) -> OrdersT:
        """All open orders of the account that match, oldest first."""
        return self._perform(
            procedures.open_orders(self.address, self._known, symbol, order_id, client_order_id)
        )

    def balances(self) -> BalancesT:
        """The account's balance of each asset; empty where the exchange keeps no accounts."""
        return self._perform(procedures.balances(self.address, self._known))

    def list_instruments(self) -> InstrumentsT:
        """The instruments traded here by symbol, requested anew: some may have been added."""
        return self._perform(procedures.instruments(self.address, self._known))

    def ping(self) -> PongT:
        """Request a sign of life and the last sequence number that the gateway has seen."""
        return self._perform(procedures.ping(self.address))

    def _observed(self) -> Orders:
        """The account's own orders, kept by the session from the first call on."""
        if self._orders is None:
            self._orders = self.session.observer = Orders(self._known.of_symbol)
        return self._orders

    def _loading(self, orders: Orders) -> Procedure[None]:
        return procedures.load_orders(self.address, self._known, orders)

    # Overloads give each call its type; the implementations are generic.
    @overload
    def _perform(self, procedure: Procedure[Ack]) -> AckT: ...
    @overload
    def _perform(self, procedure: Procedure[list[Ack | Reject]]) -> AnswersT: ...
    @overload
    def _perform(self, procedure: Procedure[list[OrderState]]) -> OrdersT: ...
    @overload
    def _perform(self, procedure: Procedure[list[Balance]]) -> BalancesT: ...
    @overload
    def _perform(self, procedure: Procedure[dict[str, Instrument]]) -> InstrumentsT: ...
    @overload
    def _perform(self, procedure: Procedure[Pong]) -> PongT: ...
    @abstractmethod
    def _perform(self, procedure: Procedure[object]) -> object:
        """Send what the procedure yields, wait for the outcomes, and return its result."""

    def _handshake_fault(self) -> str:
        """Why the gateway refuses connections of this client; empty where it does not. Takes up to
        a second."""
        return sockets.handshake_fault(self.address, Realm.ORDERS, self._keyring)

    def _flush(self, socket: "zmq.Socket[bytes]") -> bool:
        """Send what the socket accepts; whether it was anything."""
        sent = False
        while self._unsent:
            try:
                socket.send(self._unsent[0], zmq.NOBLOCK)
            except zmq.Again:
                break
            self._unsent.popleft()
            sent = True
        return sent

    def _caught_up(self, recovery: Recovery) -> list[Execution]:
        """The executions of a catch-up that has ended; raises when they are not all."""
        try:
            return self._known.executions(procedures.caught_up(recovery, self.address))
        except ExecutionsMissed as error:
            error.executions = list(self._known.executions(error.executions))
            raise

    def _raise_missed(self) -> None:
        """Raise `ExecutionsMissed` where executions are missing since the last time."""
        holes = self.session.holes + self.session.executions_dropped
        if holes != self._holes_raised:
            self._holes_raised = holes
            raise failures.missed(self.session)


def received(socket: "zmq.Socket[bytes]") -> Iterator[bytes]:
    """The frames that have come."""
    while True:
        try:
            yield socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return
