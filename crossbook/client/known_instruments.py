"""The instruments that a client has been sent, and the views that need them."""

from collections.abc import Sequence

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

    def answer(self, answer: Ack | Reject, request: Request) -> answers.Ack | answers.Reject:
        """The view of an answer to a request of a batch."""
        if isinstance(answer, Ack):
            return self.ack(answer, request)
        return answers.Reject.of(answer)
