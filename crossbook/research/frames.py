"""The tables of an exchange as pandas data frames, in one call each."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crossbook.research import tables
from crossbook.research.formats import arrow_batches, arrow_schema
from crossbook.research.selection import ExportError, Selection, selection
from crossbook.research.sources import Place, source_of

if TYPE_CHECKING:
    import pandas

Symbols = str | Iterable[str] | None
Time = str | int | datetime | None


def trades(
    place: Place = None,
    symbol: Symbols = None,
    *,
    start: Time = None,
    end: Time = None,
    exact: bool = True,
) -> "pandas.DataFrame":
    """Public trades, oldest first.

    `place` is a database's URL, a journal's folder (`DATA_DIR`), an exchange with a `data_dir`, or
    nothing: then the settings of the environment name the database. `symbol` is one or several;
    `start` to `end`, the end not included, are ISO text, a datetime or nanoseconds. With `exact`
    prices, quantities and money are `Decimal`; without they are `float64`, to compute with. Raises
    `ExportError`.
    """
    return _frame(tables.TRADES, place, selection(symbol, start, end), exact)


def candles(
    place: Place = None,
    symbol: Symbols = None,
    interval: str = "1m",
    *,
    start: Time = None,
    end: Time = None,
    exact: bool = True,
) -> "pandas.DataFrame":
    """Candles of one length (`1s`, `1m`, `5m`, `15m`, `1h`, `4h`, `1d`), oldest first; see
    `trades`. A length of time without a trade has none."""
    return _frame(tables.CANDLES, place, selection(symbol, start, end, interval), exact)


def orders(
    place: Place = None,
    symbol: Symbols = None,
    *,
    start: Time = None,
    end: Time = None,
    exact: bool = True,
) -> "pandas.DataFrame":
    """Orders of every account, by id, as they are now; `start` and `end` bound their entry; see
    `trades`."""
    return _frame(tables.ORDERS, place, selection(symbol, start, end), exact)


def fills(
    place: Place = None,
    symbol: Symbols = None,
    *,
    start: Time = None,
    end: Time = None,
    exact: bool = True,
) -> "pandas.DataFrame":
    """Both sides of every trade, with account and fee, oldest first; see `trades`."""
    return _frame(tables.FILLS, place, selection(symbol, start, end), exact)


def l3(
    place: Place = None,
    symbol: Symbols = None,
    *,
    start: Time = None,
    end: Time = None,
    exact: bool = True,
) -> "pandas.DataFrame":
    """Every change of every resting order, in order; see `trades`. Only a journal has them, so
    without a `place` it is that of `DATA_DIR`."""
    return _frame(tables.L3, place, selection(symbol, start, end), exact)


def _frame(
    table: tables.Table, place: Place, selected: Selection, exact: bool
) -> "pandas.DataFrame":
    try:
        import pandas
        import pyarrow
    except ImportError as error:
        raise ExportError(
            "data frames need pandas and pyarrow: pip install 'crossbook[research]'"
        ) from error
    source = source_of(place, table)
    instruments = list(selected.of(source.instruments()).values())
    schema = arrow_schema(table, instruments, exact=exact)
    batches = arrow_batches(source.rows(table, selected), table, schema)
    found = pyarrow.Table.from_batches(batches, schema)
    frame: Any = found.to_pandas()
    # Without this ids beside missing ones would become floats, and lose digits.
    for column in table.columns:
        if column.kind == "integer" and column.optional:
            whole = found[column.name].to_pandas(
                types_mapper={pyarrow.int64(): pandas.Int64Dtype()}.get
            )
            frame[column.name] = whole
    return frame
