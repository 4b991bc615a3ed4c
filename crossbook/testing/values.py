"""What happened at an exchange, as plain values that a test compares.

Two values are equal when what a trader would name is equal: an order id, a time and the number of a
command differ from run to run, and are attributes that no comparison reads. The text of a value is
the expression that makes it, so that a difference can be read, and copied.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Self, TypeAlias, overload

from crossbook.common.grid import format_decimal
from crossbook.common.instruments import Instrument
from crossbook.common.messages.history_queries import FillRecord, OrderRecord, TradeRecord
from crossbook.common.messages.matcher_queries import BookState, RestingOrder
from crossbook.common.types import Liquidity, OrderStatus, OrderType, Side

Number: TypeAlias = str | int | Decimal
"""An exact number: decimal text, a whole number, or a `Decimal`. A float is refused."""


Level: TypeAlias = tuple[Number, Number]
"""Price and quantity of a level of a book."""


class Exact(Decimal):
    """A decimal that also equals its text.

    >>> Exact("0.50000")
    '0.5'
    >>> Exact("0.50000") == "0.5", Exact("0.5") + 1
    (True, Decimal('1.5'))
    """

    __slots__ = ()

    def __new__(cls, value: Number) -> Self:
        """Raises `TypeError` for a float, and `ValueError` for text that is no decimal."""
        if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
            raise TypeError(
                f"{value!r} is not exact: give decimal text ('0.5'), a whole number or a Decimal"
            )
        try:
            return super().__new__(cls, value)
        except InvalidOperation:
            raise ValueError(f"{value!r} is not decimal text such as '0.5'") from None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            try:
                other = Decimal(other)
            except InvalidOperation:
                return False
        return Decimal.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = Decimal.__hash__

    def __str__(self) -> str:
        text = format(Decimal(self), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text

    def __repr__(self) -> str:
        return repr(str(self))


def _compared(value: Any) -> Iterator[str]:
    """The arguments of the expression that makes a value: those that a comparison reads."""
    for each in fields(value):
        found = getattr(value, each.name)
        if each.compare and (not each.kw_only or found != _given(each.default)):
            yield repr(found) if not each.kw_only else f"{each.name}={found!r}"


class _Number:
    """A field that takes any exact number and holds an `Exact`."""

    def __init__(self, default: Number | None = None) -> None:
        self._default = default
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Number: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Exact: ...
    def __get__(self, instance: object | None, owner: type) -> Number:
        if instance is not None:
            found: Exact = instance.__dict__[self._name]
            return found
        # A dataclass reads the default so, and finds none by the error.
        if self._default is None:
            raise AttributeError(self._name)
        return self._default

    def __set__(self, instance: object, value: Number) -> None:
        instance.__dict__[self._name] = Exact(_given(value))


class _Limit:
    """As `_Number`, or None."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object | None, owner: type) -> Exact | None:
        if instance is None:
            raise AttributeError(self._name)
        found: Exact | None = instance.__dict__[self._name]
        return found

    def __set__(self, instance: object, value: Number | None) -> None:
        instance.__dict__[self._name] = None if value is None else Exact(value)


def _given(value: Any) -> Any:
    """The value, or its default: a dataclass gives the field itself for a default."""
    return value._default if isinstance(value, _Number) else value


class _Value:
    """The text of a value is its expression."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(_compared(self))})"


@dataclass(frozen=True, repr=False)
class Fill(_Value):
    """One side of a trade, as its owner sees it. `fee` is negative for a rebate.

    >>> Fill("BTC-USDT", "buy", "0.5", "50001.00", fee="0.001")
    Fill('BTC-USDT', 'buy', '0.5', '50001')
    >>> Fill("BTC-USDT", "buy", "0.5", "50001.00").price
    '50001'
    """

    symbol: str
    side: str
    quantity: _Number = _Number()
    price: _Number = _Number()
    liquidity: str = field(default="", compare=False, kw_only=True)
    fee: _Number = field(default=_Number("0"), compare=False, kw_only=True)
    fee_asset: str = field(default="", compare=False, kw_only=True)
    order_id: str = field(default="", compare=False, kw_only=True)
    client_order_id: str = field(default="", compare=False, kw_only=True)
    trade_id: int = field(default=0, compare=False, kw_only=True)
    seq: int = field(default=0, compare=False, kw_only=True)
    time_ns: int = field(default=0, compare=False, kw_only=True)


@dataclass(frozen=True, repr=False)
class Order(_Value):
    """One order, open or ended. `price` is None for an order without a limit.

    >>> Order("BTC-USDT", "buy", "1", "49999.00", status="FILLED", filled="1.00")
    Order('BTC-USDT', 'buy', '1', '49999', status='FILLED', filled='1')
    """

    symbol: str
    side: str
    quantity: _Number = _Number()
    price: _Limit = _Limit()
    status: str = field(default="NEW", kw_only=True)
    filled: _Number = field(default=_Number("0"), kw_only=True)
    order_type: str = field(default="limit", compare=False, kw_only=True)
    remaining: _Number = field(default=_Number("0"), compare=False, kw_only=True)
    order_id: str = field(default="", compare=False, kw_only=True)
    client_order_id: str = field(default="", compare=False, kw_only=True)
    seq: int = field(default=0, compare=False, kw_only=True)
    created_ns: int = field(default=0, compare=False, kw_only=True)
    updated_ns: int = field(default=0, compare=False, kw_only=True)

    @property
    def is_open(self) -> bool:
        """Whether the order may still trade."""
        return self.status in ("NEW", "PARTIALLY_FILLED")


@dataclass(frozen=True, repr=False)
class Trade(_Value):
    """A public trade. `aggressor_side` is the taker's.

    >>> Trade("BTC-USDT", "buy", "0.5", "50001.00", trade_id=7)
    Trade('BTC-USDT', 'buy', '0.5', '50001')
    """

    symbol: str
    aggressor_side: str
    quantity: _Number = _Number()
    price: _Number = _Number()
    trade_id: int = field(default=0, compare=False, kw_only=True)
    seq: int = field(default=0, compare=False, kw_only=True)
    maker_order_id: str = field(default="", compare=False, kw_only=True)
    taker_order_id: str = field(default="", compare=False, kw_only=True)
    time_ns: int = field(default=0, compare=False, kw_only=True)


class Book:
    """The levels of a book, best first, as the public sees them: price and quantity of each.

    >>> Book([("49999", "1")]) == Book([("49999.00", "1.0")], [])
    True
    >>> Book([("49999", "1")]).bids
    [('49999', '1')]
    """

    def __init__(
        self,
        bids: Sequence[Level] = (),
        asks: Sequence[Level] = (),
    ) -> None:
        self.bids: list[Level] = [(Exact(price), Exact(quantity)) for price, quantity in bids]
        self.asks: list[Level] = [(Exact(price), Exact(quantity)) for price, quantity in asks]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Book):
            return NotImplemented
        return (self.bids, self.asks) == (other.bids, other.asks)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Book(bids={self.bids}, asks={self.asks})"


@dataclass(frozen=True, repr=False)
class Balance(_Value):
    """Money of an account in one asset; open orders hold `held` of `total`.

    >>> Balance("100", held="2.50").available
    '97.5'
    """

    total: _Number = _Number()
    held: _Number = field(default=_Number("0"), kw_only=True)

    @property
    def available(self) -> Exact:
        """The part that no order holds."""
        return Exact(self.total - self.held)


ORDER_ID: Final = "ORD-{:010d}"


def fill_of(instrument: Instrument, record: FillRecord) -> Fill:
    """A recorded fill as a value."""
    bought = record.side == Side.BUY
    decimals = instrument.base_decimals if bought else instrument.quote_decimals
    return Fill(
        instrument.symbol,
        Side(record.side).name.lower(),
        instrument.quantity_text(record.quantity_lots),
        instrument.price_text(record.price_ticks),
        liquidity=Liquidity(record.liquidity).name.lower(),
        fee=format_decimal(record.fee, decimals),
        fee_asset=instrument.base if bought else instrument.quote,
        order_id=ORDER_ID.format(record.order_id),
        client_order_id=record.client_order_id,
        trade_id=record.trade_id,
        seq=record.seq,
        time_ns=record.time_ns,
    )


def order_of(instrument: Instrument, record: OrderRecord) -> Order:
    """A recorded order as a value."""
    return Order(
        instrument.symbol,
        Side(record.side).name.lower(),
        instrument.quantity_text(record.quantity_lots),
        instrument.price_text(record.price_ticks) if record.price_ticks else None,
        status=OrderStatus(record.status).name,
        filled=instrument.quantity_text(record.filled_lots),
        order_type=OrderType(record.order_type).name.lower(),
        remaining=instrument.quantity_text(record.remaining_lots),
        order_id=ORDER_ID.format(record.order_id),
        client_order_id=record.client_order_id,
        seq=record.updated_seq,
        created_ns=record.created_ns,
        updated_ns=record.updated_ns,
    )


def trade_of(instrument: Instrument, record: TradeRecord) -> Trade:
    """A recorded trade as a value."""
    return Trade(
        instrument.symbol,
        Side(record.aggressor_side).name.lower(),
        instrument.quantity_text(record.quantity_lots),
        instrument.price_text(record.price_ticks),
        trade_id=record.trade_id,
        seq=record.seq,
        maker_order_id=ORDER_ID.format(record.maker_order_id),
        taker_order_id=ORDER_ID.format(record.taker_order_id),
        time_ns=record.time_ns,
    )


def book_of(instrument: Instrument, state: BookState) -> Book:
    """The shown quantity of each level of a book."""

    def levels(orders: Sequence[RestingOrder]) -> list[Level]:
        lots: dict[int, int] = {}
        for order in orders:
            lots[order.price_ticks] = lots.get(order.price_ticks, 0) + order.shown_lots
        return [
            (instrument.price_text(ticks), instrument.quantity_text(shown))
            for ticks, shown in lots.items()
        ]

    return Book(levels(state.bids), levels(state.asks))
