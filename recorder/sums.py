"""Sums as the tables hold them: exact in two columns, because a column ends at 2^63-1.

The first column holds the sum modulo `PART`, the one named `*_high` the quotient. The digits of
both columns together are the decimal digits of the sum.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import astuple, replace
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    literal_column,
    select,
    text,
    update,
)

from crossbook.common.messages.history_queries import Candle, OrderRecord
from crossbook.common.types import MAX_INT
from crossbook.recorder.digest import OrderRow, OrderUpdate
from crossbook.recorder.tables import CANDLES, ORDERS, PART

SUMS: Final[Sequence[tuple[Table, str, str]]] = (
    (ORDERS, "filled_notional", "filled_notional_high"),
    (CANDLES, "volume_lots", "volume_high"),
    (CANDLES, "quote_volume", "quote_volume_high"),
)
"""Table, column of the lower part, column of the higher part: sums that version 2 had too."""

BOUGHT: Final = (
    "taker_buy_lots", "taker_buy_quote_volume", "taker_buy_high", "taker_buy_quote_volume_high",
)  # fmt: skip
"""Columns of candles that version 5 added."""

Row = tuple[Any, ...]

_VOLUME: Final = Candle.__struct_fields__.index("volume_lots")
_QUOTE: Final = Candle.__struct_fields__.index("quote_volume")


def order_row(row: OrderRow | OrderUpdate) -> Row:
    """The columns of an order to insert, or of a change."""
    high, low = divmod(row.filled_notional, PART)
    if high:
        row = replace(row, filled_notional=low)
    return (*astuple(row), high)


def order_of(row: Sequence[Any]) -> OrderRecord:
    """The order of a row whose last column is the higher part of its notional."""
    order = OrderRecord(*row[:-1])
    if row[-1]:
        order = replace(order, filled_notional=row[-1] * PART + order.filled_notional)
    return order


def candle_row(instrument: int, candle: Candle) -> Row:
    """The columns of a candle."""
    *fields, bought, bought_for = astuple(candle)
    volume_high, fields[_VOLUME] = divmod(candle.volume_lots, PART)
    quote_high, fields[_QUOTE] = divmod(candle.quote_volume, PART)
    bought_high, bought = divmod(bought, PART)
    bought_for_high, bought_for = divmod(bought_for, PART)
    return (
        instrument, *fields, volume_high, quote_high, bought, bought_for, bought_high,
        bought_for_high,
    )  # fmt: skip


def candle_of(row: Sequence[Any]) -> Candle:
    """The candle of a row without its instrument."""
    *fields, volume_high, quote_high, bought, bought_for, bought_high, bought_for_high = row
    fields[_VOLUME] += volume_high * PART
    fields[_QUOTE] += quote_high * PART
    fields += (bought + bought_high * PART, bought_for + bought_for_high * PART)
    return Candle(*fields)


def cut_sum(connection: Connection) -> str | None:
    """The first column of version 2 with a sum cut off at 2^63-1; None without any."""
    for table, name, _ in SUMS:
        place = table.c[name]
        if connection.execute(select(place).where(place == MAX_INT).limit(1)).first():
            return f"{table.name}.{name}"
    return None


def widen(connection: Connection) -> None:
    """Add the columns of the higher parts to tables of version 2. O(rows)."""
    for table, _, high in SUMS:
        kind = table.c[high].type.compile(connection.dialect)
        column = f"ALTER TABLE {table.name} ADD COLUMN {high} {kind} NOT NULL DEFAULT 0"
        connection.execute(text(column))
    part: ColumnElement[int] = literal_column(str(PART), BigInteger)
    for table, name, high in SUMS:
        low = table.c[name]
        times = low.op("/")(part)
        values = {high: times, name: low - times.op("*")(part)}
        connection.execute(update(table).where(low >= PART).values(values))


def add_bought(connection: Connection) -> None:
    """Add the columns of what takers bought to tables of version 4; zero in their candles."""
    for name in BOUGHT:
        kind = CANDLES.c[name].type.compile(connection.dialect)
        column = f"ALTER TABLE {CANDLES.name} ADD COLUMN {name} {kind} NOT NULL DEFAULT 0"
        connection.execute(text(column))
