"""The instruments that a client has been sent, and the views that need them."""

from collections.abc import Sequence
from decimal import Decimal

from crossbook.client import answers
from crossbook.client.pending import Outcome
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import (
    Ack,
    Balance,
    Execution,
    Instruments,
    OrderState,
    Reject,
    Request,
)
from crossbook.common.types import RejectReason


class KnownInstruments:
    """Instruments by symbol, those of the last list; `by_symbol` is None before the first."""

    def __init__(self) -> None:
        self.by_symbol: dict[str, Instrument] | None = None
        self._decimals: dict[str, int] = {}

    def receive(self, outcome: Outcome) -> None:
        """Replace them by a list that arrived; any other outcome changes nothing."""
        if not isinstance(outcome, Instruments):
            return
        self.by_symbol = {each.symbol: each for each in outcome.instruments}
        for each in outcome.instruments:
            self._decimals[each.base] = each.base_decimals
            self._decimals[each.quote] = each.quote_decimals

    def has(self, symbol: str) -> bool:
        """Whether the views of this symbol have decimals; the empty symbol needs a list."""
        known = self.by_symbol
        return known is not None and (not symbol or symbol in known)

    def of_symbol(self, symbol: str) -> Instrument | None:
        """The instrument, if it is known."""
        return (self.by_symbol or {}).get(symbol)

    def ack(self, ack: Ack, request: Request | None) -> answers.Ack:
        """The view of the answer to `request`."""
        return answers.Ack.of(ack, request, self.of_symbol(getattr(request, "symbol", "")))

    def execution(self, execution: Execution) -> answers.Execution:
        """The view of an execution report."""
        return answers.Execution.of(execution, self.of_symbol(execution.symbol))

    def executions(self, executions: Sequence[Execution]) -> list[answers.Execution]:
        """The views of execution reports."""
        return [self.execution(each) for each in executions]

    def order(self, order: OrderState) -> answers.OrderState:
        """The view of an open order."""
        return answers.OrderState.of(order, self.of_symbol(order.symbol))

    def balance(self, balance: Balance) -> answers.Balance:
        """The view of a balance."""
        return answers.Balance.of(balance, self._decimals.get(balance.asset))

    def limit(self, reject: Reject, request: Request | None) -> Decimal | None:
        """The limit of the instrument that a refused request broke; None where it broke none."""
        instrument = self.of_symbol(getattr(request, "symbol", ""))
        if instrument is None:
            return None
        text = _limit_text(reject, request, instrument)
        return None if text is None else Decimal(text)

    def answer(self, answer: Ack | Reject, request: Request) -> answers.Ack | answers.Reject:
        """The view of an answer to a request of a batch."""
        if isinstance(answer, Ack):
            return self.ack(answer, request)
        return answers.Reject.of(answer)


def _limit_text(reject: Reject, request: Request | None, instrument: Instrument) -> str | None:
    """The decimal text of a broken limit. The gateway refuses what is off the grid, before there is
    a sequence number; the matcher what is out of range."""
    off_grid = not reject.seq
    if reject.reason == RejectReason.BAD_TICK:
        least = instrument.price_text(instrument.min_price_ticks)
        return instrument.tick_size if off_grid else least
    if reject.reason == RejectReason.BAD_LOT:
        least = instrument.quantity_text(instrument.min_quantity_lots)
        return instrument.lot_size if off_grid else least
    if reject.reason == RejectReason.MIN_NOTIONAL:
        return instrument.grid.quote.text(instrument.min_notional)
    if reject.reason != RejectReason.EXCEEDS_LIMIT:
        return None
    if reject.field in ("price", "stop_price"):
        return instrument.price_text(instrument.max_price_ticks)
    if reject.field == "quantity":
        most = instrument.quantity_text(instrument.max_quantity_lots)
        # The quantity is the field at fault of a notional as well.
        given = getattr(request, "quantity", 0)
        lots = instrument.max_quantity_lots
        too_many = Decimal(given) > Decimal(most) if isinstance(given, str) else given > lots
        return most if too_many else instrument.grid.quote.text(instrument.max_notional)
    if reject.field == "quote_amount":
        return instrument.grid.quote.text(instrument.max_notional)
    return None
