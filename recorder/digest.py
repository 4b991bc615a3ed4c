"""Event batches to the rows of one transaction.

An order that is accepted and changes within one transaction is one insert of its final state. An
order stored earlier is one update, however often it changed. Every event has the totals of its
order, so no row is read back, and an order that is not stored (the record begins later) stays
absent.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, get_args

from msgspec import Struct

from crossbook.common.errors import StreamError
from crossbook.common.following.candles import CandleSeries
from crossbook.common.instruments import Instrument
from crossbook.common.messages.commands import Instructions
from crossbook.common.messages.events import (
    Event,
    EventBatch,
    InstrumentAdded,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderCompleted,
    OrderExpired,
    OrderReduced,
    OrderTriggered,
    TradeExecuted,
)
from crossbook.common.messages.history_queries import Candle
from crossbook.common.shards import base_of, shard_of
from crossbook.common.types import Liquidity, OrderStatus, RejectReason, Side

_NEW: Final = int(OrderStatus.NEW)
_PARTIALLY_FILLED: Final = int(OrderStatus.PARTIALLY_FILLED)
_FILLED: Final = int(OrderStatus.FILLED)
_CANCELED: Final = int(OrderStatus.CANCELED)
_EXPIRED: Final = int(OrderStatus.EXPIRED)
_EXPIRED_IN_MATCH: Final = int(OrderStatus.EXPIRED_IN_MATCH)
_MAKER: Final = int(Liquidity.MAKER)
_TAKER: Final = int(Liquidity.TAKER)
_PLAIN: Final = Instructions()
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)


class RecordPosition(Struct, frozen=True):
    """The position of the record, from the one row of its table. An empty record has
    `incarnation` zero.

    `time_ns` is the time of the batch that holds `seq`.
    """

    incarnation: int = 0
    seq: int = 0
    time_ns: int = 0
    first_seq: int = 0
    last_fill_id: int = 0


class OrderRow(Struct, gc=False):
    """An order to insert, with fields in the order of its table's columns; `filled_notional` is the
    whole sum."""

    order_id: int
    account: int
    instrument: int
    client_order_id: str
    side: int
    order_type: int
    time_in_force: int
    price_ticks: int
    quantity_lots: int
    quote_amount: int
    status: int
    filled_lots: int
    remaining_lots: int
    filled_notional: int
    reason: int
    created_ns: int
    updated_ns: int
    updated_seq: int
    trigger_ticks: int = 0
    display_lots: int = 0
    expire_ns: int = 0
    post_only: int = 0
    prevention: int = 0
    working: int = 1


class OrderUpdate(Struct, gc=False):
    """Changes of a stored order; None leaves a term as it is, `filled_notional` is added."""

    order_id: int
    price_ticks: int | None = None
    quantity_lots: int | None = None
    status: int = 0
    filled_lots: int = 0
    remaining_lots: int = 0
    filled_notional: int = 0
    reason: int = 0
    updated_ns: int = 0
    updated_seq: int = 0
    trigger_ticks: int | None = None
    display_lots: int | None = None
    working: int | None = None


Row = tuple[Any, ...]


class ReductionRow(Struct, gc=False):
    """An order got smaller in its place; `before_lots` is None where only its stored row has it."""

    order_id: int
    seq: int
    before_lots: int | None
    quantity_lots: int
    time_ns: int


class Changes(Struct, frozen=True):
    """The rows of one transaction, which moves the position from `before` to `after`."""

    before: RecordPosition
    after: RecordPosition
    orders: list[OrderRow]
    changed: list[OrderUpdate]
    trades: list[Row]
    fills: list[Row]
    candles: list[tuple[int, Candle]]
    """Instrument and candle."""
    instruments: list[Instrument] = []
    amendments: list[ReductionRow] = []


class EventDigest:
    """Gathers the changes of batches in order, from a position on.

    `latest` are the latest candles of each instrument as of the position. `rows` counts the
    gathered rows roughly, so that the owner can bound a transaction.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        position: RecordPosition,
        latest: Mapping[int, Iterable[Candle]],
    ) -> None:
        self.rows = 0
        self._position = self._before = position
        self._instruments = list(instruments)
        self._notionals = {i.id: i.notional_per_tick_lot for i in self._instruments}
        self._series = {instrument: CandleSeries() for instrument in self._notionals}
        for instrument, candles in latest.items():
            if instrument in self._series:
                self._series[instrument].load(candles)
        self._orders: dict[int, OrderRow] = {}
        self._changed: dict[int, OrderUpdate] = {}
        self._trades: list[Row] = []
        self._fills: list[Row] = []
        self._amendments: list[ReductionRow] = []
        self._fill_id = position.last_fill_id
        self._time_ns = 0
        # Answers that change no order, time, money and states are not recorded.
        self._recorders: dict[type, Callable[[Any], None]] = dict.fromkeys(
            get_args(Event), _nothing
        )
        self._recorders |= {
            OrderAccepted: self._accepted,
            TradeExecuted: self._trade,
            OrderCanceled: self._canceled,
            OrderExpired: self._expired,
            OrderCompleted: self._completed,
            OrderAmended: self._amended,
            OrderReduced: self._reduced,
            OrderTriggered: self._triggered,
            InstrumentAdded: self._added,
        }

    def knows(self, instrument: int) -> bool:
        """Whether the instrument of this id is known."""
        return instrument in self._notionals

    def learn(self, instrument: Instrument, latest: Iterable[Candle]) -> None:
        """Add an instrument; `latest` are its latest candles as of the position. A known one
        changes nothing."""
        if not self.knows(instrument.id):
            self._notionals[instrument.id] = instrument.notional_per_tick_lot
            self._series[instrument.id] = series = CandleSeries()
            series.load(latest)
            self._instruments.append(instrument)

    def add(self, batch: EventBatch) -> None:
        """Add the next batch in order; a heartbeat changes nothing.

        Raises `StreamError` for a trade of an unknown instrument, whose notional has no unit.
        """
        if batch.last_seq < batch.first_seq:
            return
        before = self._position
        if not before.seq:
            # Fill ids of two shards differ.
            self._fill_id = base_of(shard_of(batch.first_seq))
        self._time_ns = batch.time_ns
        recorders = self._recorders
        for event in batch.events:
            recorders[type(event)](event)
        self.rows += len(batch.events)
        self._position = RecordPosition(
            batch.incarnation,
            batch.last_seq,
            batch.time_ns,
            before.first_seq or batch.first_seq,
            self._fill_id,
        )

    def drain(self) -> Changes | None:
        """The changes gathered since the last call; None without any."""
        before, after = self._before, self._position
        if after is before:
            return None
        candles = [
            (instrument, candle)
            for instrument, series in self._series.items()
            for candle in series.drain_changed()
        ]
        changes = Changes(
            before,
            after,
            list(self._orders.values()),
            list(self._changed.values()),
            self._trades,
            self._fills,
            candles,
            self._instruments,
            self._amendments,
        )
        self._before = after
        self._instruments = []
        self._orders, self._changed = {}, {}
        self._trades, self._fills, self._amendments = [], [], []
        self.rows = 0
        return changes

    def _accepted(self, event: OrderAccepted) -> None:
        time_ns = self._time_ns
        terms = event.instructions or _PLAIN
        self._orders[event.seq] = OrderRow(
            event.seq, event.account, event.instrument, event.client_order_id,
            event.side, event.order_type, event.time_in_force, event.price_ticks,
            event.quantity_lots, event.quote_amount, _NEW, 0, event.quantity_lots, 0,
            0, time_ns, time_ns, event.seq, terms.trigger_ticks, terms.display_lots,
            terms.expire_ns, int(terms.post_only), event.prevention, int(not terms.trigger_ticks),
        )  # fmt: skip

    def _trade(self, event: TradeExecuted) -> None:
        instrument, price, lots = event.instrument, event.price_ticks, event.quantity_lots
        worth = self._notionals.get(instrument)
        if worth is None:
            raise StreamError(f"a trade of instrument {instrument}, which is not configured")
        notional = price * lots * worth
        seq, trade_id, time_ns = event.seq, event.trade_id, self._time_ns
        maker_id, taker_id, aggressor = (
            event.maker_order_id, event.taker_order_id, event.aggressor_side,
        )  # fmt: skip
        self._series[instrument].add(price, lots, notional, trade_id, seq, time_ns, aggressor)
        self._trades.append(
            (instrument, trade_id, seq, price, lots, aggressor, maker_id, taker_id, time_ns)
        )
        fill_id = self._fill_id
        self._fill_id = fill_id + 2
        self._fills += (
            (
                fill_id + 1, seq, trade_id, instrument, event.taker_account, taker_id,
                event.taker_client_order_id, aggressor, price, lots, event.taker_fee, _TAKER,
                time_ns,
            ),
            (
                fill_id + 2, seq, trade_id, instrument, event.maker_account, maker_id,
                event.maker_client_order_id, _SELL if aggressor == _BUY else _BUY, price, lots,
                event.maker_fee, _MAKER, time_ns,
            ),
        )  # fmt: skip
        self._fill(taker_id, event.taker_filled_lots, event.taker_remaining_lots, notional, seq)
        self._fill(maker_id, event.maker_filled_lots, event.maker_remaining_lots, notional, seq)

    def _fill(
        self, order_id: int, filled_lots: int, remaining_lots: int, notional: int, seq: int
    ) -> None:
        status = _PARTIALLY_FILLED if remaining_lots else _FILLED
        row = self._now(order_id, status, filled_lots, remaining_lots, seq)
        row.filled_notional += notional

    def _now(
        self, order_id: int, status: int, filled_lots: int, remaining_lots: int, seq: int
    ) -> OrderRow | OrderUpdate:
        """The row of an order, stored or not, with these totals."""
        row: OrderRow | OrderUpdate | None = self._orders.get(order_id)
        if row is None:
            row = self._changed.get(order_id)
            if row is None:
                row = self._changed[order_id] = OrderUpdate(order_id)
        row.status = status
        row.filled_lots = filled_lots
        row.remaining_lots = remaining_lots
        row.updated_ns = self._time_ns
        row.updated_seq = seq
        return row

    def _canceled(self, event: OrderCanceled) -> None:
        row = self._now(event.order_id, _CANCELED, event.filled_lots, 0, event.seq)
        row.reason = event.reason

    def _expired(self, event: OrderExpired) -> None:
        in_match = event.reason == RejectReason.SELF_TRADE
        status = _EXPIRED_IN_MATCH if in_match else _EXPIRED
        row = self._now(event.order_id, status, event.filled_lots, 0, event.seq)
        row.reason = event.reason

    def _completed(self, event: OrderCompleted) -> None:
        self._now(event.order_id, _FILLED, event.filled_lots, 0, event.seq)

    def _amended(self, event: OrderAmended) -> None:
        status = _PARTIALLY_FILLED if event.filled_lots else _NEW
        row = self._now(event.order_id, status, event.filled_lots, event.remaining_lots, event.seq)
        if event.kept_priority:
            self._amendments.append(
                ReductionRow(
                    event.order_id, event.seq, row.quantity_lots, event.quantity_lots, self._time_ns
                )
            )
        row.price_ticks = event.price_ticks
        row.quantity_lots = event.quantity_lots
        row.trigger_ticks = event.trigger_ticks
        row.display_lots = event.display_lots
        row.working = int(not event.trigger_ticks)

    def _triggered(self, event: OrderTriggered) -> None:
        row = self._now(event.order_id, _NEW, 0, event.remaining_lots, event.seq)
        row.working = 1

    def _reduced(self, event: OrderReduced) -> None:
        status = _PARTIALLY_FILLED if event.filled_lots else _NEW
        row = self._now(event.order_id, status, event.filled_lots, event.remaining_lots, event.seq)
        row.quantity_lots = event.quantity_lots

    def _added(self, event: InstrumentAdded) -> None:
        self.learn(event.definition, ())


def _nothing(event: Any) -> None:
    """An event without rows: a refusal, a repeat, the answer of a mass cancel."""
