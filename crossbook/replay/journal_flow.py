"""The flow of one instrument, from a journal."""

from collections.abc import Iterator
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path

from crossbook.common.instruments import Instrument
from crossbook.common.messages.events import Event, InstrumentStateChanged
from crossbook.common.types import InstrumentState
from crossbook.csv_file import RecordingError
from crossbook.replay.flow import Flow, RecordedStep
from crossbook.replay.recording_writer import RecordingWriter
from crossbook.research.journal import JournalSource
from crossbook.research.order_events import OrderBooks, OrderEvent
from crossbook.research.selection import Selection, selection
from crossbook.research.sources import journal_folders

_seq = attrgetter("seq")


def journal_recordings(
    folder: Path, into: Path, symbol: str | None = None
) -> Iterator[tuple[Path, str]]:
    """Record the flow of every instrument of a journal, or of one, into another folder.

    Yields the file of the commands, and the reason why its flow ended early or an empty text.
    Instruments without flow are passed over. Raises `ExportError` and `RecordingError`.
    """
    selected = selection(symbol)
    sources = [JournalSource(each) for each in journal_folders(folder)]
    instruments = [(each, source) for source in sources for each in source.instruments()]
    selected.check_symbols(each for each, _ in instruments)
    found = 0
    for instrument, source in instruments:
        flow = Flow()
        followed = JournalFlow(source, instrument, selected, flow)
        steps = followed.steps() if selected.of([instrument]) else iter(())
        first = next(steps, None)
        if first is None:
            continue
        with RecordingWriter(into / f"journal_{instrument.symbol}", flow) as writer:
            writer.write(chain([first], steps))
        found += 1
        yield writer.path, followed.ended_by
    if not found:
        raise RecordingError(f"{folder}: no order ever rested there, so there is no flow to replay")


class JournalFlow:
    """The commands of an instrument in a stretch of a journal's time, after the orders that rested
    before it.

    A call phase ends it: `ended_by` is then the reason. Raises `RecordingError` for a stretch that
    begins in one, and `ExportError` for a journal without its beginning.
    """

    def __init__(
        self, journal: JournalSource, instrument: Instrument, selected: Selection, flow: Flow
    ) -> None:
        self.ended_by = ""
        self._journal = journal
        self._instrument = instrument
        self._selected = selected
        self._flow = flow
        self._gathers = False

    def steps(self) -> Iterator[RecordedStep]:
        """All of it."""
        self._journal.check_whole()
        books = OrderBooks()
        begun = False
        for batch in self._journal.batches():
            if batch.time_ns >= self._selected.to_ns:
                return
            for seq, of_command in groupby(batch.events, _seq):
                events = list(of_command)
                changes = self._own(books.apply(events))
                if batch.time_ns < self._selected.from_ns:
                    self._flow.follow(changes)
                    self._gathers = self._gathers_after(events)
                    continue
                if not begun:
                    if self._gathers:
                        raise RecordingError(f"{self._phase(seq)}; begin after its uncross")
                    begun = True
                    yield from self._flow.begin(batch.time_ns)
                self._gathers = self._gathers_after(events)
                if self._gathers:
                    self.ended_by = self._phase(seq)
                    return
                yield from self._flow.apply(changes, batch.time_ns)

    def _own(self, changes: list[OrderEvent]) -> list[OrderEvent]:
        return [change for change in changes if change.instrument == self._instrument.id]

    def _gathers_after(self, events: list[Event]) -> bool:
        """Whether the instrument is in a call phase after a command."""
        gathers = self._gathers
        for event in events:
            if type(event) is InstrumentStateChanged and event.instrument == self._instrument.id:
                gathers = event.state == InstrumentState.AUCTION
        return gathers

    def _phase(self, seq: int) -> str:
        return (
            f"{self._instrument.symbol} is in a call phase at command {seq}; a recording cannot "
            "hold the crossed book of one"
        )
