"""Writing: one transaction for many batches and the position after them.

A transaction that did not commit left nothing; one that did moved the position. A recorder that
starts from the position therefore records every command once, whatever was killed when.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, inspect, select, update

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import Instrument
from crossbook.common.messages.history_queries import CANDLE_INTERVALS_S, Candle
from crossbook.common.process.crash_points import reached
from crossbook.recorder.bulk import Bulk
from crossbook.recorder.database import described
from crossbook.recorder.digest import Changes, RecordPosition, ReductionRow
from crossbook.recorder.replica import REMEDY, RecordBrokenError
from crossbook.recorder.sums import add_bought, candle_of, candle_row, cut_sum, order_row, widen
from crossbook.recorder.tables import (
    AMENDMENTS,
    CANDLES,
    FILLS,
    INSTRUMENTS,
    METADATA,
    ORDERS,
    POSITION,
    SCHEMA_VERSION,
    TRADES,
)

_ONE_COLUMN_A_SUM: Final = 2
"""The schema version before sums had two columns."""

_NO_INSTRUMENTS: Final = 3
"""The schema version before instruments were recorded."""

_NO_TAKER_BUYS: Final = 4
"""The schema version before candles had what takers bought."""

_NO_AMENDMENTS: Final = 5
"""The schema version before amendments were recorded."""

_UPGRADED: Final = (_ONE_COLUMN_A_SUM, _NO_INSTRUMENTS, _NO_TAKER_BUYS, _NO_AMENDMENTS)

_AT_ONCE: Final = 500
"""Most orders of one query for their quantities."""

_PLACE: Final = 1
"""Id of the one row of `position`."""

_LATEST_CANDLE: Final = (
    select(*list(CANDLES.c)[1:])
    .where(
        CANDLES.c.instrument == bindparam("instrument"),
        CANDLES.c.interval_s == bindparam("interval_s"),
    )
    .order_by(CANDLES.c.open_ns.desc())
    .limit(1)
)
"""Made once: to make it costs several times as much as to execute it."""


class Store:
    """The tables of one database, for the one process that writes them.

    Every method may raise SQLAlchemy's `DBAPIError`, and then has changed nothing.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._bulk = Bulk(engine.dialect)

    def open(self, *, rebuild: bool = False) -> None:
        """Make the tables where they are missing; with `rebuild`, make them anew and empty.

        Raises `ConfigError` for tables of another version.
        """
        with self._engine.begin() as connection:
            if rebuild:
                METADATA.drop_all(connection)
            elif inspect(connection).has_table(POSITION.name):
                version = connection.scalar(select(POSITION.c.schema_version))
                if version == _ONE_COLUMN_A_SUM:
                    self._widen(connection)
                if version in _UPGRADED:
                    INSTRUMENTS.create(connection, checkfirst=True)
                    AMENDMENTS.create(connection, checkfirst=True)
                    if version < _NO_AMENDMENTS:
                        add_bought(connection)
                    connection.execute(update(POSITION).values(schema_version=SCHEMA_VERSION))
                    version = SCHEMA_VERSION
                if version != SCHEMA_VERSION:
                    raise ConfigError(
                        f"DATABASE_URL: the tables in {described(self._engine)} are of version "
                        f"{version}, and this program writes version {SCHEMA_VERSION}. {REMEDY}"
                    )
                return
            METADATA.create_all(connection)
            row = dict.fromkeys(POSITION.columns.keys(), 0)
            row |= {"id": _PLACE, "schema_version": SCHEMA_VERSION}
            connection.execute(POSITION.insert().values(row))

    def _widen(self, connection: Connection) -> None:
        """Give sums that have one column their second one."""
        cut = cut_sum(connection)
        if cut is not None:
            raise ConfigError(
                f"DATABASE_URL: {cut} in {described(self._engine)} holds a sum that was cut off at "
                f"2^63-1 by an earlier version of this program. {REMEDY}"
            )
        widen(connection)

    def load(self, instruments: Iterable[int]) -> tuple[RecordPosition, dict[int, list[Candle]]]:
        """The position, and the latest candles of these instruments as of it."""
        with self._engine.begin() as connection:
            position = position_of(connection)
            latest = {
                instrument: latest_candles(connection, instrument) for instrument in instruments
            }
        return position, latest

    def latest(self, instrument: int) -> list[Candle]:
        """The latest candle of every length of an instrument."""
        with self._engine.begin() as connection:
            return latest_candles(connection, instrument)

    def write(self, changes: Changes) -> None:
        """Write everything or nothing.

        Raises `RecordBrokenError` where the changes do not begin at the stored position: another
        process writes to the database.
        """
        with self._engine.begin() as connection:
            _move(connection, changes.before, changes.after)
            bulk = self._bulk
            # Before the orders change: the stored row has the quantity before.
            bulk.insert(connection, AMENDMENTS, amendment_rows(connection, changes.amendments))
            bulk.insert(connection, ORDERS, [order_row(row) for row in changes.orders])
            bulk.change_orders(connection, [order_row(row) for row in changes.changed])
            reached("recorder.writing")
            bulk.insert(connection, TRADES, changes.trades)
            bulk.insert(connection, FILLS, changes.fills)
            candles = [candle_row(instrument, candle) for instrument, candle in changes.candles]
            bulk.put_candles(connection, candles)
            instruments = [instrument_row(each) for each in changes.instruments]
            bulk.put_instruments(connection, instruments)


def instrument_row(instrument: Instrument) -> tuple[int | str, ...]:
    """The columns of an instrument."""
    return tuple(getattr(instrument, column.key) for column in INSTRUMENTS.columns)


def amendment_rows(
    connection: Connection, amendments: Sequence[ReductionRow]
) -> list[tuple[int, ...]]:
    """The rows of amendments that made an order smaller. An order that is not stored, because the
    record begins later, has none where only its row would have the quantity before."""
    unknown = [each.order_id for each in amendments if each.before_lots is None]
    columns = ORDERS.c
    stored: dict[int, int] = {}
    for first in range(0, len(unknown), _AT_ONCE):
        query = select(columns.order_id, columns.quantity_lots).where(
            columns.order_id.in_(unknown[first : first + _AT_ONCE])
        )
        stored |= {row.order_id: row.quantity_lots for row in connection.execute(query)}
    rows: list[tuple[int, ...]] = []
    for each in amendments:
        before = stored.get(each.order_id) if each.before_lots is None else each.before_lots
        if before is not None and before > each.quantity_lots:
            rows.append((each.order_id, each.seq, before, each.quantity_lots, each.time_ns))
    return rows


def position_of(connection: Connection) -> RecordPosition:
    """The position of the record, in this connection's transaction."""
    place = POSITION.c
    row = connection.execute(
        select(place.incarnation, place.seq, place.time_ns, place.first_seq, place.last_fill_id)
    ).one()
    return RecordPosition(*row)


def latest_candles(connection: Connection, instrument: int) -> list[Candle]:
    """The latest candle of every length that has one, shortest first."""
    return [
        candle_of(row)
        for interval_s in CANDLE_INTERVALS_S
        for row in connection.execute(
            _LATEST_CANDLE, {"instrument": instrument, "interval_s": interval_s}
        )
    ]


def _move(connection: Connection, before: RecordPosition, after: RecordPosition) -> None:
    place = POSITION.c
    moved = connection.execute(
        update(POSITION)
        .where(place.id == _PLACE, place.incarnation == before.incarnation, place.seq == before.seq)
        .values(
            incarnation=after.incarnation,
            seq=after.seq,
            time_ns=after.time_ns,
            first_seq=after.first_seq,
            last_fill_id=after.last_fill_id,
        )
    )
    if moved.rowcount != 1:
        raise RecordBrokenError(
            f"the database is no longer at command {before.seq}, where this process left it: "
            "another recorder writes into it. Give each exchange its own DATABASE_URL"
        )
