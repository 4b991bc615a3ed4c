"""Recorded commands as requests to the exchange. Does no I/O."""

from typing import Final

from crossbook.common.instruments import Instrument
from crossbook.common.messages import entry
from crossbook.common.types import OrderType, Prevention, TimeInForce
from crossbook.replay.recording import RecordedCommand

_LIMIT: Final = int(OrderType.LIMIT)
_GTC: Final = int(TimeInForce.GTC)
_IOC: Final = int(TimeInForce.IOC)


class ReplayRequests:
    """Makes the request of each command, in order.

    Orders are named by client order ids made of `prefix` and the recording's id, so that a cancel
    can leave before the order it cancels has been acknowledged.

    >>> from crossbook.replay.recording import RecordedCommand
    >>> requests = ReplayRequests("BTC-USD", "r1-")
    >>> requests.request(RecordedCommand(0, 0, "new", 7, 1, 100, 50), 1).client_order_id
    'r1-7'
    >>> requests.request(RecordedCommand(1, 0, "reduce", 7, quantity_lots=20), 2).quantity
    30
    """

    def __init__(self, symbol: str, prefix: str) -> None:
        self._symbol = symbol
        self._prefix = prefix
        self._total_lots: dict[int, int] = {}

    def request(
        self, command: RecordedCommand, request_seq: int
    ) -> entry.New | entry.Cancel | entry.Amend:
        """The request of a recorded command."""
        client_order_id = f"{self._prefix}{command.order_id}"
        if command.op == "cancel":
            self._total_lots.pop(command.order_id, None)
            return entry.Cancel(request_seq, self._symbol, 0, client_order_id)
        if command.op == "reduce":
            return self._reduction(command, request_seq, client_order_id)
        if command.op == "new":
            self._total_lots[command.order_id] = command.quantity_lots
        return entry.New(
            request_seq,
            self._symbol,
            command.side,
            command.quantity_lots,
            command.price_ticks,
            _LIMIT,
            _GTC if command.op == "new" else _IOC,
            client_order_id,
            # One account stands for all recorded traders.
            prevention=int(Prevention.NONE),
        )

    def _reduction(
        self, command: RecordedCommand, request_seq: int, client_order_id: str
    ) -> entry.Cancel | entry.Amend:
        """An amend to the smaller total; it keeps the order's place and counts filled lots in."""
        total = self._total_lots.get(command.order_id, 0) - command.quantity_lots
        if total <= 0:
            # A quantity of zero would mean "unchanged".
            return entry.Cancel(request_seq, self._symbol, 0, client_order_id)
        self._total_lots[command.order_id] = total
        return entry.Amend(request_seq, self._symbol, 0, client_order_id, total)


def symbol_of(name: str, instruments: tuple[Instrument, ...]) -> str:
    """The instrument in a recording's name, or "" when the name does not fit exactly one.

    A part of the name between underscores or points is a symbol without its punctuation, or the
    base asset of one instrument only, perhaps with a number behind it.

    >>> from crossbook.common.instruments import example
    >>> symbol_of("bitstamp_BTCUSDT.raw", (example(),)), symbol_of("BTC50_first", (example(),))
    ('BTC-USDT', 'BTC-USDT')
    """
    parts = [part.upper() for part in name.replace(".", "_").split("_")]
    for part in parts:
        for instrument in instruments:
            if _plain(part) == _plain(instrument.symbol):
                return instrument.symbol
    for part in parts:
        based = [one.symbol for one in instruments if one.base == part.rstrip("0123456789")]
        if len(based) == 1:
            return based[0]
    return ""


def _plain(text: str) -> str:
    return "".join(character for character in text if character.isalnum())
