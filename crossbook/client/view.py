"""Messages as a client's users read them: exact decimals and words beside the wire's integers.

A view is a wire struct with the same fields under the same names, whose words are members of their
enumerations. It equals the struct it was made from, and is not sent. Decimals are made when they
are read, from text, so that no decimal context can round them.
"""

from decimal import Decimal
from enum import IntEnum
from functools import lru_cache
from typing import Any, ClassVar, Self, TypeVar, cast

from msgspec import Struct, structs

from crossbook.common.grid import Axis
from crossbook.common.instruments import Instrument
from crossbook.errors import InstrumentUnknown

_E = TypeVar("_E", bound=IntEnum)


class View:
    """What all views share. `_wire` is the struct viewed, `_shown` names what `repr` shows."""

    __slots__ = ()

    _wire: ClassVar[type[Struct]]
    _shown: ClassVar[tuple[str, ...]]

    @classmethod
    def _of(cls, wire: Struct, *more: object) -> Self:
        """The view of `wire`; `more` are the fields behind those of the wire."""
        values: list[Any] = list(structs.astuple(wire))
        for place, words in _words_of(cast(Any, cls)):
            values[place] = word(words, values[place])
        return cls(*values, *more)

    def __eq__(self, other: object) -> bool:
        wire = self._wire
        if not isinstance(other, wire):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in wire.__struct_fields__)

    def __hash__(self) -> int:
        wire = self._wire
        return hash(wire(*(getattr(self, name) for name in wire.__struct_fields__)))

    def __repr__(self) -> str:
        shown = [f"{name}={_text(self, name)}" for name in self._shown]
        return f"{type(self).__name__}({', '.join(shown)})"


class Described(View):
    """A view of something of one instrument. `described` is None where the client does not know the
    instrument, and then there are no decimals."""

    __slots__ = ()

    symbol: str
    described: Instrument | None

    @property
    def instrument(self) -> Instrument:
        """The instrument; raises `InstrumentUnknown` where the client does not know it."""
        return _known(self.described, self.symbol)

    def _price(self, ticks: int) -> Decimal:
        return decimal(self.instrument.grid.price, ticks)

    def _price_or_none(self, ticks: int) -> Decimal | None:
        return self._price(ticks) if ticks else None

    def _quantity(self, lots: int) -> Decimal:
        return decimal(self.instrument.grid.quantity, lots)

    def _money(self, units: int) -> Decimal:
        return decimal(self.instrument.grid.quote, units)


class Priced(Described):
    """A view with a price and a quantity."""

    __slots__ = ()

    price_ticks: int
    quantity_lots: int

    @property
    def price(self) -> Decimal:
        """The price, in the quote asset; zero stands for none."""
        return self._price(self.price_ticks)

    @property
    def quantity(self) -> Decimal:
        """The quantity, in the base asset."""
        return self._quantity(self.quantity_lots)


class OfOrder(Priced):
    """A view of an order, or of a change of one."""

    __slots__ = ()

    filled_lots: int
    remaining_lots: int
    trigger_ticks: int

    @property
    def filled(self) -> Decimal:
        """The quantity of the order filled so far."""
        return self._quantity(self.filled_lots)

    @property
    def remaining(self) -> Decimal:
        """The quantity of the order not filled."""
        return self._quantity(self.remaining_lots)

    @property
    def trigger_price(self) -> Decimal:
        """The last price that a waiting order waits for, zero where it waits for none."""
        return self._price(self.trigger_ticks)


@lru_cache(maxsize=4_096)
def word(words: type[_E], number: int) -> _E:
    """The member of an enumeration.

    A number without a member, zero for none or one of a later version, is a value of its own: it
    equals the number, and zero is false.

    >>> from crossbook.common.types import OrderStatus
    >>> word(OrderStatus, 3), word(OrderStatus, 0) == 0, word(OrderStatus, 99).name
    (<OrderStatus.FILLED: 3>, True, '99')
    """
    try:
        return words(number)
    except ValueError:
        other = int.__new__(words, number)
        other._name_ = str(number) if number else "NONE"
        other._value_ = number
        return other


def decimal(axis: Axis, steps: int) -> Decimal:
    """So many steps as an exact decimal, at the fixed number of digits behind the point.

    >>> decimal(Axis(2, step=5), 3)
    Decimal('0.15')
    """
    return Decimal(axis.text(steps))


def _known(instrument: Instrument | None, symbol: str) -> Instrument:
    """The instrument; raises `InstrumentUnknown` where the client has none of that symbol."""
    if instrument is None:
        raise InstrumentUnknown(symbol)
    return instrument


@lru_cache(maxsize=128)
def _words_of(view: Any) -> tuple[tuple[int, type[IntEnum]], ...]:
    """The fields of a view that are words, by their places."""
    return tuple(
        (place, field.type)
        for place, field in enumerate(structs.fields(view))
        if isinstance(field.type, type) and issubclass(field.type, IntEnum)
    )


def _text(view: View, name: str) -> str:
    try:
        value = getattr(view, name)
    except InstrumentUnknown:
        return "?"
    if isinstance(value, IntEnum):
        return value.name
    return format(value, "f") if isinstance(value, Decimal) else repr(value)
