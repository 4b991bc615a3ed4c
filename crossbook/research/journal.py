"""Rows of a journal: the matcher's own files, read without a running exchange, or beside one.

Trades and L3 events stream; candles hold one row for each instrument. An order's row is final only
at the end of the journal, so orders go through a temporary file on disk.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from crossbook.common.following.candles import SECOND_NS, CandleSeries
from crossbook.common.instruments import Instrument
from crossbook.common.messages.codec import decode_events
from crossbook.common.messages.events import EventBatch, InstrumentAdded, TradeExecuted
from crossbook.common.messages.history_queries import Candle
from crossbook.common.rules import decode_configuration
from crossbook.common.types import Liquidity, Side
from crossbook.matcher.journal.disk import FileDisk
from crossbook.matcher.journal.journal import Journal, JournalDamaged
from crossbook.recorder.digest import EventDigest, OrderRow, OrderUpdate, RecordPosition
from crossbook.recorder.sums import order_row as columns_of
from crossbook.research.order_events import OrderBooks
from crossbook.research.rows import (
    SIDES,
    candle_row,
    fill_row,
    order_of_columns,
    order_row,
    trade_row,
)
from crossbook.research.selection import ExportError, Selection
from crossbook.research.tables import CANDLES, FILLS, L3, ORDERS, TRADES, Row, Table

EVENTS_MAX: Final = 16_384
"""About most events held before the orders among them are put on disk."""

_encode = msgspec.msgpack.Encoder().encode
_decode_order = msgspec.msgpack.Decoder(tuple).decode


class JournalSource:
    """The tables of one journal, as of its last record when it was opened.

    Raises `ExportError` for a folder without a sound journal.
    """

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        try:
            self._disk = FileDisk(folder, read_only=True)
        except OSError as error:
            raise ExportError(f"{folder}: {error.strerror}", "journal") from error
        try:
            self._journal = Journal.open(self._disk, 0, b"", 0, read_only=True)
        except JournalDamaged as error:
            raise ExportError(str(error), "journal") from error
        if not self._journal.segment_names:
            raise ExportError(f"{folder}: holds no journal", "journal")
        self._last_seq = self._journal.last_seq
        self._instruments: list[Instrument] | None = None

    def instruments(self) -> list[Instrument]:
        """Every instrument that was ever traded. Reads the whole journal, once."""
        if self._instruments is None:
            found: dict[int, Instrument] = {}
            for batch in self.batches(found):
                for event in batch.events:
                    if type(event) is InstrumentAdded:
                        found[event.instrument] = event.definition
            self._instruments = list(found.values())
        return self._instruments

    def rows(self, table: Table, selected: Selection) -> Iterator[Row]:
        """The selected rows of a table, in its order."""
        instruments = selected.of(self.instruments())
        if table is TRADES:
            return self._trades(instruments, selected)
        if table is FILLS:
            return self._fills(instruments, selected)
        if table is CANDLES:
            return self._candles(instruments, selected)
        if table is ORDERS:
            return self._orders(instruments, selected)
        assert table is L3, table
        return self._order_events(instruments, selected)

    def batches(self, configured: dict[int, Instrument] | None = None) -> Iterator[EventBatch]:
        """Every batch; the instruments of each segment's head are added to `configured`."""
        journal = self._journal
        configuration = b""
        for header, record in journal.read(journal.first_seq):
            if record.first_seq > self._last_seq:
                return
            if configured is not None and header.configuration != configuration:
                configuration = header.configuration
                for each in decode_configuration(configuration).instruments:
                    configured[each.id] = each
            yield decode_events(record.events)

    def check_whole(self) -> None:
        """Raise `ExportError` unless the journal begins with the first command of its shard."""
        journal = self._journal
        if journal.first_seq != journal.base_seq + 1:
            raise ExportError(
                f"{self.name}: begins with command {journal.first_seq}, and the orders that "
                "rested then are not known; L3 events need the journal from its first record on",
                "journal",
            )

    def _selected_batches(self, selected: Selection) -> Iterator[EventBatch]:
        """The batches of the selected time. Times never decrease."""
        for batch in self.batches():
            if batch.time_ns >= selected.to_ns:
                return
            if batch.time_ns >= selected.from_ns:
                yield batch

    def _trades(self, instruments: dict[int, Instrument], selected: Selection) -> Iterator[Row]:
        for instrument, event, time_ns in self._executed(instruments, selected):
            yield trade_row(
                instrument, event.trade_id, event.seq, event.price_ticks, event.quantity_lots,
                event.aggressor_side, event.maker_order_id, event.taker_order_id, time_ns,
            )  # fmt: skip

    def _fills(self, instruments: dict[int, Instrument], selected: Selection) -> Iterator[Row]:
        for instrument, event, time_ns in self._executed(instruments, selected):
            taken = event.aggressor_side
            yield fill_row(
                instrument, event.trade_id, event.seq, time_ns, event.taker_account,
                event.taker_order_id, event.taker_client_order_id, taken, event.price_ticks,
                event.quantity_lots, event.taker_fee, Liquidity.TAKER,
            )  # fmt: skip
            yield fill_row(
                instrument, event.trade_id, event.seq, time_ns, event.maker_account,
                event.maker_order_id, event.maker_client_order_id,
                Side.SELL if taken == Side.BUY else Side.BUY, event.price_ticks,
                event.quantity_lots, event.maker_fee, Liquidity.MAKER,
            )  # fmt: skip

    def _executed(
        self, instruments: dict[int, Instrument], selected: Selection
    ) -> Iterator[tuple[Instrument, TradeExecuted, int]]:
        """The trades of the selected time and instruments, with the time."""
        for batch in self._selected_batches(selected):
            for event in batch.events:
                if type(event) is TradeExecuted and event.instrument in instruments:
                    yield instruments[event.instrument], event, batch.time_ns

    def _candles(self, instruments: dict[int, Instrument], selected: Selection) -> Iterator[Row]:
        """A candle is final once the matcher's time has passed its end, and it holds every trade
        of its time even where `selected` begins or ends within it."""
        length_ns = selected.interval_s * SECOND_NS
        series = {each: CandleSeries((selected.interval_s,)) for each in instruments}
        held: dict[int, Candle] = {}
        for batch in self.batches():
            open_ns = batch.time_ns - batch.time_ns % length_ns
            if open_ns < selected.from_ns:
                continue
            if open_ns >= selected.to_ns:
                break
            if held and next(iter(held.values())).open_ns < open_ns:
                yield from _candle_rows(instruments, held)
                held.clear()
            changed = set()
            for event in batch.events:
                if type(event) is TradeExecuted and event.instrument in series:
                    worth = instruments[event.instrument].notional_per_tick_lot
                    lots = event.quantity_lots
                    series[event.instrument].add(
                        event.price_ticks, lots, event.price_ticks * lots * worth,
                        event.trade_id, event.seq, batch.time_ns, event.aggressor_side,
                    )  # fmt: skip
                    changed.add(event.instrument)
            for each in changed:
                held[each] = series[each].latest()[-1]
                series[each].drain_changed()
        yield from _candle_rows(instruments, held)

    def _order_events(
        self, instruments: dict[int, Instrument], selected: Selection
    ) -> Iterator[Row]:
        self.check_whole()
        books = OrderBooks()
        for batch in self.batches():
            if batch.time_ns >= selected.to_ns:
                return
            changes = books.apply(batch.events)
            if batch.time_ns < selected.from_ns:
                continue
            for each in changes:
                instrument = instruments.get(each.instrument)
                if instrument is not None:
                    quantity = instrument.grid.quantity.text
                    yield (
                        instrument.symbol, each.seq, batch.time_ns, each.act, each.order_id,
                        SIDES[each.side], instrument.grid.price.text(each.price_ticks),
                        quantity(each.quantity_lots), quantity(each.remaining_lots),
                        each.trade_id or None, each.other_order_id or None,
                    )  # fmt: skip

    def _orders(self, instruments: dict[int, Instrument], selected: Selection) -> Iterator[Row]:
        with tempfile.TemporaryDirectory(prefix="crossbook-") as folder:
            database = sqlite3.connect(Path(folder) / "orders.db", isolation_level=None)
            with closing(database):
                self._spool(database)
                for (encoded,) in database.execute("SELECT row FROM orders ORDER BY order_id"):
                    order = order_of_columns(_decode_order(encoded))
                    instrument = instruments.get(order.instrument)
                    if instrument is not None and selected.is_in(order.created_ns):
                        yield order_row(instrument, order)

    def _spool(self, database: sqlite3.Connection) -> None:
        """Write the last state of every order into a table of one file."""
        for line in ("journal_mode=OFF", "synchronous=OFF"):
            database.execute(f"PRAGMA {line}")
        database.execute("CREATE TABLE orders (order_id INTEGER PRIMARY KEY, row BLOB NOT NULL)")
        digest = EventDigest(self.instruments(), RecordPosition(), {})
        for batch in self.batches():
            digest.add(batch)
            if digest.rows >= EVENTS_MAX:
                _put(database, digest)
        _put(database, digest)


def _candle_rows(instruments: dict[int, Instrument], held: dict[int, Candle]) -> Iterator[Row]:
    for each in sorted(held):
        yield candle_row(instruments[each], held[each])


def _put(database: sqlite3.Connection, digest: EventDigest) -> None:
    changes = digest.drain()
    if changes is None:
        return
    rows = {order.order_id: order for order in changes.orders}
    for change in changes.changed:
        stored = database.execute("SELECT row FROM orders WHERE order_id = ?", (change.order_id,))
        found = stored.fetchone()
        if found is not None:
            rows[change.order_id] = _changed(order_of_columns(_decode_order(found[0])), change)
    database.execute("BEGIN")
    database.executemany(
        "INSERT OR REPLACE INTO orders VALUES (?, ?)",
        ((order_id, _encode(columns_of(row))) for order_id, row in rows.items()),
    )
    database.execute("COMMIT")


def _changed(order: OrderRow, change: OrderUpdate) -> OrderRow:
    """A stored order after a change; None leaves a term as it is, the notional is added."""
    for name in OrderUpdate.__struct_fields__[1:]:
        value = getattr(change, name)
        if name == "filled_notional":
            value += order.filled_notional
        if value is not None:
            setattr(order, name, value)
    return order
