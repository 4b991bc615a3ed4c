"""Many rows in one statement, in the fastest form of each database.

For SQLite, a library, the driver runs one prepared statement for every row. PostgreSQL is behind a
socket: it gets every column as one array, and one statement for all rows. Rows as dictionaries of
SQLAlchemy would take several times as long with either.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Connection, Dialect, Table

from crossbook.recorder.database import SQLITE
from crossbook.recorder.tables import CANDLES, INSTRUMENTS, ORDERS, PART

Rows = Sequence[tuple[Any, ...]]

_CHANGED: Final = (
    "order_id", "price_ticks", "quantity_lots", "status", "filled_lots", "open_lots",
    "filled_notional", "reason", "updated_ns", "updated_seq", "trigger_ticks", "display_lots",
    "working", "filled_notional_high",
)  # fmt: skip
"""Columns of a change, in the order of `crossbook.recorder.sums.order_row`."""


class Bulk:
    """The statements of one dialect. Rows are tuples in the order of the table's columns; those
    of `change_orders` in the order of `crossbook.recorder.sums.order_row`."""

    def __init__(self, dialect: Dialect) -> None:
        self._in_arrays = dialect.name != SQLITE
        self._dialect = dialect
        self._inserts: dict[str, str] = {}
        self._put_candles = self._upsert(CANDLES)
        self._put_instruments = self._upsert(INSTRUMENTS)
        self._change_orders = self._change()

    def insert(self, connection: Connection, table: Table, rows: Rows) -> None:
        """Add rows to a table."""
        if table.name not in self._inserts:
            self._inserts[table.name] = self._insert(table)
        self._run(connection, self._inserts[table.name], rows)

    def put_candles(self, connection: Connection, rows: Rows) -> None:
        """Add candles, or replace their earlier state."""
        self._run(connection, self._put_candles, rows)

    def put_instruments(self, connection: Connection, rows: Rows) -> None:
        """Add instruments, or replace what was stored of them."""
        self._run(connection, self._put_instruments, rows)

    def change_orders(self, connection: Connection, rows: Rows) -> None:
        """Change stored orders; changes of others have no effect."""
        self._run(connection, self._change_orders, rows)

    def _run(self, connection: Connection, statement: str, rows: Rows) -> None:
        if not rows:
            return
        if self._in_arrays:
            columns = tuple(list(column) for column in zip(*rows, strict=True))
            connection.exec_driver_sql(statement, columns)
        else:
            connection.exec_driver_sql(statement, list(rows))

    def _insert(self, table: Table) -> str:
        names = ", ".join(column.name for column in table.columns)
        return f"INSERT INTO {table.name} ({names}) {self._rows(list(table.columns))}"

    def _upsert(self, table: Table) -> str:
        key = ", ".join(column.name for column in table.primary_key.columns)
        rest = [column.name for column in table.columns if not column.primary_key]
        changes = ", ".join(f"{name} = excluded.{name}" for name in rest)
        return f"{self._insert(table)} ON CONFLICT ({key}) DO UPDATE SET {changes}"

    def _rows(self, columns: "list[Column[Any]]") -> str:
        """The end of an INSERT: the rows."""
        if not self._in_arrays:
            return f"VALUES ({', '.join('?' * len(columns))})"
        return f"SELECT * FROM unnest({', '.join(self._array(column) for column in columns)})"

    def _array(self, column: "Column[Any]") -> str:
        return f"%s::{column.type.compile(self._dialect)}[]"

    def _change(self) -> str:
        """A NULL of a change leaves the column as it is. Neither database adds beyond 63 bits, so
        the lower parts of two notionals carry into the higher one."""
        arrays = self._in_arrays
        places = enumerate(_CHANGED, 1)
        new = {name: f"new.{name}" if arrays else f"?{place}" for place, name in places}
        changes = {name: new[name] for name in _CHANGED[1:]}
        for name in ("price_ticks", "quantity_lots", "trigger_ticks", "display_lots", "working"):
            changes[name] = f"coalesce({new[name]}, orders.{name})"
        added = f"(orders.filled_notional + {new['filled_notional']})"
        changes["filled_notional"] = f"{added} - {added} / {PART} * {PART}"
        changes["filled_notional_high"] = (
            f"orders.filled_notional_high + {new['filled_notional_high']} + {added} / {PART}"
        )
        setting = ", ".join(f"{name} = {value}" for name, value in changes.items())
        source = ""
        if arrays:
            by_name = {column.name: column for column in ORDERS.columns}
            columns = [by_name[name] for name in _CHANGED]
            unnested = ", ".join(self._array(column) for column in columns)
            source = f" FROM unnest({unnested}) AS new ({', '.join(_CHANGED)})"
        return f"UPDATE orders SET {setting}{source} WHERE orders.order_id = {new['order_id']}"
