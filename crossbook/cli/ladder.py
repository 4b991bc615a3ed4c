"""A book as a ladder in the terminal: asks above, bids below, the best of both in the middle."""

from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from crossbook.common.grid import format_decimal
from crossbook.common.instruments import Instrument
from crossbook.common.types import Side

BAR_CELLS: Final = 24
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_FULL: Final = "█"

Levels = Sequence[tuple[int, int]]


def ladder(
    instrument: Instrument,
    bids: Levels,
    asks: Levels,
    rows: int,
    *,
    seq: int = 0,
    last: tuple[int, int] | None = None,
    note: str = "",
) -> RenderableType:
    """`rows` levels of each side as a table that keeps its height while the book changes.

    Bars compare the quantities on show; `total` sums them from the best level outwards. `last` is
    price and aggressor side of the last trade. `note` stands at the foot (why the book is not
    current, for instance).
    """
    table = Table(
        title=_title(instrument, seq, last),
        caption=note or None,
        caption_style="yellow",
        box=None,
        padding=(0, 1),
        pad_edge=False,
    )
    for name in (f"total {instrument.base}", instrument.base, f"price {instrument.quote}"):
        table.add_column(name, justify="right", no_wrap=True, header_style="dim")
    table.add_column("", width=BAR_CELLS, no_wrap=True)
    asks, bids = asks[:rows], bids[:rows]
    largest = max((lots for _, lots in (*asks, *bids)), default=0)
    for _ in range(rows - len(asks)):
        table.add_row()
    for line in reversed(_side(instrument, asks, largest, "red")):
        table.add_row(*line)
    table.add_row("", "", *_middle(instrument, bids, asks))
    for line in _side(instrument, bids, largest, "green"):
        table.add_row(*line)
    for _ in range(rows - len(bids)):
        table.add_row()
    return table


def bar(lots: int, largest: int, cells: int = BAR_CELLS) -> str:
    """A bar of `lots` in proportion to `largest`, in eighths of a cell; never empty.

    >>> bar(1, 2, 3)
    '█▌'
    """
    eighths = max(1, lots * cells * 8 // largest)
    whole, rest = divmod(eighths, 8)
    return _FULL * whole + (_EIGHTHS[rest] if rest else "")


def spread_text(instrument: Instrument, bid_ticks: int, ask_ticks: int) -> str:
    """The distance between best bid and offer, in price and in basis points of their middle.

    >>> from crossbook.common.instruments import example
    >>> spread_text(example(), 5000000, 5000100)
    'spread 1.00 (0.20 bp)'
    >>> spread_text(example(), 5000100, 5000000)
    'crossed'
    """
    ticks = ask_ticks - bid_ticks
    if ticks <= 0:
        return "crossed"
    both = bid_ticks + ask_ticks
    hundredths = (ticks * 2_000_000 + both // 2) // both
    return f"spread {instrument.price_text(ticks)} ({format_decimal(hundredths, 2)} bp)"


def _title(instrument: Instrument, seq: int, last: tuple[int, int] | None) -> Text:
    title = Text(f"{instrument.symbol}  #{seq}", "bold")
    if last is not None:
        price_ticks, aggressor_side = last
        style = "green" if aggressor_side == Side.BUY else "red"
        title.append(f"  last {instrument.price_text(price_ticks)}", style)
    return title


def _side(
    instrument: Instrument, levels: Levels, largest: int, style: str
) -> list[tuple[Text, Text, Text, Text]]:
    lines: list[tuple[Text, Text, Text, Text]] = []
    total = 0
    for price_ticks, lots in levels:
        total += lots
        lines.append(
            (
                Text(instrument.quantity_text(total), "dim"),
                Text(instrument.quantity_text(lots)),
                Text(instrument.price_text(price_ticks), f"bold {style}"),
                Text(bar(lots, largest), style),
            )
        )
    return lines


def _middle(instrument: Instrument, bids: Levels, asks: Levels) -> tuple[Text, Text]:
    rule = Text("─" * 10, "dim")
    if bids and asks:
        return rule, Text(spread_text(instrument, bids[0][0], asks[0][0]), "dim")
    missing = "no orders" if not bids and not asks else "no bids" if asks else "no asks"
    return rule, Text(missing, "yellow")
