"""Recorded order flow: commands and their expected results."""

from typing import Literal, TypeAlias

from msgspec import Struct

from crossbook.common.types import Side

Op: TypeAlias = Literal["new", "cancel", "reduce", "exec"]


class RecordedCommand(Struct, gc=False, frozen=True):
    """One recorded command. `order_id` is the recording's own id.

    `new` is a GTC limit order, `exec` an IOC limit order whose side is the aggressor's, `cancel`
    ends an order, `reduce` lowers its open quantity by `quantity_lots` and keeps its place. Side,
    price and quantity are zero where they mean nothing.
    """

    seq: int
    time_ns: int
    op: Op
    order_id: int
    side: int = 0
    price_ticks: int = 0
    quantity_lots: int = 0


class RecordedFill(Struct, gc=False, frozen=True):
    """One fill of a command: the resting order that was hit, at its price."""

    maker_id: int
    price_ticks: int
    quantity_lots: int


class BookRow(Struct, gc=False, frozen=True):
    """The venue's top levels as (price ticks, lots), best first.

    `bid_levels` and `ask_levels` are the numbers of levels known; a side with fewer has no more.
    """

    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    bid_levels: int
    ask_levels: int

    @property
    def compared(self) -> bool:
        """Whether the row shows anything: one without levels is equal to every book."""
        return bool(self.bid_levels or self.ask_levels)


class BookDigest(Struct, gc=False, frozen=True):
    """All resting orders: their number, and the SHA-256 of `digest_lines`."""

    resting_orders: int
    sha256: str


class Recording(Struct):
    """Commands in order; expectations by the `seq` of the command they follow.

    `fills` is None where the recording lists no fills. `notes` are for the report, such as skipped
    messages. `tick_size` is that of its prices, empty where the files do not show it.
    """

    name: str
    commands: list[RecordedCommand]
    fills: dict[int, list[RecordedFill]] | None
    books: dict[int, BookRow]
    digests: dict[int, BookDigest]
    notes: list[str] = []
    tick_size: str = ""


def digest_line(side: int, price_ticks: int, order_id: int, remaining_lots: int) -> str:
    """The line of one resting order in the text a `BookDigest` is taken of.

    >>> digest_line(1, 23600, 7, 50)
    'B,23600,7,50\\n'
    """
    return f"{'B' if side == Side.BUY else 'S'},{price_ticks},{order_id},{remaining_lots}\n"
