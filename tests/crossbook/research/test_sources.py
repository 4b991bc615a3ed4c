"""The rows of a table are the same from the journal and from the record, and those of a plain
reader of the events."""

from collections import Counter
from pathlib import Path

import pytest

from crossbook.common.errors import ConfigError
from crossbook.common.grid import format_decimal
from crossbook.common.instruments import Instrument
from crossbook.common.messages.history_queries import INTERVALS_S
from crossbook.common.types import Side
from crossbook.research.selection import ExportError, Selection, selection
from crossbook.research.sources import Source, journal_folders, source_of
from crossbook.research.tables import CANDLES, FILLS, L3, ORDERS, TABLES, TRADES, Row, Table
from tests.properties.market import INSTRUMENTS
from tests.worlds.stored_exchange import StoredExchange, stored_exchange

BATCHES = 150
EVERYTHING = selection()
GRIDS = {each.id: each for each in INSTRUMENTS}


@pytest.fixture(scope="module", params=range(3))
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> StoredExchange:
    """An exchange of some thousand commands."""
    return stored_exchange(tmp_path_factory.mktemp("data"), request.param, BATCHES)


def rows_of(place: str | Path, table: Table, selected: Selection = EVERYTHING) -> list[Row]:
    """All of an export."""
    return list(source_of(place, table).rows(table, selected))


@pytest.mark.parametrize("table", [TRADES, CANDLES, ORDERS, FILLS], ids=lambda table: table.name)
def test_rows_are_the_same_from_journal_and_record(stored: StoredExchange, table: Table) -> None:
    found = rows_of(stored.folder, table)
    assert found
    assert found == rows_of(stored.database, table)


@pytest.mark.parametrize("interval", INTERVALS_S)
def test_candles_of_every_length_are_the_same(stored: StoredExchange, interval: str) -> None:
    selected = selection(["BTC-USDT", "ETH-EUR"], interval=interval)
    found = rows_of(stored.folder, CANDLES, selected)
    assert found == rows_of(stored.database, CANDLES, selected)
    assert {row[1] for row in found} == {interval}
    assert {row[0] for row in found} == {"BTC-USDT", "ETH-EUR"}


def test_trades_are_those_of_a_plain_reader(stored: StoredExchange) -> None:
    expected = [
        (
            GRIDS[trade["instrument"]].symbol, trade["trade_id"], trade["seq"], trade["time_ns"],
            GRIDS[trade["instrument"]].price_text(trade["price_ticks"]),
            GRIDS[trade["instrument"]].quantity_text(trade["quantity_lots"]),
            trade["maker_order_id"], trade["taker_order_id"],
        )
        for trade in stored.matcher.record.trades
        if trade["instrument"] in GRIDS
    ]  # fmt: skip
    found = rows_of(stored.folder, TRADES, selection([each.symbol for each in INSTRUMENTS]))
    assert [(*row[:6], *row[8:]) for row in found] == expected


def test_fills_are_those_of_a_plain_reader(stored: StoredExchange) -> None:
    expected = [
        (
            fill["trade_id"], fill["account"], fill["order_id"], fill["client_order_id"] or None,
            {1: "buy", 2: "sell"}[fill["side"]], {1: "maker", 2: "taker"}[fill["liquidity"]],
            money(GRIDS[fill["instrument"]], fill["side"], fill["fee"]),
        )
        for fill in stored.matcher.record.fills
        if fill["instrument"] in GRIDS
    ]  # fmt: skip
    rows = rows_of(stored.database, FILLS, selection([each.symbol for each in INSTRUMENTS]))
    assert [(row[1], *row[4:8], row[13], row[11:13]) for row in rows] == expected


def money(instrument: Instrument, side: int, fee: int) -> tuple[str, str]:
    """A fee as text, and its asset: a buyer receives the base asset."""
    if side == Side.BUY:
        return format_decimal(fee, instrument.base_decimals), instrument.base
    return format_decimal(fee, instrument.quote_decimals), instrument.quote


def test_orders_are_those_of_a_plain_reader(stored: StoredExchange) -> None:
    names = ORDERS.names
    expected = stored.matcher.record.orders
    found = [dict(zip(names, row, strict=True)) for row in rows_of(stored.folder, ORDERS)]
    assert [row["order_id"] for row in found] == sorted(expected)
    for row in found:
        order = expected[row["order_id"]]
        assert row["account"] == order["account"]
        assert row["created_time"] == order["created_ns"]
        assert row["updated_seq"] == order["updated_seq"]
        assert row["status"] == order["status"].name
        if order["instrument"] in GRIDS:
            text = GRIDS[order["instrument"]].quantity_text
            assert row["remaining_quantity"] == text(order["remaining_lots"])


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_stretch_of_time_is_cut_out_of_the_whole(stored: StoredExchange, table: Table) -> None:
    time = next(column.name for column in table.columns if column.kind == "time")
    place = table.names.index(time)
    whole = rows_of(stored.folder, table)
    times = sorted(row[place] for row in whole)
    cut = Selection(from_ns=times[len(times) // 3], to_ns=times[2 * len(times) // 3])
    expected = [row for row in whole if cut.from_ns <= row[place] < cut.to_ns]
    assert expected
    assert rows_of(stored.folder, table, cut) == expected
    if table is not L3:
        assert rows_of(stored.database, table, cut) == expected


def test_each_trade_executes_its_resting_order_once(stored: StoredExchange) -> None:
    trades = Counter((row[0], row[1]) for row in rows_of(stored.folder, TRADES))
    executed = Counter(
        (row[0], row[9]) for row in rows_of(stored.folder, L3) if row[3] == "execute"
    )
    # In an uncross both orders rest, or neither, when two market orders meet.
    assert set(executed) <= set(trades)
    assert set(executed.values()) <= {1, 2}
    assert len(executed) > len(trades) / 2


def test_an_unknown_symbol_is_named(stored: StoredExchange) -> None:
    for place in (stored.folder, stored.database):
        with pytest.raises(ExportError, match=r"NO-SUCH is not among .*BTC-USDT"):
            rows_of(place, TRADES, selection("no-such"))


def test_the_record_has_no_order_events(stored: StoredExchange) -> None:
    with pytest.raises(ExportError, match="read them from the journal"):
        rows_of(stored.database, L3)


def test_an_exchange_is_read_from_its_data_dir(stored: StoredExchange) -> None:
    class Running:
        data_dir = stored.folder

    assert list(source_of(Running(), TRADES).rows(TRADES, EVERYTHING)) == rows_of(
        stored.folder, TRADES
    )


def test_settings_name_the_places_where_none_is_given(
    stored: StoredExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(stored.folder))
    named: list[Source] = [source_of(None, TRADES), source_of(None, L3)]
    assert named[0].name == f"sqlite:///{stored.folder}/history.db"
    assert named[1].name == str(stored.folder)


def test_a_source_without_journal_or_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="holds no journal"):
        source_of(tmp_path, TRADES)
    with pytest.raises(ExportError, match="No such file"):
        source_of(tmp_path / "none", TRADES)
    with pytest.raises(ConfigError, match="no such file"):
        source_of(f"sqlite:///{tmp_path}/none.db", TRADES)
    with pytest.raises(ExportError, match="its database"):
        source_of("http://127.0.0.1:8000", TRADES)
    (tmp_path / "empty.db").touch()
    with pytest.raises(ExportError, match="no tables of a recorder"):
        source_of(f"sqlite:///{tmp_path}/empty.db", TRADES)
    assert not (tmp_path / "none.db").exists()


def test_further_shards_are_in_folders_of_the_first(tmp_path: Path) -> None:
    for name in ("shard-10", "shard-2", "other"):
        (tmp_path / name).mkdir()
    names = [folder.name for folder in journal_folders(tmp_path)]
    assert names == [tmp_path.name, "shard-2", "shard-10"]
