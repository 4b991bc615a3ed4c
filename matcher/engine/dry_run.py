"""The outcome of a match before it is made: the same walk over the same makers.

For FOK orders, and for what a market order will cost before anything changes.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from crossbook.common.types import Prevention, Side
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.order import Account, BookSide, Order

_BUY: Final = int(Side.BUY)
_EXPIRE_MAKER: Final = int(Prevention.EXPIRE_MAKER)
_DECREMENT: Final = int(Prevention.DECREMENT)


def offers(side: BookSide, bound: int) -> Iterator[tuple[Order, int]]:
    """(maker, lots) in the order a sweep down to the key `bound` would meet them, each slice of
    an iceberg at the place where it would stand."""
    for key in reversed(side.keys):
        if key < bound:
            return
        slices: deque[tuple[Order, int]] = deque()
        order: Order | None = side.heads[key]
        while order is not None:
            shown = order.shown_lots
            yield order, shown
            if order.remaining_lots > shown:
                slices.append((order, order.remaining_lots - shown))
            order = order.after
        while slices:
            order, hidden = slices.popleft()
            assert order.conditions is not None, "a plain order hides nothing"
            shown = min(order.conditions.display_lots, hidden)
            yield order, shown
            if hidden > shown:
                slices.append((order, hidden - shown))


def is_fillable(book: OrderBook, taker: Order, bound: int) -> bool:
    """Whether the book down to the key `bound` fills all of a FOK order.

    O(makers). With self-trade prevention own orders stand in the way by the taker's mode,
    and with `DECREMENT` the order would not be filled whole.
    """
    side = book.asks if taker.side == _BUY else book.bids
    wanted = taker.remaining_lots
    mode = taker.prevention
    if not mode:
        return side.lots_within(bound, wanted) >= wanted
    owner = taker.account
    for maker, lots in offers(side, bound):
        if maker.account is owner:
            if mode != _EXPIRE_MAKER:
                return False
            continue
        wanted -= lots
        if wanted <= 0:
            return True
    return False


def cost(book: OrderBook, account: Account, side: int, mode: int, lots: int, bound: int) -> int:
    """Quote units that a market order for so many lots would trade for. O(makers)."""
    unit = book.notional_per_tick_lot
    total = 0
    met: set[int] = set()
    for maker, offered in offers(book.asks if side == _BUY else book.bids, bound):
        if mode and maker.account is account:
            if mode not in (_EXPIRE_MAKER, _DECREMENT):
                break
            if mode == _DECREMENT and maker.order_id not in met:
                met.add(maker.order_id)
                lots -= maker.remaining_lots
        else:
            taken = min(lots, offered)
            total += taken * maker.price_ticks * unit
            lots -= taken
        if lots <= 0:
            break
    return total


def lots_for(
    book: OrderBook, account: Account, side: int, mode: int, quote_amount: int, bound: int
) -> int:
    """Lots that a market order by quote amount would trade. O(makers)."""
    total = 0
    own_first = book.edition == 1
    for maker, offered in offers(book.asks if side == _BUY else book.bids, bound):
        is_own = bool(mode) and maker.account is account
        lot_price = maker.price_ticks * book.notional_per_tick_lot
        if quote_amount < lot_price and not (own_first and is_own):
            break
        if is_own:
            if mode != _EXPIRE_MAKER:
                break
            continue
        taken = min(offered, quote_amount // lot_price)
        total += taken
        quote_amount -= taken * lot_price
    return total
