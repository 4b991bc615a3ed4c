"""Client requests to matcher commands; decimal text ends here.

Only what cannot be said in the matcher's integers is refused here: unknown symbols, text off the
grid, unprintable ids. Every other rule is the matcher's, so that each is written once.
"""

from collections.abc import Iterable
from typing import Final

from common.commands import (
    AmendOrder,
    CancelOrder,
    Command,
    Instructions,
    MassCancelOrders,
    NewOrder,
    SetCancelAfter,
)
from common.entry import Amend, Cancel, CancelAfter, MassCancel, New, Reject
from common.errors import DecimalError
from common.instruments import Instrument, parse_decimal
from common.types import OrderType, RejectReason, TimeInForce

_MARKET: Final = int(OrderType.MARKET)
_FOK: Final = int(TimeInForce.FOK)
_MILLISECOND: Final = 1_000_000


class FieldError(Exception):
    """A field cannot be translated: why, and which."""

    def __init__(self, reason: RejectReason, field: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.field = field

    def reject(self, request_seq: int, client_order_id: str = "") -> Reject:
        """The answer a client gets."""
        return Reject(request_seq, self.reason, self.field, str(self), client_order_id)


class Translator:
    """Translates the requests of all sessions of one gateway."""

    def __init__(self, instruments: Iterable[Instrument], gateway: int) -> None:
        self._gateway = gateway
        self._instruments = {instrument.symbol: instrument for instrument in instruments}

    def learn(self, instrument: Instrument) -> None:
        """This instrument is traded too, or has changed."""
        self._instruments[instrument.symbol] = instrument

    def command(
        self,
        request: New | Cancel | Amend | MassCancel | CancelAfter,
        account: int,
        number: int,
    ) -> Command:
        """The command for `request`, as number `number` of this gateway.

        Raises `FieldError` when a field cannot be translated.
        """
        if isinstance(request, MassCancel):
            instrument_id = self.instrument(request.symbol).id if request.symbol else 0
            return MassCancelOrders(self._gateway, number, account, instrument_id, request.side)
        if isinstance(request, CancelAfter):
            timeout_ns = request.timeout_ms * _MILLISECOND
            return SetCancelAfter(self._gateway, number, account, 0, timeout_ns)
        instrument = self.instrument(request.symbol)
        client_order_id = request.client_order_id
        if client_order_id and not (client_order_id.isascii() and client_order_id.isprintable()):
            raise FieldError(
                RejectReason.MALFORMED, "client_order_id", "only printable ASCII is allowed"
            )
        if isinstance(request, New):
            price, quantity, quote = request.price, request.quantity, request.quote_amount
            if isinstance(price, str):
                price = _ticks(instrument, price)
            if isinstance(quantity, str):
                quantity = _lots(instrument, quantity)
            if isinstance(quote, str):
                quote = _quote(instrument, quote)
            return NewOrder(
                self._gateway,
                number,
                account,
                instrument.id,
                request.side,
                request.order_type,
                request.time_in_force,
                price,
                quantity,
                client_order_id,
                quote,
                request.self_trade_prevention,
                _instructions(instrument, request),
            )
        if isinstance(request, Cancel):
            return CancelOrder(
                self._gateway, number, account, instrument.id, request.order_id, client_order_id
            )
        return self._amend(request, instrument, account, number)

    def _amend(
        self, request: Amend, instrument: Instrument, account: int, number: int
    ) -> AmendOrder:
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

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol; raises `FieldError`."""
        instrument = self._instruments.get(symbol)
        if instrument is None:
            raise _unknown_symbol(symbol)
        return instrument


def _unknown_symbol(symbol: str) -> FieldError:
    return FieldError(
        RejectReason.UNKNOWN_SYMBOL, "symbol", f"no instrument is called {symbol!r} here"
    )


def _instructions(instrument: Instrument, request: New) -> Instructions | None:
    """What only few orders say; None for one that says none of it."""
    display = request.display_quantity
    if (
        not (request.stop_price or display or request.expire_time or request.post_only)
        and request.order_type <= _MARKET
        and request.time_in_force <= _FOK
    ):
        return None
    if isinstance(display, str):
        display = _lots(instrument, display, "display_quantity")
    stop = _stop_ticks(instrument, request.stop_price)
    return Instructions(stop, display, request.expire_time, request.post_only)


def _stop_ticks(instrument: Instrument, stop: int | str) -> int:
    return _ticks(instrument, stop, "stop_price") if isinstance(stop, str) else stop


def _ticks(instrument: Instrument, text: str, field: str = "price") -> int:
    try:
        return instrument.price_to_ticks(text)
    except DecimalError as error:
        raise FieldError(error.reason, field, f"{text!r} is {error}") from error


def _lots(instrument: Instrument, text: str, field: str = "quantity") -> int:
    try:
        return instrument.quantity_to_lots(text)
    except DecimalError as error:
        raise FieldError(error.reason, field, f"{text!r} is {error}") from error


def _quote(instrument: Instrument, text: str) -> int:
    try:
        return parse_decimal(text, instrument.quote_decimals)
    except DecimalError as error:
        raise FieldError(error.reason, "quote_amount", f"{text!r} is {error}") from error
