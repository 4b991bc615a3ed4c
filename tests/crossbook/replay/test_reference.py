"""A recording under price-time priority, and the money that a replay of it needs."""

from typing import Any

from crossbook.replay.recording import (
    BookDigest,
    BookRow,
    Op,
    RecordedCommand,
    RecordedFill,
    Recording,
)
from crossbook.replay.recording_files import read_recording
from crossbook.replay.reference import Needs, reference_of
from crossbook.replay.sample_flow import sample_path


def flow(*commands: tuple[Any, ...], **expected: Any) -> Recording:
    """A recording of (op, id, side, price, lots)."""
    made = []
    for seq, (op, *rest) in enumerate(commands):
        name: Op = op
        made.append(RecordedCommand(seq, 0, name, *rest))
    return Recording(
        name="flow",
        commands=made,
        fills=expected.get("fills"),
        books=expected.get("books", {}),
        digests=expected.get("digests", {}),
    )


def test_the_shipped_sample_keeps_the_rule() -> None:
    reference = reference_of(read_recording(sample_path()))

    assert (reference.fills, reference.books, reference.digests) == ({}, {}, {})
    assert reference.breaks == 0
    assert reference.needs.fills == 754


def test_a_row_that_breaks_the_rule_is_kept_with_its_outcome() -> None:
    recording = flow(
        ("new", 1, 1, 100, 5),
        ("new", 2, 1, 100, 5),
        ("exec", 3, 2, 100, 7),
        fills={2: [RecordedFill(2, 100, 5), RecordedFill(1, 100, 2)]},
        books={1: BookRow(((100, 10),), (), 1, 1), 2: BookRow(((100, 4),), (), 1, 1)},
        digests={2: BookDigest(1, "0" * 64)},
    )

    reference = reference_of(recording)

    assert reference.fills == {2: [RecordedFill(1, 100, 5), RecordedFill(2, 100, 2)]}
    assert reference.books == {2: BookRow(((100, 3),), (), 1, 1)}
    assert reference.digests[2].resting_orders == 1
    assert reference.breaks == 1


def test_needs_are_the_most_that_is_held_at_once() -> None:
    """Buys hold their limit, also while they trade; cancels, reductions and fills free it."""
    needs = reference_of(
        flow(
            ("new", 1, 1, 100, 5),
            ("new", 2, 1, 90, 10),
            ("cancel", 2),
            ("new", 3, 2, 110, 8),
            ("reduce", 3, 0, 0, 6),
            ("exec", 4, 1, 120, 4),
            ("exec", 5, 2, 100, 3),
            ("new", 6, 2, 130, 2),
        )
    ).needs

    assert needs == Needs(
        base_lots=8,
        quote_tick_lots=1400,
        traded_lots=5,
        traded_tick_lots=520,
        fills=2,
    )


def test_a_crossing_order_holds_only_its_remaining_lots() -> None:
    needs = reference_of(
        flow(("new", 1, 2, 100, 5), ("new", 2, 1, 200, 6), ("new", 3, 1, 100, 1))
    ).needs

    assert needs.quote_tick_lots == 1200
    assert needs.base_lots == 5
