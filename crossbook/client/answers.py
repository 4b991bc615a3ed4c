"""The exchange's answers and execution reports as views: `crossbook.client.view`.

Every amount is there twice: in whole steps, as it travels, and as an exact `Decimal` in its asset.
A price of zero stands for none. `symbol` and `instrument` say what the amounts are of.
"""

from decimal import Decimal

from crossbook.client.view import Described, OfOrder, View, decimal, word
from crossbook.common.errors import DecimalError
from crossbook.common.grid import Axis
from crossbook.common.instruments import Instrument
from crossbook.common.messages import entry
from crossbook.common.types import (
    ExecutionKind,
    Liquidity,
    OrderStatus,
    OrderType,
    Prevention,
    RejectReason,
    Side,
    TimeInForce,
)
from crossbook.errors import InstrumentUnknown


class Ack(Described, entry.Ack, frozen=True):
    """The exchange applied a request as number `seq`: the order is durable, canceled, amended.

    `status`, `filled` and `remaining` are the order's at that point, before its own fills, which
    follow as executions. `price` and `quantity` are those that `request` named, zero where it named
    none. After a mass cancel `count` is how many orders ended; `symbol` is empty where they may be
    of several instruments.
    """

    _wire = entry.Ack
    _shown = (
        "seq", "symbol", "order_id", "client_order_id", "status", "price", "quantity", "filled",
        "remaining", "count", "repeated",
    )  # fmt: skip

    status: OrderStatus
    symbol: str = ""
    request: entry.Request | None = None
    described: Instrument | None = None

    @classmethod
    def of(
        cls, wire: entry.Ack, request: entry.Request | None, instrument: Instrument | None
    ) -> "Ack":
        """The view of an answer to `request`."""
        return cls._of(wire, getattr(request, "symbol", ""), request, instrument)

    @property
    def price_ticks(self) -> int:
        """The limit price that the request named, zero where it named none."""
        return self._steps("price")

    @property
    def quantity_lots(self) -> int:
        """The quantity that the request named, zero where it named none."""
        return self._steps("quantity")

    @property
    def price(self) -> Decimal:
        """The limit price that the request named, zero where it named none."""
        return self._amount("price", self.price_ticks)

    @property
    def quantity(self) -> Decimal:
        """The quantity that the request named, zero where it named none."""
        return self._amount("quantity", self.quantity_lots)

    @property
    def filled(self) -> Decimal:
        """The quantity filled before this answer."""
        return self._amount("quantity", self.filled_lots)

    @property
    def remaining(self) -> Decimal:
        """The quantity not filled, as of this answer."""
        return self._amount("quantity", self.remaining_lots)

    def _steps(self, field: str) -> int:
        given = getattr(self.request, field, 0)
        if isinstance(given, int):
            return given
        axis: Axis = getattr(self.instrument.grid, field)
        try:
            return axis.steps(given)
        except DecimalError:
            # Only a repeated order: its answer is that of the first, whatever this one named.
            return 0

    def _amount(self, field: str, steps: int) -> Decimal:
        if not steps and self.described is None:
            return Decimal(0)
        axis: Axis = getattr(self.instrument.grid, field)
        return decimal(axis, steps)


class Reject(View, entry.Reject, frozen=True):
    """The exchange refused a request of a batch; nothing changed."""

    _wire = entry.Reject
    _shown = ("reason", "field", "text", "client_order_id", "seq")

    reason: RejectReason

    @classmethod
    def of(cls, wire: entry.Reject) -> "Reject":
        """The view of a refusal."""
        return cls._of(wire)


class Execution(OfOrder, entry.Execution, frozen=True):
    """An order of the account changed. Of a fill, `price`, `quantity` and `fee` are its own.

    Otherwise `quantity` is what was canceled or expired, or an amended order's new total. A
    negative `fee` is a rebate; it is in `fee_asset`, the asset received. `status`, `filled` and
    `remaining` are the order's after this change.
    """

    _wire = entry.Execution
    _shown = (
        "seq", "symbol", "order_id", "client_order_id", "kind", "status", "side", "price",
        "quantity", "filled", "remaining", "fee", "fee_asset", "liquidity", "trade_id", "reason",
    )  # fmt: skip

    kind: ExecutionKind
    status: OrderStatus
    side: Side
    liquidity: Liquidity = word(Liquidity, 0)
    reason: RejectReason = word(RejectReason, 0)
    order_type: OrderType = OrderType.LIMIT
    described: Instrument | None = None

    @classmethod
    def of(cls, wire: entry.Execution, instrument: Instrument | None) -> "Execution":
        """The view of an execution report."""
        return cls._of(wire, instrument)

    @property
    def fee(self) -> Decimal:
        """The fee of a fill in `fee_asset`; negative is a rebate."""
        grid = self.instrument.grid
        return decimal(grid.base if self.side is Side.BUY else grid.quote, self.fee_units)

    @property
    def fee_asset(self) -> str:
        """The asset that a fill brings, in which its fee is taken."""
        return self.instrument.base if self.side is Side.BUY else self.instrument.quote

    @property
    def quote_left(self) -> Decimal:
        """The unspent part of a market order by quote amount that ended."""
        return self._money(self.quote_left_units)


class OrderState(OfOrder, entry.OrderState, frozen=True):
    """One open order. An order that is not `working` waits for its `trigger_price`, or for the end
    of a call phase."""

    _wire = entry.OrderState
    _shown = (
        "symbol", "order_id", "client_order_id", "side", "order_type", "time_in_force", "price",
        "trigger_price", "quantity", "filled", "remaining", "status", "working",
    )  # fmt: skip

    side: Side
    status: OrderStatus
    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    prevention: Prevention = Prevention.NONE
    described: Instrument | None = None

    @classmethod
    def of(cls, wire: entry.OrderState, instrument: Instrument | None) -> "OrderState":
        """The view of an open order."""
        return cls._of(wire, instrument)

    @property
    def display(self) -> Decimal:
        """The quantity that an iceberg shows at a time, zero where it shows all."""
        return self._quantity(self.display_lots)


class Balance(View, entry.Balance, frozen=True):
    """The account's balance of one asset: open orders hold `held` of `total`, `available` is the
    rest."""

    _wire = entry.Balance
    _shown = ("asset", "total", "held", "available")

    decimals: int | None = None

    @classmethod
    def of(cls, wire: entry.Balance, decimals: int | None) -> "Balance":
        """The view of a balance in an asset of so many decimals."""
        return cls._of(wire, decimals)

    @property
    def total(self) -> Decimal:
        """All that the account has, held amounts included."""
        return self._amount(self.total_units)

    @property
    def held(self) -> Decimal:
        """The part that open orders hold."""
        return self._amount(self.held_units)

    @property
    def available(self) -> Decimal:
        """The part that no order holds."""
        return self._amount(self.total_units - self.held_units)

    def _amount(self, units: int) -> Decimal:
        if self.decimals is None:
            raise InstrumentUnknown(self.asset)
        return decimal(Axis(self.decimals), units)
