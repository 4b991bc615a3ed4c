"""Data frames: one call, exact or in floats, with whole numbers whole."""

import sys
from decimal import Decimal
from pathlib import Path

import pandas
import pytest

from crossbook import research
from crossbook.research.selection import ExportError
from tests.worlds.stored_exchange import StoredExchange, stored_exchange


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredExchange:
    """An exchange of some hundred commands."""
    return stored_exchange(tmp_path_factory.mktemp("data"), seed=3, batches=120)


def test_trades_are_exact(stored: StoredExchange) -> None:
    frame = research.trades(stored.database, "BTC-USDT")
    assert len(frame) > 10
    assert frame["time"].dtype == "datetime64[ns, UTC]"
    assert frame["seq"].dtype == "int64"
    assert all(type(each) is Decimal for each in frame["price"])
    assert (frame["price"] * frame["quantity"] == frame["notional"]).all()
    assert set(frame["aggressor_side"]) <= {"buy", "sell"}


def test_floats_are_returned_on_request(stored: StoredExchange) -> None:
    frame = research.trades(stored.folder, "BTC-USDT", exact=False)
    assert frame["price"].dtype == frame["quantity"].dtype == "float64"
    exact = research.trades(stored.folder, "BTC-USDT")
    assert list(frame["price"]) == [float(each) for each in exact["price"]]


def test_every_table_is_the_same_from_journal_and_record(stored: StoredExchange) -> None:
    for call in (research.trades, research.candles, research.orders, research.fills):
        pandas.testing.assert_frame_equal(call(stored.folder), call(stored.database))


def test_candles_sum_up_the_trades(stored: StoredExchange) -> None:
    trades = research.trades(stored.database, ["BTC-USDT"])
    candles = research.candles(stored.database, ["BTC-USDT"], "1h")
    assert candles["volume"].sum() == trades["quantity"].sum()
    assert candles["trades"].sum() == len(trades)
    assert candles["high"].max() == trades["price"].max()


def test_money_paid_is_money_received(stored: StoredExchange) -> None:
    """Both sides of a trade have its notional; what one account buys another one sells."""
    fills = research.fills(stored.database, "BTC-USDT")
    bought = fills["side"] == "buy"
    assert fills.loc[bought, "notional"].sum() == fills.loc[~bought, "notional"].sum()
    assert set(fills.loc[bought, "fee_asset"]) == {"BTC"}
    assert set(fills.loc[~bought, "fee_asset"]) == {"USDT"}
    assert (fills.groupby("trade_id").size() == 2).all()


def test_ids_beside_missing_ones_stay_whole(stored: StoredExchange) -> None:
    frame = research.l3(str(stored.folder), "BTC-USDT")
    executed = frame["event"] == "execute"
    assert frame["trade_id"].dtype == "Int64"
    assert (frame["trade_id"].notna() == executed).all()
    trades = research.trades(stored.folder, "BTC-USDT")
    assert set(frame.loc[executed, "trade_id"]) <= set(trades["trade_id"])


def test_a_stretch_of_time_is_cut_out(stored: StoredExchange) -> None:
    whole = research.orders(stored.database)
    middle = whole["created_time"].sort_values().iloc[len(whole) // 2]
    before = research.orders(stored.database, end=middle.isoformat())
    after = research.orders(stored.database, start=middle.value)
    assert len(before) + len(after) == len(whole)
    assert before["created_time"].max() < middle <= after["created_time"].min()


def test_without_the_libraries_the_extra_is_named(
    stored: StoredExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pandas", "pyarrow"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            with pytest.raises(ExportError, match=r"pip install 'crossbook\[research\]'"):
                research.trades(stored.folder)


def test_a_folder_without_a_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="holds no journal"):
        research.trades(tmp_path)
