"""A recorded market replays to its own fills and books, by the judgement of a plain book."""

import re
from pathlib import Path

import pytest

from crossbook.common.instruments import Instrument
from crossbook.csv_file import RecordingError
from crossbook.replay.flow import Flow
from crossbook.replay.journal_flow import JournalFlow
from crossbook.replay.recording import Recording
from crossbook.replay.recording_files import read_recording
from crossbook.replay.recording_writer import RecordingWriter
from crossbook.replay.reference import reference_of
from crossbook.research.journal import JournalSource
from crossbook.research.order_events import OrderEvent
from crossbook.research.selection import Selection
from crossbook.research.tables import TRADES
from tests.properties.market import INSTRUMENTS
from tests.worlds.stored_exchange import stored_exchange

BATCHES = 250


def event(
    act: str, order_id: int, lots: int, remaining: int, *, side: int = 1, price: int = 100,
    seq: int = 1, other: int = 0,
) -> OrderEvent:  # fmt: skip
    return OrderEvent(1, seq, act, order_id, side, price, lots, remaining, int(bool(other)), other)  # type: ignore[arg-type]


def steps_of(flow: Flow, *events: OrderEvent) -> list[tuple[object, ...]]:
    """(op, id, side, price, lots, fills) of the commands recorded."""
    return [
        (
            step.command.op, step.command.order_id, step.command.side, step.command.price_ticks,
            step.command.quantity_lots,
            [(fill.maker_id, fill.quantity_lots) for fill in step.fills],
        )
        for step in flow.apply(events, time_ns=5)
    ]  # fmt: skip


def test_an_order_that_does_not_rest_is_an_execution_at_its_last_price() -> None:
    flow = Flow()
    steps_of(flow, event("add", 7, 5, 5), event("add", 8, 5, 5, price=99, seq=2))
    found = steps_of(
        flow,
        event("execute", 7, 5, 0, seq=3, other=9),
        event("execute", 8, 2, 3, price=99, seq=3, other=9),
    )
    assert found == [("exec", 3, 2, 99, 7, [(1, 5), (2, 2)])]


def test_an_order_that_rests_is_new_with_what_it_took() -> None:
    flow = Flow()
    steps_of(flow, event("add", 7, 5, 5))
    found = steps_of(
        flow,
        event("execute", 7, 5, 0, seq=2, other=9),
        event("add", 9, 4, 4, side=2, seq=2),
    )
    assert found == [("new", 2, 2, 100, 9, [(1, 5)])]
    assert flow.ids == {9: 2}


def test_the_next_slice_of_an_iceberg_parts_its_taker_in_two() -> None:
    flow = Flow()
    steps_of(flow, event("add", 7, 5, 5))
    found = steps_of(
        flow,
        event("execute", 7, 5, 0, seq=2, other=9),
        event("add", 7, 5, 5, seq=2),
        event("execute", 7, 1, 4, seq=2, other=9),
    )
    assert found == [
        ("exec", 2, 2, 100, 5, [(1, 5)]),
        ("new", 3, 1, 100, 5, []),
        ("exec", 4, 2, 100, 1, [(3, 1)]),
    ]


def test_a_maker_that_was_met_leaves_after_its_taker() -> None:
    """Another taker, which traded nothing, expired the order that the first one left."""
    flow = Flow()
    steps_of(flow, event("add", 7, 5, 5))
    found = steps_of(
        flow, event("execute", 7, 2, 3, seq=2, other=9), event("delete", 7, 3, 0, seq=2)
    )
    assert found == [("exec", 2, 2, 100, 2, [(1, 2)]), ("cancel", 1, 0, 0, 0, [])]


def test_an_order_that_takers_pass_over_leaves_before_them() -> None:
    """Self-trade prevention expired the order in the middle of a sweep."""
    flow = Flow()
    for order_id in (7, 8, 9):
        steps_of(flow, event("add", order_id, 5, 5, seq=order_id))
    found = steps_of(
        flow,
        event("execute", 7, 5, 0, seq=10, other=10),
        event("delete", 8, 5, 0, seq=10),
        event("modify", 9, 4, 4, seq=10),
        event("execute", 9, 4, 0, seq=10, other=10),
    )
    assert found == [
        ("cancel", 2, 0, 0, 0, []),
        ("reduce", 3, 0, 0, 1, []),
        ("exec", 4, 2, 100, 9, [(1, 5), (3, 4)]),
    ]


def read_back(path: Path) -> Recording:
    """The recording, which a plain book finds without a difference."""
    recording = read_recording(path)
    assert recording.digests
    reference = reference_of(recording)
    assert (reference.fills, reference.books, reference.digests) == ({}, {}, {})
    return recording


@pytest.fixture(scope="module", params=range(4))
def journal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> JournalSource:
    """The journal of some thousand random commands."""
    folder = tmp_path_factory.mktemp("data")
    return JournalSource(stored_exchange(folder, request.param, BATCHES).folder)


def recorded(
    journal: JournalSource, instrument: Instrument, from_ns: int, stem: Path
) -> tuple[Recording, int, int] | None:
    """A recording from a time on, the fills in it and its end; None within a call phase."""
    flow = Flow()
    source = JournalFlow(journal, instrument, Selection(from_ns=from_ns), flow)
    try:
        with RecordingWriter(stem, flow) as writer:
            writer.write(source.steps())
    except RecordingError as error:
        if re.search("call phase|nothing happened", str(error)):
            return None
        raise
    recording = read_back(writer.path)
    assert writer.commands == len(recording.commands)
    return recording, writer.fills, recording.commands[-1].time_ns


def test_random_flow_replays_to_its_own_fills_and_books(
    journal: JournalSource, tmp_path: Path
) -> None:
    fills = 0
    ops: set[str] = set()
    times = [batch.time_ns for batch in journal.batches()]
    for instrument in INSTRUMENTS:
        for number, from_ns in enumerate(times[:: len(times) // 12]):
            found = recorded(journal, instrument, from_ns, tmp_path / f"{instrument.id}-{number}")
            if found is None:
                continue
            recording, traded, to_ns = found
            assert recording.fills is not None
            selected = Selection((instrument.symbol,), from_ns, to_ns + 1)
            trades = [
                (row[4], row[5])
                for row in journal.rows(TRADES, selected)
            ]  # fmt: skip
            listed = [fill for each in recording.fills.values() for fill in each]
            assert len(listed) == traded
            grid = instrument.grid
            as_text = [
                (grid.price.text(each.price_ticks), grid.quantity.text(each.quantity_lots))
                for each in listed
            ]
            assert trades[: len(as_text)] == as_text
            fills += traded
            ops |= {command.op for command in recording.commands}
    assert fills > 50
    assert ops == {"new", "exec", "cancel", "reduce"}


def test_a_recording_within_a_call_phase_is_refused(journal: JournalSource, tmp_path: Path) -> None:
    reasons = set()
    for from_ns in [batch.time_ns for batch in journal.batches()][::5]:
        flow = Flow()
        source = JournalFlow(journal, INSTRUMENTS[0], Selection(from_ns=from_ns), flow)
        try:
            for _ in source.steps():
                pass
        except RecordingError as error:
            reasons.add("begin after its uncross" in str(error))
        else:
            reasons.add(bool(source.ended_by))
    assert True in reasons
