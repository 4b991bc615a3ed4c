"""Files hold every row exactly, whole or not at all, and read back with pyarrow and pandas."""

import csv
import gzip
import io
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pandas
import pyarrow as arrow
import pytest
from msgspec.structs import replace
from pyarrow import feather, parquet

from crossbook.common.instruments import example
from crossbook.research.formats import (
    FORMATS,
    ROWS_AT_ONCE,
    Format,
    describe,
    format_of,
    write,
)
from crossbook.research.selection import ExportError, selection
from crossbook.research.sources import source_of
from crossbook.research.tables import DECIMALS, TABLES, TRADES, Row, Table
from tests.properties.market import INSTRUMENTS
from tests.worlds.stored_exchange import StoredExchange, stored_exchange

TRADE: Row = (
    "BTC-USDT", 1, 2, 1_767_312_000_000_000_001, "50000.01", "0.00001", "0.50000010", "buy", 3, 4,
)  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredExchange:
    """An exchange of some hundred commands."""
    return stored_exchange(tmp_path_factory.mktemp("data"), seed=3, batches=120)


def exported(stored: StoredExchange, table: Table, file: Path, chosen: Format) -> list[Row]:
    """The rows of a table, once they are in the file."""
    selected = selection([each.symbol for each in INSTRUMENTS])
    source = source_of(stored.folder, table)
    rows = list(source.rows(table, selected))
    assert write(rows, table, INSTRUMENTS, chosen, file) == len(rows) > 0
    return rows


def plain(row: Row, table: Table) -> tuple[object, ...]:
    """A row as Arrow returns it: decimals as such, times in nanoseconds."""
    return tuple(
        Decimal(value) if column.kind in DECIMALS and value is not None else value
        for column, value in zip(table.columns, row, strict=True)
    )


@pytest.mark.parametrize("chosen", ["parquet", "arrow"])
@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_binary_files_hold_every_row_exactly(
    stored: StoredExchange, tmp_path: Path, table: Table, chosen: Format
) -> None:
    file = tmp_path / "export"
    rows = exported(stored, table, file, chosen)
    found = parquet.read_table(file) if chosen == "parquet" else feather.read_table(file)
    assert found.schema.names == list(table.names)
    times = [column.name for column in table.columns if column.kind == "time"]
    for name in times:
        assert found.schema.field(name).type == arrow.timestamp("ns", tz="UTC")
        place = found.schema.get_field_index(name)
        found = found.set_column(place, name, found[name].cast(arrow.int64()))
    assert list(zip(*(found[name].to_pylist() for name in table.names), strict=True)) == [
        plain(row, table) for row in rows
    ]
    facts = msgspec.json.decode(found.schema.metadata[b"crossbook"])
    assert facts == describe(table, INSTRUMENTS)
    assert found.schema.field("symbol").metadata == {b"meaning": b"the instrument"}


def test_decimals_have_as_many_digits_as_the_finest_instrument(
    stored: StoredExchange, tmp_path: Path
) -> None:
    exported(stored, TRADES, tmp_path / "t.parquet", "parquet")
    schema = parquet.read_schema(tmp_path / "t.parquet")
    assert schema.field("price").type == arrow.decimal128(38, 2)
    assert schema.field("quantity").type == arrow.decimal128(38, 5)
    assert schema.field("notional").type == arrow.decimal128(38, 8)


@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz"])
@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_csv_holds_every_row_exactly(
    stored: StoredExchange, tmp_path: Path, table: Table, name: str
) -> None:
    rows = exported(stored, table, tmp_path / name, "csv")
    raw = (tmp_path / name).read_bytes()
    text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
    header, *lines = csv.reader(io.StringIO(text))
    assert header == list(table.names)
    times = [column.name for column in table.columns if column.kind == "time"]
    read = pandas.read_csv(tmp_path / name, dtype=str, keep_default_na=False)
    assert len(lines) == len(read) == len(rows)
    for row, line in zip(rows, lines, strict=True):
        for column, value, cell in zip(table.columns, row, line, strict=True):
            if value is None:
                assert cell == ""
            elif column.name in times:
                assert pandas.Timestamp(cell).value == value
            elif column.kind == "boolean":
                assert cell == str(value).lower()
            else:
                assert cell == str(value)


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        write([TRADE], TRADES, [example()], "csv", tmp_path / name)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


@pytest.mark.parametrize("chosen", FORMATS)
def test_a_table_without_rows_has_its_columns(tmp_path: Path, chosen: Format) -> None:
    file = tmp_path / "empty"
    assert write([], TRADES, [example()], chosen, file) == 0
    readers = {"csv": pandas.read_csv, "parquet": pandas.read_parquet, "arrow": pandas.read_feather}
    assert list(readers[chosen](file).columns) == list(TRADES.names)


@pytest.mark.parametrize("chosen", FORMATS)
def test_an_export_that_fails_leaves_the_file_before_it(tmp_path: Path, chosen: Format) -> None:
    def broken() -> Iterator[Row]:
        yield TRADE
        raise ExportError("the journal ends here")

    file = tmp_path / "trades"
    file.write_text("before")
    with pytest.raises(ExportError, match="ends here"):
        write(broken(), TRADES, [example()], chosen, file)
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["trades"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"none/t\.csv: No such file") as caught:
        write([], TRADES, [example()], "csv", tmp_path / "none" / "t.csv")
    assert caught.value.field == "output"


def test_a_sum_of_too_many_digits_is_refused_by_name_and_csv_has_it(tmp_path: Path) -> None:
    huge = (*TRADE[:6], f"{10**31}.00000000", *TRADE[7:])
    with pytest.raises(ExportError, match="notional: a value has more than 38 digits"):
        write([huge], TRADES, [example()], "parquet", tmp_path / "t.parquet")
    assert not list(tmp_path.iterdir())
    write([huge], TRADES, [example()], "csv", tmp_path / "t.csv")
    assert f",{10**31}.00000000," in (tmp_path / "t.csv").read_text()


@pytest.mark.parametrize("chosen", FORMATS)
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, chosen: Format) -> None:
    """Twelve parts cost hardly more than three: only one of them is held at a time."""
    peaks = []
    for parts in (3, 12):
        tracemalloc.start()
        rows = (TRADE for _ in range(parts * ROWS_AT_ONCE // 50))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("crossbook.research.formats.ROWS_AT_ONCE", ROWS_AT_ONCE // 50)
            write(rows, TRADES, [example()], chosen, tmp_path / "big")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0] + 1_000_000


@pytest.mark.parametrize(
    ("name", "found"),
    [("t.csv", "csv"), ("t.csv.gz", "csv"), ("a.b.parquet", "parquet"), ("t.feather", "arrow")],
)
def test_the_ending_of_a_name_is_its_format(name: str, found: str) -> None:
    assert format_of(name) == found
    with pytest.raises(ExportError, match="name the format"):
        format_of(f"{name}.txt")


def test_an_instrument_without_decimals_has_whole_numbers(tmp_path: Path) -> None:
    coarse = replace(example(), tick_size="1", lot_size="1", base_decimals=0, quote_decimals=0)
    row = (*TRADE[:4], "5", "2", "10", *TRADE[7:])
    write([row], TRADES, [coarse], "parquet", tmp_path / "t.parquet")
    assert parquet.read_table(tmp_path / "t.parquet")["notional"].to_pylist() == [Decimal(10)]
