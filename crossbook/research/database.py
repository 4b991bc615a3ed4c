"""Rows of the recorder's database, read in one transaction while the recorder goes on writing."""

from collections.abc import Callable, Iterator
from heapq import merge
from typing import Any, Final

from sqlalchemy import Connection, Select, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from crossbook.common.instruments import Instrument
from crossbook.recorder.database import described, open_database, reason_of
from crossbook.recorder.sums import candle_of
from crossbook.recorder.tables import (
    CANDLES,
    FILLS,
    INSTRUMENTS,
    ORDERS,
    POSITION,
    SCHEMA_VERSION,
    TRADES,
)
from crossbook.research import tables
from crossbook.research.rows import candle_row, fill_row, order_of_columns, order_row, trade_row
from crossbook.research.selection import ExportError, Selection
from crossbook.research.tables import Row, Table

ROWS_AT_ONCE: Final = 2_000
"""Rows that a query holds in memory at a time."""


class DatabaseSource:
    """The tables of one database of a recorder, except L3 events, which are in the journal only.

    Raises `ConfigError` or `ExportError`, without the URL in it, because that may hold a password.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_database(url, read_only=True)
        self.name = described(self._engine)
        try:
            with self._engine.connect() as connection:
                self._instruments = self._read_instruments(connection)
        except SQLAlchemyError as error:
            raise self._failed(error) from error

    def instruments(self) -> list[Instrument]:
        """Every instrument of the record."""
        return self._instruments

    def rows(self, table: Table, selected: Selection) -> Iterator[Row]:
        """The selected rows of a table, in its order, as of one moment."""
        reads: dict[str, Callable[[Connection, dict[int, Instrument], Selection], Iterator[Row]]]
        reads = {"trades": _trades, "candles": _candles, "orders": _orders, "fills": _fills}
        if table.name not in reads:
            raise ExportError(
                "the recorder stores no order-by-order events: read them from the journal",
                "journal",
            )
        try:
            with self._engine.begin() as connection:
                yield from reads[table.name](
                    connection.execution_options(yield_per=ROWS_AT_ONCE),
                    selected.of(self._instruments),
                    selected,
                )
        except SQLAlchemyError as error:
            raise self._failed(error) from error

    def _read_instruments(self, connection: Connection) -> list[Instrument]:
        if not inspect(connection).has_table(POSITION.name):
            raise ExportError(f"{self.name}: holds no tables of a recorder", "database")
        version = connection.scalar(select(POSITION.c.schema_version))
        if version != SCHEMA_VERSION:
            raise ExportError(
                f"{self.name}: the tables are of version {version}, and this program reads "
                f"version {SCHEMA_VERSION}; a recorder of this version upgrades them when it "
                "starts, or tells how they are made anew",
                "database",
            )
        return [
            Instrument(
                **row,
                max_price_ticks=0,
                min_quantity_lots=0,
                max_quantity_lots=0,
                min_notional=0,
                maker_fee_rate=0,
                taker_fee_rate=0,
            )
            for row in connection.execute(select(INSTRUMENTS).order_by(INSTRUMENTS.c.id)).mappings()
        ]

    def _failed(self, error: Exception) -> ExportError:
        return ExportError(f"{self.name}: {reason_of(error)}", "database")


def _trades(
    connection: Connection, instruments: dict[int, Instrument], selected: Selection
) -> Iterator[Row]:
    columns = TRADES.c
    names = (
        "trade_id", "seq", "price_ticks", "quantity_lots", "aggressor_side", "maker_order_id",
        "taker_order_id", "time_ns",
    )  # fmt: skip

    def stream(instrument: Instrument) -> Iterator[Row]:
        query = (
            select(*(columns[name] for name in names))
            .where(columns.instrument == instrument.id)
            .where(columns.time_ns >= selected.from_ns, columns.time_ns < selected.to_ns)
            .order_by(columns.trade_id)
        )
        return (trade_row(instrument, *row) for row in connection.execute(query))

    seq = tables.TRADES.names.index("seq")
    return merge(*map(stream, instruments.values()), key=lambda row: row[seq])


def _candles(
    connection: Connection, instruments: dict[int, Instrument], selected: Selection
) -> Iterator[Row]:
    columns = CANDLES.c

    def stream(instrument: Instrument) -> Iterator[tuple[int, int, Row]]:
        query: Select[Any] = (
            select(*list(columns)[1:])
            .where(columns.instrument == instrument.id)
            .where(columns.interval_s == selected.interval_s)
            .where(columns.open_ns >= selected.from_ns, columns.open_ns < selected.to_ns)
            .order_by(columns.open_ns)
        )
        for found in connection.execute(query):
            candle = candle_of(found)
            yield candle.open_ns, instrument.id, candle_row(instrument, candle)

    return (row for _, _, row in merge(*map(stream, instruments.values())))


def _orders(
    connection: Connection, instruments: dict[int, Instrument], selected: Selection
) -> Iterator[Row]:
    columns = ORDERS.c
    query = (
        select(ORDERS)
        .where(columns.instrument.in_(instruments))
        .where(columns.created_ns >= selected.from_ns, columns.created_ns < selected.to_ns)
        .order_by(columns.order_id)
    )
    for row in connection.execute(query):
        order = order_of_columns(row)
        yield order_row(instruments[order.instrument], order)


def _fills(
    connection: Connection, instruments: dict[int, Instrument], selected: Selection
) -> Iterator[Row]:
    columns = FILLS.c
    names = (
        "instrument", "trade_id", "seq", "time_ns", "account", "order_id", "client_order_id",
        "side", "price_ticks", "quantity_lots", "fee", "liquidity",
    )  # fmt: skip
    query = (
        select(*(columns[name] for name in names))
        .where(columns.instrument.in_(instruments))
        .where(columns.time_ns >= selected.from_ns, columns.time_ns < selected.to_ns)
        .order_by(columns.fill_id)
    )
    for instrument, *fill in connection.execute(query):
        yield fill_row(instruments[instrument], *fill)
