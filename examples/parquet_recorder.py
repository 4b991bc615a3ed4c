"""Records the trades of some instruments to a parquet file, with the gaps that it has seen.

    pip install "crossbook[research]"
    python examples/parquet_recorder.py trades.parquet --symbols BTC-USDT ETH-USDT

Prices and quantities are exact decimals. The file is complete when the program ends: after
--seconds, after --trades, or with Ctrl-C.
"""

import argparse
import contextlib
from typing import Any

import pyarrow
import pyarrow.parquet

from crossbook import Gap, MarketData, Trade

ROWS = 10_000
"""Rows of one group of the file: what is lost at most where the machine fails."""

SCHEMA = pyarrow.schema(
    [
        ("symbol", pyarrow.dictionary(pyarrow.int16(), pyarrow.string())),
        ("trade_id", pyarrow.int64()),
        ("seq", pyarrow.int64()),
        ("price", pyarrow.decimal128(38, 18)),
        ("quantity", pyarrow.decimal128(38, 18)),
        ("aggressor_side", pyarrow.dictionary(pyarrow.int8(), pyarrow.string())),
        ("time", pyarrow.timestamp("ns", tz="UTC")),
    ]
)


class Recorder:
    """Collects trades, and writes them in groups."""

    def __init__(self, path: str) -> None:
        self.trades = 0
        self.missed = 0
        self._rows: list[dict[str, Any]] = []
        self._writer = pyarrow.parquet.ParquetWriter(path, SCHEMA)

    def add(self, trade: Trade) -> None:
        """Add one trade."""
        self.trades += 1
        self._rows.append(
            {
                "symbol": trade.symbol,
                "trade_id": trade.trade_id,
                "seq": trade.seq,
                "price": trade.price,
                "quantity": trade.quantity,
                "aggressor_side": trade.aggressor_side.name.lower(),
                "time": trade.time_ns,
            }
        )
        if len(self._rows) >= ROWS:
            self._write()

    def miss(self, gap: Gap) -> None:
        """Count the trades of a gap: `crossbook export` has them from the recorder."""
        if gap.channel == "trade":
            self.missed += gap.last - gap.first + 1
            print(f"{gap.symbol}: trades {gap.first} to {gap.last} were missed")

    def close(self) -> None:
        """Write what is left and end the file."""
        self._write()
        self._writer.close()

    def _write(self) -> None:
        if self._rows:
            self._writer.write_table(pyarrow.Table.from_pylist(self._rows, SCHEMA))
            self._rows.clear()


def record(options: argparse.Namespace) -> None:
    """Record until the end."""
    recorder = Recorder(options.path)
    try:
        with MarketData(symbols=options.symbols, channels=("trade",)) as market:
            market.on_gap(recorder.miss)

            @market.on_trade
            def add(trade: Trade) -> None:
                recorder.add(trade)
                if recorder.trades == options.trades:
                    market.stop()

            market.wait_ready()
            print(f"recording to {options.path}", flush=True)
            market.run(options.seconds)
    finally:
        recorder.close()
        print(f"{recorder.trades} trades in {options.path}, {recorder.missed} missed")


def main() -> None:
    """Read the options and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path")
    parser.add_argument("--symbols", nargs="*", default=[], help="all instruments if none is named")
    parser.add_argument("--seconds", type=float, help="end after this time")
    parser.add_argument("--trades", type=int, help="end after so many trades")
    with contextlib.suppress(KeyboardInterrupt):
        record(parser.parse_args())


if __name__ == "__main__":
    main()
