"""The outcome of a match before it is made, for FOK orders and for the cost of a market order.

The makers of a level are counted order by order. What icebergs hide is counted in rounds: in each
round every iceberg of the level that has lots left gives one slice, in the order of the queue. So a
dry run costs O(makers), however many slices they have.
"""

from typing import Final

from crossbook.common.rules import ICEBERG_SLICES_MAX
from crossbook.common.types import Prevention, Side
from crossbook.matcher.engine.book import OrderBook
from crossbook.matcher.engine.order import Account, Order

_BUY: Final = int(Side.BUY)
_EXPIRE_TAKER: Final = int(Prevention.EXPIRE_TAKER)
_EXPIRE_MAKER: Final = int(Prevention.EXPIRE_MAKER)
_DECREMENT: Final = int(Prevention.DECREMENT)


class DryRun:
    """A taker that walks down a side of a book, level by level, and changes nothing.

    `wanted_lots` is what it still wants, and `fills` how many more makers it may meet: a slice is a
    fill, and so is an own order that prevention removes. `stopped` is set once an own order ended
    the taker, or it has met as many makers as it may; `level_is_left` where the last level has lots
    left. `makers` counts those looked at.
    """

    __slots__ = (
        "_account", "_mode", "_own_first", "fills", "level_is_left", "makers", "stopped",
        "wanted_lots",
    )  # fmt: skip

    def __init__(self, book: OrderBook, account: Account, mode: int, wanted_lots: int) -> None:
        self._account = account if mode else None
        self._mode = mode
        self._own_first = book.edition == 1
        self.fills = book.max_fills
        self.makers = 0
        self.stopped = False
        self.level_is_left = False
        self.wanted_lots = wanted_lots

    def take(self, head: Order) -> int:
        """Lots that the taker gets of the level that begins with `head`. O(makers met)."""
        before = wanted_lots = self.wanted_lots
        fills, account = self.fills, self._account
        icebergs: list[tuple[int, int]] = []
        order: Order | None = head
        while order is not None:
            is_own = order.account is account
            if not wanted_lots and not (is_own and self._own_first):
                break
            if not fills:
                self.stopped = True
                break
            fills -= 1
            offered = order.remaining_lots
            conditions = order.conditions
            if is_own:
                if self._mode == _DECREMENT:
                    lost_lots = min(wanted_lots, offered)
                    before -= lost_lots
                    wanted_lots -= lost_lots
                elif self._mode != _EXPIRE_MAKER:
                    self.stopped = True
                    break
            elif conditions is not None and conditions.display_lots:
                shown = conditions.shown_lots
                if shown > wanted_lots:
                    wanted_lots = 0
                    break
                wanted_lots -= shown
                if offered > shown:
                    icebergs.append((offered - shown, conditions.display_lots))
            elif offered > wanted_lots:
                wanted_lots = 0
                break
            else:
                wanted_lots -= offered
            order = order.after
        self.makers += self.fills - fills
        self.fills = fills
        self.level_is_left = order is not None or bool(icebergs)
        if order is None and icebergs and wanted_lots:
            wanted_lots -= self._take_hidden(icebergs, wanted_lots)
        self.wanted_lots = wanted_lots
        return before - wanted_lots

    def _take_hidden(self, icebergs: list[tuple[int, int]], wanted_lots: int) -> int:
        """Lots of the icebergs, as (hidden lots, lots of a slice) in their order, once all that
        they showed is taken. O(icebergs x log slices)."""
        taken, fills = _slices(icebergs, ICEBERG_SLICES_MAX)
        if taken <= wanted_lots and fills <= self.fills:
            self.fills -= fills
            self.level_is_left = False
            return taken
        rounds = _whole_rounds(icebergs, wanted_lots, self.fills)
        taken, fills = _slices(icebergs, rounds)
        fills = self.fills - fills
        for hidden, display in icebergs:
            left = hidden - rounds * display
            if left <= 0:
                continue
            if taken == wanted_lots:
                break
            if not fills:
                self.stopped = True
                break
            fills -= 1
            taken += min(left, display, wanted_lots - taken)
        self.fills = fills
        self.level_is_left = taken < sum(hidden for hidden, _ in icebergs)
        return taken


def _whole_rounds(icebergs: list[tuple[int, int]], lots: int, fills: int) -> int:
    """The most rounds that have at most so many lots and slices."""
    low, high = 0, ICEBERG_SLICES_MAX
    while low < high:
        middle = (low + high + 1) // 2
        its_lots, its_fills = _slices(icebergs, middle)
        if its_lots <= lots and its_fills <= fills:
            low = middle
        else:
            high = middle - 1
    return low


def _slices(icebergs: list[tuple[int, int]], rounds: int) -> tuple[int, int]:
    """Lots and number of the slices of so many rounds."""
    lots = number = 0
    for hidden, display in icebergs:
        most = rounds * display
        if hidden > most:
            lots += most
            number += rounds
        else:
            lots += hidden
            number -= -hidden // display
    return lots, number


def is_fillable(book: OrderBook, taker: Order, bound: int) -> bool:
    """Whether the book down to the key `bound` fills all of a FOK order, within the makers that an
    order may meet.

    O(makers). With self-trade prevention own orders stand in the way by the taker's mode,
    and with `DECREMENT` the order would not be filled whole.
    """
    side = book.asks if taker.side == _BUY else book.bids
    mode = _EXPIRE_TAKER if taker.prevention == _DECREMENT else taker.prevention
    run = DryRun(book, taker.account, mode, taker.remaining_lots)
    for key in reversed(side.keys):
        if key < bound or run.stopped or not run.wanted_lots:
            break
        run.take(side.heads[key])
    book.effort.add(run.makers)
    return not run.wanted_lots and not run.stopped


def cost(
    book: OrderBook, account: Account, side: int, mode: int, lots: int, bound: int, enough: int
) -> int:
    """Quote units that a market order for so many lots would trade for; any amount above `enough`
    where it is more. O(makers)."""
    makers = book.asks if side == _BUY else book.bids
    run = DryRun(book, account, mode, lots)
    total = 0
    for key in reversed(makers.keys):
        if key < bound or run.stopped or not run.wanted_lots or total > enough:
            break
        head = makers.heads[key]
        total += run.take(head) * head.price_ticks * book.notional_per_tick_lot
    book.effort.add(run.makers)
    return total


def lots_for(
    book: OrderBook, account: Account, side: int, mode: int, quote_amount: int, bound: int
) -> int:
    """Lots that a market order by quote amount would trade. O(makers)."""
    makers = book.asks if side == _BUY else book.bids
    run = DryRun(book, account, mode, 0)
    total = 0
    for key in reversed(makers.keys):
        if key < bound or run.stopped:
            break
        head = makers.heads[key]
        lot_price = head.price_ticks * book.notional_per_tick_lot
        run.wanted_lots = quote_amount // lot_price
        lots = run.take(head)
        total += lots
        quote_amount -= lots * lot_price
        if run.level_is_left:
            break
    book.effort.add(run.makers)
    return total
