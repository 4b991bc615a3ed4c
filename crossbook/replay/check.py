"""Compares the exchange's messages with a recording. Does no I/O.

Fills are those of the public trades, books those of the public L3 changes. Both carry the matcher's
sequence numbers, and so does the answer to a command: "the book after command k" is the book with
every change numbered up to that answer's, whenever the changes arrived.

A recording may break the rule it is compared by: real venues' data do. So each difference is
compared with the result of price-time priority (`crossbook.replay.reference`): where the exchange
has that result, the recording is at fault, and the exchange is not.
"""

import hashlib
from collections import deque
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from crossbook.common.following.depth import OrderDepth
from crossbook.common.messages import entry, feed
from crossbook.common.types import ExecutionKind, Liquidity, RejectReason, Side
from crossbook.errors import reason_name
from crossbook.replay.recording import (
    BookDigest,
    RecordedCommand,
    RecordedFill,
    Recording,
    digest_line,
)
from crossbook.replay.reference import Reference, reference_of, row_difference

MAX_DIFFERENCES: Final = 20
"""Differences described in words; all are counted."""

_UNANSWERED: Final = -1
_NOT_RECORDED: Final = -1
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)


class Tally(Struct):
    """How many pairs were compared, and how many of them were equal."""

    compared: int = 0
    equal: int = 0

    @property
    def different(self) -> int:
        return self.compared - self.equal

    def add(self, equal: bool) -> bool:
        """Count one comparison; returns `equal`."""
        self.compared += 1
        self.equal += equal
        return equal


class CheckResult(Struct):
    """The result of the comparison.

    `fills` counts those of the exchange, `recorded_fills` is compared position by position (None
    where the recording lists no fills), `own_fills` compares the account's execution reports with
    the public trades. `refused` counts refusals by reason; `unexpected` those that a recording of a
    real venue does not explain: anything but a cancel or reduction that came too late.
    `rows_without_levels` are recorded rows that show nothing to compare. `breaks` counts the
    commands after which the recording is not what price-time priority gives, and `by_recording` the
    differences which that explains; `by_exchange` all others. With `in_use` the book held orders at
    the start.
    """

    fills: int
    recorded_fills: Tally | None
    own_fills: Tally
    books: Tally
    digests: Tally
    refused: dict[str, int]
    unexpected: int
    unanswered: int
    foreign_trades: int
    differences: list[str]
    rows_without_levels: int = 0
    breaks: int = 0
    by_recording: int = 0
    by_exchange: int = 0
    in_use: bool = False

    @property
    def cause(self) -> str:
        """The cause of the differences, empty where there are none: `recording` (it breaks
        price-time priority, and the exchange kept it), `refusals` (orders were refused), `others`
        (orders or trades of other accounts), or else `exchange`."""
        if self.equal:
            return ""
        if self.in_use or self.foreign_trades:
            return "others"
        if self.unexpected:
            return "refusals"
        return "exchange" if self.by_exchange or self.unanswered else "recording"

    @property
    def equal(self) -> bool:
        """Whether everything compared was equal, and no order or trade came from elsewhere."""
        tallies = [self.own_fills, self.books, self.digests]
        if self.recorded_fills is not None:
            tallies.append(self.recorded_fills)
        return not (
            any(tally.different for tally in tallies)
            or self.unexpected
            or self.unanswered
            or self.foreign_trades
        )


class ReplayCheck:
    """The running comparison of one replay.

    Give it every answer, trade and L3 change, each kind in its own order, and the number up to
    which the L3 changes are complete; read the `result` at the end. Set `in_use` where the book
    holds orders at the start, and `load` them.
    """

    def __init__(self, recording: Recording, reference: Reference | None = None) -> None:
        self.book = OrderDepth()
        self.in_use = False
        self._recording = recording
        self._reference = reference or reference_of(recording)
        self._rows_without_levels = 0
        self._by_recording = 0
        self._commands = recording.commands
        self._seqs = [_UNANSWERED] * len(recording.commands)
        self._contiguous = 0
        self._effective_seq = 0
        self._loaded_seq = 0
        self._recorded_id: dict[int, int] = {}
        self._refused: dict[str, int] = {}
        self._unexpected = 0
        self._changes: deque[feed.OrderChange] = deque()
        self._due: deque[tuple[int, RecordedCommand]] = deque()
        self._trades: list[feed.Trade] = []
        self._own: dict[int, tuple[int, int, int]] = {}
        self._books = Tally()
        self._digests = Tally()
        self._differences: list[str] = []
        self._different = 0

    def load(
        self,
        seq: int,
        bids: Iterable[tuple[int, int, int]],
        asks: Iterable[tuple[int, int, int]],
    ) -> None:
        """Replace the book as of `seq`: (order id, price ticks, lots) in priority order.

        Used at the start of a book that is not empty, and after changes that the feed has lost:
        books due before `seq` cannot be compared then, and count as different.
        """
        while self._due and self._due[0][0] < seq:
            self._lost(self._due.popleft()[1])
        self._loaded_seq = seq
        self._changes = deque(change for change in self._changes if change.seq > seq)
        self.book.clear()
        for side, orders in ((_BUY, bids), (_SELL, asks)):
            for order_id, price_ticks, lots in orders:
                self.book.set_order(order_id, side, price_ticks, lots)

    def accepted(self, index: int, ack: entry.Ack) -> None:
        """Command `index` was acknowledged."""
        command = self._commands[index]
        if command.op in ("new", "exec"):
            self._recorded_id[ack.order_id] = command.order_id
        self._answered(index, ack.seq)

    def refused(self, index: int, reject: entry.Reject) -> None:
        """Command `index` was refused; by the gateway when the reject has no sequence number."""
        command = self._commands[index]
        name = reason_name(reject.reason)
        self._refused[name] = self._refused.get(name, 0) + 1
        if command.op in ("new", "exec") or reject.reason != RejectReason.UNKNOWN_ORDER:
            self._unexpected += 1
            self._differ(
                f"command {command.seq} ({command.op} {command.order_id}) was refused: "
                f"{name} {reject.field} {reject.text}".rstrip()
            )
        self._answered(index, reject.seq)

    def executed(self, execution: entry.Execution) -> None:
        """Add an execution report of the account; taker fills are kept."""
        if execution.kind == ExecutionKind.FILL and execution.liquidity == Liquidity.TAKER:
            self._own[execution.trade_id] = (
                execution.order_id,
                execution.price_ticks,
                execution.quantity_lots,
            )

    def traded(self, trades: Iterable[feed.Trade]) -> None:
        """The feed printed these trades."""
        self._trades.extend(trades)

    def changed(self, changes: Iterable[feed.OrderChange]) -> None:
        """The feed showed these changes of resting orders, in order."""
        self._changes.extend(changes)

    def complete(self, seq: int) -> None:
        """Every L3 change numbered up to `seq` has been given: compare the books due by then."""
        while self._due and self._due[0][0] <= seq:
            effective_seq, command = self._due.popleft()
            if effective_seq < self._loaded_seq:
                self._lost(command)
                continue
            self._apply_changes(effective_seq)
            self._judge_book(command)

    @property
    def last_seq(self) -> int:
        """The highest sequence number any answer carried so far."""
        return max(self._seqs, default=0)

    @property
    def fill_count(self) -> int:
        """Trades printed so far."""
        return len(self._trades)

    def result(self) -> CheckResult:
        """Compare the fills; the findings of the whole replay."""
        recorded_fills, foreign = self._judge_fills()
        own_fills = self._judge_own_fills()
        to_compare = sum(row.compared for row in self._recording.books.values())
        unjudged = len(self._due) + self._books_never_due()
        if unjudged:
            self._differ(f"{unjudged} books could not be compared: the feed did not get there")
        return CheckResult(
            len(self._trades) - foreign,
            recorded_fills,
            own_fills,
            self._unreached(self._books, to_compare),
            self._unreached(self._digests, len(self._recording.digests)),
            dict(sorted(self._refused.items())),
            self._unexpected,
            self._seqs.count(_UNANSWERED),
            foreign,
            self._described(),
            len(self._recording.books) - to_compare,
            self._reference.breaks,
            self._by_recording,
            self._different - self._by_recording,
            self.in_use,
        )

    def _answered(self, index: int, seq: int) -> None:
        self._seqs[index] = seq
        books, digests = self._recording.books, self._recording.digests
        while self._contiguous < len(self._seqs):
            seq = self._seqs[self._contiguous]
            if seq == _UNANSWERED:
                return
            # A refusal before sequencing has no number: the book is that of the command before.
            self._effective_seq = seq or self._effective_seq
            command = self._commands[self._contiguous]
            self._contiguous += 1
            if command.seq in books or command.seq in digests:
                self._due.append((self._effective_seq, command))

    def _apply_changes(self, seq: int) -> None:
        changes, apply = self._changes, self.book.apply
        while changes and changes[0].seq <= seq:
            apply(changes.popleft())

    def _lost(self, command: RecordedCommand) -> None:
        self._differ(f"book after command {command.seq}: the feed lost changes before it")
        row = self._recording.books.get(command.seq)
        self._books.compared += row is not None and row.compared
        self._digests.compared += command.seq in self._recording.digests

    def _judge_book(self, command: RecordedCommand) -> None:
        row = self._recording.books.get(command.seq)
        if row is not None and row.compared:
            fault = row_difference(row, self.book.depth.levels)
            if not self._books.add(not fault):
                ruled = self._reference.books.get(command.seq)
                kept = ruled is not None and not row_difference(ruled, self.book.depth.levels)
                self._differ(f"book after command {command.seq}: {fault}", kept)
        digest = self._recording.digests.get(command.seq)
        if digest is not None:
            found = BookDigest(len(self.book), book_digest(self.book, self._recorded_id))
            if not self._digests.add(found == digest):
                self._differ(
                    f"digest after command {command.seq}: {found.resting_orders} orders "
                    f"{found.sha256[:12]}, recorded {digest.resting_orders} orders "
                    f"{digest.sha256[:12]}",
                    self._reference.digests.get(command.seq) == found,
                )

    def _judge_fills(self) -> tuple[Tally | None, int]:
        """Compare trades with the recorded fills; also counts the trades of other takers."""
        index_of = {seq: index for index, seq in enumerate(self._seqs) if seq > 0}
        happened: dict[int, list[RecordedFill]] = {}
        foreign = 0
        for trade in self._trades:
            index = index_of.get(trade.seq)
            taker = self._recorded_id.get(trade.taker_order_id)
            if index is None or taker != self._commands[index].order_id:
                foreign += 1
                self._differ(f"trade {trade.trade_id} is of an order that is not in the recording")
                continue
            maker = self._recorded_id.get(trade.maker_order_id, _NOT_RECORDED)
            fill = RecordedFill(maker, trade.price_ticks, trade.quantity_lots)
            happened.setdefault(self._commands[index].seq, []).append(fill)
        if self._recording.fills is None:
            return None, foreign
        tally = Tally()
        for seq in sorted(self._recording.fills.keys() | happened.keys()):
            self._judge_command(
                tally, seq, self._recording.fills.get(seq, []), happened.get(seq, [])
            )
        return tally, foreign

    def _judge_command(
        self, tally: Tally, seq: int, recorded: list[RecordedFill], found: list[RecordedFill]
    ) -> None:
        kept = self._reference.fills.get(seq) == found
        for k in range(max(len(recorded), len(found))):
            expected = recorded[k] if k < len(recorded) else None
            happened = found[k] if k < len(found) else None
            if not tally.add(expected == happened):
                self._differ(
                    f"fill {k} of command {seq}: {_fill_text(happened)}, recorded "
                    f"{_fill_text(expected)}",
                    kept,
                )

    def _judge_own_fills(self) -> Tally:
        tally = Tally()
        for trade in self._trades:
            if trade.taker_order_id not in self._recorded_id:
                continue
            public = (trade.taker_order_id, trade.price_ticks, trade.quantity_lots)
            if not tally.add(self._own.get(trade.trade_id) == public):
                self._differ(f"trade {trade.trade_id}: the execution report differs or is missing")
        extra = len(self._own.keys() - {trade.trade_id for trade in self._trades})
        if extra:
            tally.compared += extra
            self._differ(f"{extra} fills were reported to the account but not printed")
        return tally

    def _books_never_due(self) -> int:
        rows = self._recording.books.keys() | self._recording.digests.keys()
        return sum(command.seq in rows for command in self._commands[self._contiguous :])

    def _unreached(self, tally: Tally, recorded: int) -> Tally:
        """The tally with everything that was never compared counted as different."""
        return Tally(max(recorded, tally.compared), tally.equal)

    def _differ(self, text: str, kept: bool = False) -> None:
        """Count a difference; with `kept` the exchange has the result of price-time priority."""
        self._different += 1
        if kept:
            self._by_recording += 1
            text = f"{text} (the recording breaks price-time priority, the exchange kept it)"
        if len(self._differences) < MAX_DIFFERENCES:
            self._differences.append(text)

    def _described(self) -> list[str]:
        more = self._different - len(self._differences)
        return [*self._differences, f"and {more} more"] if more else list(self._differences)


def book_digest(book: OrderDepth, recorded_id: dict[int, int]) -> str:
    """SHA-256 over one line per resting order, bids first, under the recording's ids.

    An order that is not of the recording is written with an id that no recording has.
    """
    digest = hashlib.sha256()
    for side in (_BUY, _SELL):
        for order_id, price_ticks, lots in book.orders(side):
            line = digest_line(side, price_ticks, recorded_id.get(order_id, _NOT_RECORDED), lots)
            digest.update(line.encode())
    return digest.hexdigest()


def _fill_text(fill: RecordedFill | None) -> str:
    if fill is None:
        return "nothing"
    return f"{fill.quantity_lots} lots at {fill.price_ticks} of order {fill.maker_id}"
