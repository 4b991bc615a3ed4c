"""Removing rows older than `HISTORY_DAYS`, a few at a time.

Age is measured in the matcher's time: a record rebuilt from an old journal, or of an exchange that
stood still, keeps its recent rows. Open orders stay at any age. Candles of a minute and longer stay
for good: a year of minutes is half a million rows an instrument.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, func, select

from crossbook.common.following.candles import SECOND_NS
from crossbook.recorder.tables import AMENDMENTS, CANDLES, FILLS, IS_ENDED, ORDERS, TRADES

ROWS_AT_ONCE: Final = 1_000
"""Most rows of a table that a step visits for one instrument. A step is one transaction, and goes
on to the next instrument only while it has removed fewer."""

BUSY_NS: Final = 50_000_000
IDLE_NS: Final = 60 * SECOND_NS
"""Time between two steps while old rows are left, and without any."""

DAY_NS: Final = 86_400 * SECOND_NS


class Retention:
    """Removes old rows; `days` zero keeps all.

    The owner sets `time_ns` to the time of the last recorded batch. Where the matcher's clock
    `is_manual`, a step is due after each of its moves. `step` may raise SQLAlchemy's
    `DBAPIError`, and then removes nothing.
    """

    def __init__(
        self, engine: Engine, instruments: Iterable[int], days: int, *, is_manual: bool = False
    ) -> None:
        self.time_ns = 0
        self._engine = engine
        self._instruments = list(instruments)
        self._kept_ns = days * DAY_NS
        self._is_manual = is_manual
        self._due_ns = self._free_ns = 0
        # The matcher's time at the last step.
        self._stepped_ns = 0
        # Orders up to this one have been visited in this pass: those left are open, or ended
        # recently.
        self._order_id = 0

    def step(self, now_ns: int) -> int:
        """Remove some rows where a step is due; return their number."""
        has_moved = self._is_manual and self.time_ns != self._stepped_ns
        due_ns = self._free_ns if has_moved else self._due_ns
        if not self._kept_ns or now_ns < due_ns or not self.time_ns:
            return 0
        before_ns = self.time_ns - self._kept_ns
        with self._engine.begin() as connection:
            removed = self._forget_fills(connection, before_ns)
            for instrument in self._instruments:
                if removed >= ROWS_AT_ONCE:
                    break
                removed += self._forget_trades(connection, instrument, before_ns)
                removed += self._forget_seconds(connection, instrument, before_ns)
            ended, more = self._forget_orders(connection, before_ns)
        removed += ended
        self._stepped_ns = self.time_ns
        self._free_ns = now_ns + BUSY_NS
        self._due_ns = self._free_ns if removed or more else now_ns + IDLE_NS
        return removed

    def _forget_fills(self, connection: Connection, before_ns: int) -> int:
        fill_id = FILLS.c.fill_id
        return _forget_oldest(connection, FILLS, fill_id, FILLS.c.time_ns, before_ns)

    def _forget_trades(self, connection: Connection, instrument: int, before_ns: int) -> int:
        trades = TRADES.c
        mine = trades.instrument == instrument
        return _forget_oldest(connection, TRADES, trades.trade_id, trades.time_ns, before_ns, mine)

    def _forget_seconds(self, connection: Connection, instrument: int, before_ns: int) -> int:
        candles = CANDLES.c
        mine = (candles.instrument == instrument) & (candles.interval_s == 1)
        open_ns = candles.open_ns
        return _forget_oldest(connection, CANDLES, open_ns, open_ns, before_ns, mine)

    def _forget_orders(self, connection: Connection, before_ns: int) -> tuple[int, bool]:
        """Visit the next orders that began before the limit: remove those that also ended before
        it, and return their number, and whether the pass has more."""
        columns = ORDERS.c
        oldest = (
            select(columns.order_id, columns.created_ns)
            .where(columns.order_id > self._order_id)
            .order_by(columns.order_id)
            .limit(ROWS_AT_ONCE)
        )
        seen = connection.execute(oldest).all()
        old = [order_id for order_id, created_ns in seen if created_ns < before_ns]
        if not old:
            self._order_id = 0
            return 0, False
        removed = connection.execute(
            delete(ORDERS).where(
                columns.order_id.between(old[0], old[-1]),
                columns.updated_ns < before_ns,
                IS_ENDED,
            )
        )
        kept = select(columns.order_id).where(columns.order_id.between(old[0], old[-1]))
        amended = AMENDMENTS.c.order_id
        connection.execute(
            delete(AMENDMENTS).where(amended.between(old[0], old[-1]), amended.not_in(kept))
        )
        more = len(old) == ROWS_AT_ONCE
        self._order_id = old[-1] if more else 0
        return removed.rowcount, more


def _forget_oldest(
    connection: Connection,
    table: Table,
    key: "ColumnElement[int]",
    time_ns: "ColumnElement[int]",
    before_ns: int,
    *mine: "ColumnElement[bool]",
) -> int:
    """Remove the oldest rows of a table whose times grow with its key."""
    oldest: Any = (
        select(key.label("key"), time_ns.label("time_ns"))
        .where(*mine)
        .order_by(key)
        .limit(ROWS_AT_ONCE)
        .subquery()
    )
    last = connection.scalar(select(func.max(oldest.c.key)).where(oldest.c.time_ns < before_ns))
    if last is None:
        return 0
    return connection.execute(delete(table).where(*mine, key <= last)).rowcount
