"""Maker and taker fees in integers; the one place that rounds."""

from crossbook.common.instruments import FEE_SCALE


def fee(amount: int, rate: int) -> int:
    """The fee on `amount` at `rate` millionths, both in the asset's smallest unit.

    Rounded against the trader: a fee up to the next unit, a rebate (negative) towards zero.

    >>> fee(1001, 1000), fee(1001, -1000)
    (2, -1)
    """
    return -(-amount * rate // FEE_SCALE)
