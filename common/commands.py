"""Commands: what a gateway asks of the matcher. Integers only; nothing here needs parsing.

`gateway` and `request` name the command's origin. Request numbers of one gateway only ever grow
(see `common.sequence`), so the matcher can tell a repeat from news.
"""

from typing import TypeAlias

from msgspec import Struct


class NewOrder(Struct, array_like=True, tag=1, gc=False, frozen=True):
    """Enter an order. A market order has price zero; by quote amount it has zero lots."""

    gateway: int
    request: int
    account: int
    instrument: int
    side: int
    order_type: int
    time_in_force: int
    price_ticks: int
    quantity_lots: int
    client_order_id: str = ""
    quote_amount: int = 0


class CancelOrder(Struct, array_like=True, tag=2, gc=False, frozen=True):
    """Cancel one open order of `account`, by id or (id zero) by client order id."""

    gateway: int
    request: int
    account: int
    instrument: int
    order_id: int
    client_order_id: str = ""


class AmendOrder(Struct, array_like=True, tag=3, gc=False, frozen=True):
    """Change an open order; zero leaves a term as it is, `quantity_lots` is the new total."""

    gateway: int
    request: int
    account: int
    instrument: int
    order_id: int
    price_ticks: int
    quantity_lots: int
    client_order_id: str = ""


class MassCancelOrders(Struct, array_like=True, tag=4, gc=False, frozen=True):
    """Cancel all open orders of `account`; instrument zero means all, side zero both."""

    gateway: int
    request: int
    account: int
    instrument: int = 0
    side: int = 0


Command: TypeAlias = NewOrder | CancelOrder | AmendOrder | MassCancelOrders
