"""The file of the recorder has every trade, exactly."""

import signal
from decimal import Decimal
from pathlib import Path

import pytest

from crossbook.testing import Exchange
from tests.examples.program import Program

parquet = pytest.importorskip("pyarrow.parquet")


def trade(exchange: Exchange, count: int) -> None:
    """Trade a hundredth at a time, at prices that rise by a cent."""
    taker = exchange.client(9)
    exchange.book(
        "BTC-USDT", asks=[(Decimal(50_000) + Decimal(n) / 100, "0.01") for n in range(count)]
    )
    for _ in range(count):
        taker.submit("BTC-USDT", "buy", "0.01", "60000.00", time_in_force="ioc")


def test_the_recorder_ends_once_it_has_the_requested_trades(
    exchange: Exchange, tmp_path: Path
) -> None:
    path = tmp_path / "trades.parquet"
    arguments = (str(path), "--symbols", "BTC-USDT", "--trades", "5", "--seconds", "60")
    with Program(exchange, "parquet_recorder", *arguments) as program:
        recorded: list[object] = []
        # Its subscription is in force some time after its start.
        while program.runs():
            trade(exchange, 5)
        printed = program.finish()
        recorded = parquet.read_table(path).to_pylist()
    assert printed == f"recording to {path}\n5 trades in {path}, 0 missed\n"
    made = {each.trade_id: each for each in exchange.trades("BTC-USDT")}
    assert len(recorded) == 5
    for row in recorded:
        assert isinstance(row, dict)
        public = made[row["trade_id"]]
        assert (row["symbol"], row["aggressor_side"]) == ("BTC-USDT", "buy")
        assert (row["price"], row["quantity"]) == (public.price, Decimal("0.01"))
    ids = [row["trade_id"] for row in recorded if isinstance(row, dict)]
    assert ids == list(range(ids[0], ids[0] + 5))


def test_the_file_of_the_recorder_is_complete_after_an_interrupt(
    exchange: Exchange, tmp_path: Path
) -> None:
    path = tmp_path / "trades.parquet"
    with Program(exchange, "parquet_recorder", str(path)) as program:
        assert program.line() == f"recording to {path}\n"
        printed = program.finish(signal.SIGINT)
    assert printed == f"0 trades in {path}, 0 missed\n"
    assert parquet.read_table(path).num_rows == 0
