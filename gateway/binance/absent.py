"""What the exchange does not have: empty lists where that is the whole truth, and refusals in the
venue's words. Source: rest-api.md and errors.md of the Binance Spot API documentation.

Every method takes an account and the parameters of a request. They raise `Refusal`.
"""

from typing import Any, Final

from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.problem import (
    CANCEL_REJECTED,
    NO_REFERENCE_PRICE,
    NO_SUCH_ORDER,
    ORDER_REJECTED,
    UNSUPPORTED_OPERATION,
    Refusal,
    missing,
    none_of,
)
from crossbook.gateway.binance.symbols import face_symbol
from crossbook.gateway.binance.venue import FaceVenue

NOT_SUPPORTED: Final = "This operation is not supported."
NO_REFERENCE: Final = "This symbol doesn't have a reference price."


class Absent:
    """Answers about order lists, smart order routing, block trades and reference prices."""

    def __init__(self, venue: FaceVenue) -> None:
        self._venue = venue

    async def oco(self, account: int, asked: Parameters) -> Any:
        """`POST order/oco`, `orderList/oco`: refused."""
        raise self._no_lists(asked, "OCO")

    async def oto(self, account: int, asked: Parameters) -> Any:
        """`POST orderList/oto`, `orderList/otoco`: refused."""
        raise self._no_lists(asked, "OTO")

    async def opo(self, account: int, asked: Parameters) -> Any:
        """`POST orderList/opo`, `orderList/opoco`: refused."""
        raise self._no_lists(asked, "OPO")

    async def unsupported(self, account: int, asked: Parameters) -> Any:
        """What is done or recorded nowhere here: refused."""
        self._venue.instrument(asked)
        raise Refusal(UNSUPPORTED_OPERATION, NOT_SUPPORTED)

    async def order_list(self, account: int, asked: Parameters) -> Any:
        """`GET orderList`: there is none of any id."""
        _check_list_id(asked, "origClientOrderId")
        raise Refusal(NO_SUCH_ORDER, "Order list does not exist.")

    async def cancel_list(self, account: int, asked: Parameters) -> Any:
        """`DELETE orderList`: there is none of any id."""
        self._venue.instrument(asked)
        _check_list_id(asked, "listClientOrderId")
        raise Refusal(CANCEL_REJECTED, "Unknown order list sent.")

    async def no_lists(self, account: int, asked: Parameters) -> Any:
        """`GET allOrderList`, `openOrderList`: there are none."""
        return []

    async def allocations(self, account: int, asked: Parameters) -> Any:
        """`GET myAllocations`: none, because no order is routed elsewhere."""
        self._venue.instrument(asked)
        return []

    async def block_trades(self, account: int, asked: Parameters) -> Any:
        """`GET historicalBlockTrades`: none."""
        self._venue.instrument(asked)
        if asked.integer("fromId") is None:
            raise missing("fromId")
        return []

    async def execution_rules(self, account: int, asked: Parameters) -> Any:
        """`GET executionRules`: no symbol has one; price bands refuse orders as filters do."""
        instruments = self._venue.instruments(asked)
        rules = [{"symbol": face_symbol(each.symbol), "rules": []} for each in instruments]
        return {"symbolRules": rules}

    async def reference_price(self, account: int, asked: Parameters) -> Any:
        """`GET referencePrice`, `referencePrice/calculation`: no symbol has one."""
        self._venue.instrument(asked)
        raise Refusal(NO_REFERENCE_PRICE, NO_REFERENCE)

    def _no_lists(self, asked: Parameters, kind: str) -> Refusal:
        self._venue.instrument(asked)
        return Refusal(ORDER_REJECTED, f"{kind} orders are not supported for this symbol.")


def _check_list_id(asked: Parameters, name: str) -> None:
    if asked.integer("orderListId") is None and asked.old_name(name) is None:
        raise none_of(name, "orderListId")
