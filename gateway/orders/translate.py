"""Client requests to matcher commands; decimal text ends here.

Only fields that have no integer form are refused here: unknown symbols, text off the grid,
unprintable ids. Every other rule is the matcher's, so that each is written once.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from crossbook.common.errors import DecimalError
from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import (
    AmendOrder,
    CancelOrder,
    Command,
    Instructions,
    MassCancelOrders,
    NewOrder,
    SetCancelAfter,
)
from crossbook.common.messages.entry import Amend, Cancel, CancelAfter, MassCancel, New, Reject
from crossbook.common.types import OrderType, RejectReason, TimeInForce

_MARKET: Final = int(OrderType.MARKET)
_FOK: Final = int(TimeInForce.FOK)
_MILLISECOND: Final = 1_000_000

CommandRequest: TypeAlias = New | Cancel | Amend | MassCancel | CancelAfter


class FieldError(Exception):
    """A field cannot be translated; the text is the reason."""

    def __init__(self, reason: RejectReason, field: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.field = field

    def reject(self, request_seq: int, client_order_id: str = "") -> Reject:
        """The reject for the client."""
        return Reject(request_seq, self.reason, self.field, str(self), client_order_id)


class _InstrumentsBySymbol(dict[str, Instrument]):
    """Instruments whose look-up raises `FieldError` for an unknown symbol."""

    def __missing__(self, symbol: str) -> Instrument:
        text = f"no instrument is called {symbol!r} here"
        raise FieldError(RejectReason.UNKNOWN_SYMBOL, "symbol", text)


class Translator:
    """Translates the requests of all sessions of one gateway.

    `translations` has a function for each class of request that becomes a command; its arguments
    are those of `command`. `instruments` has them by symbol, and raises `FieldError` for another.
    """

    def __init__(self, instruments: Iterable[Instrument], gateway: int) -> None:
        self._gateway = gateway
        self.translations: dict[type, Callable[[Any, int, int], Command]] = {
            New: self._new,
            Cancel: self._cancel,
            Amend: self._amend,
            MassCancel: self._mass_cancel,
            CancelAfter: self._cancel_after,
        }
        self.instruments = _InstrumentsBySymbol((each.symbol, each) for each in instruments)

    def set_instrument(self, instrument: Instrument) -> None:
        """Add or replace an instrument."""
        self.instruments[instrument.symbol] = instrument

    def command(self, request: CommandRequest, account: int, number: int) -> Command:
        """The command for `request`, with the command number `number`.

        Raises `FieldError` when a field cannot be translated.
        """
        return self.translations[type(request)](request, account, number)

    def _new(self, request: New, account: int, number: int) -> NewOrder:
        instrument = self.instruments[request.symbol]
        client_order_id = request.client_order_id
        if not (client_order_id.isascii() and client_order_id.isprintable()):
            raise _unprintable_id()
        price, quantity, quote_amount = request.price, request.quantity, request.quote_amount
        if isinstance(price, str):
            price = _ticks(instrument, price)
        if isinstance(quantity, str):
            quantity = _lots(instrument, quantity)
        if isinstance(quote_amount, str):
            quote_amount = _quote_units(instrument, quote_amount)
        order_type, time_in_force = request.order_type, request.time_in_force
        instructions = None
        if (
            order_type > _MARKET
            or time_in_force > _FOK
            or request.stop_price
            or request.display_quantity
            or request.expire_time
            or request.post_only
        ):
            instructions = _instructions(instrument, request)
        return NewOrder(
            self._gateway, number, account, instrument.id, request.side, order_type,
            time_in_force, price, quantity, client_order_id, quote_amount,
            request.prevention, instructions,
        )  # fmt: skip

    def _cancel(self, request: Cancel, account: int, number: int) -> CancelOrder:
        instrument = self.instruments[request.symbol]
        client_order_id = request.client_order_id
        if not (client_order_id.isascii() and client_order_id.isprintable()):
            raise _unprintable_id()
        return CancelOrder(
            self._gateway, number, account, instrument.id, request.order_id, client_order_id
        )

    def _mass_cancel(self, request: MassCancel, account: int, number: int) -> MassCancelOrders:
        instrument_id = self.instruments[request.symbol].id if request.symbol else 0
        return MassCancelOrders(self._gateway, number, account, instrument_id, request.side)

    def _cancel_after(self, request: CancelAfter, account: int, number: int) -> SetCancelAfter:
        timeout_ns = request.timeout_ms * _MILLISECOND
        return SetCancelAfter(self._gateway, number, account, 0, timeout_ns)

    def _amend(self, request: Amend, account: int, number: int) -> AmendOrder:
        instrument = self.instruments[request.symbol]
        if not (request.client_order_id.isascii() and request.client_order_id.isprintable()):
            raise _unprintable_id()
        price, quantity = request.price, request.quantity
        return AmendOrder(
            self._gateway,
            number,
            account,
            instrument.id,
            request.order_id,
            _ticks(instrument, price) if isinstance(price, str) else price,
            _lots(instrument, quantity) if isinstance(quantity, str) else quantity,
            request.client_order_id,
            _stop_ticks(instrument, request.stop_price),
        )


def _unprintable_id() -> FieldError:
    text = "only printable ASCII is allowed"
    return FieldError(RejectReason.MALFORMED, "client_order_id", text)


def _instructions(instrument: Instrument, request: New) -> Instructions:
    """The terms that only few orders have."""
    display = request.display_quantity
    if isinstance(display, str):
        display = _lots(instrument, display, "display_quantity")
    stop = _stop_ticks(instrument, request.stop_price)
    return Instructions(stop, display, request.expire_time, request.post_only)


def _stop_ticks(instrument: Instrument, stop: int | str) -> int:
    return _ticks(instrument, stop, "stop_price") if isinstance(stop, str) else stop


def _ticks(instrument: Instrument, text: str, field: str = "price") -> int:
    try:
        ticks = instrument.grid.price.steps(text)
    except DecimalError as error:
        raise FieldError(error.reason, field, f"{text!r} is {error}") from error
    if not ticks:
        raise _zero(RejectReason.BAD_TICK, field, text)
    return ticks


def _lots(instrument: Instrument, text: str, field: str = "quantity") -> int:
    try:
        lots = instrument.grid.quantity.steps(text)
    except DecimalError as error:
        raise FieldError(error.reason, field, f"{text!r} is {error}") from error
    if not lots:
        raise _zero(RejectReason.BAD_LOT, field, text)
    return lots


def _quote_units(instrument: Instrument, text: str) -> int:
    try:
        units = instrument.grid.quote.steps(text)
    except DecimalError as error:
        raise FieldError(error.reason, "quote_amount", f"{text!r} is {error}") from error
    if not units:
        raise _zero(RejectReason.MIN_NOTIONAL, "quote_amount", text)
    return units


def _zero(reason: RejectReason, field: str, text: str) -> FieldError:
    """The error for a zero in text: to the matcher a zero is a field that is not given."""
    return FieldError(reason, field, f"{text!r} is not above zero; leave it out if it is not meant")
