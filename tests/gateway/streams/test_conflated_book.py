"""The conflated book: which changes become an update, and how many flushes are kept."""

from crossbook.common.messages.feed import DepthUpdate, Snapshot
from crossbook.gateway.streams.conflated_book import FLUSHES_KEPT, PRICES_KEPT, ConflatedBook
from crossbook.gateway.streams.frames import FrameMaker
from tests.worlds.feed_source import SYMBOL
from tests.worlds.stream_world import StreamWorld


def test_what_is_remembered_of_flushes_is_bounded() -> None:
    book = ConflatedBook(FrameMaker(StreamWorld().instrument))
    book.load(Snapshot(1, SYMBOL, 1, {}, [], [], 0, 0, 0))
    for seq in range(2, 3 * FLUSHES_KEPT):
        book.apply(DepthUpdate(SYMBOL, seq, seq, 0, [(seq, seq)], [], 0, 0))
        assert book.flush()
    assert book.since(book.number - FLUSHES_KEPT)
    assert book.since(book.number - FLUSHES_KEPT - 1) is None
    many = [(price, 1_000_000) for price in range(1, PRICES_KEPT + 2)]
    book.apply(DepthUpdate(SYMBOL, 9_999, 9_999, 0, many, [], 0, 0))
    assert book.flush()
    assert book.since(book.number - 1) is None


def test_levels_that_are_back_where_they_were_are_no_update() -> None:
    book = ConflatedBook(FrameMaker(StreamWorld().instrument))
    book.load(Snapshot(1, SYMBOL, 5, {}, [(10, 3)], [], 0, 0, 0))
    book.apply(DepthUpdate(SYMBOL, 6, 6, 5, [(10, 4)], [], 0, 0))
    book.apply(DepthUpdate(SYMBOL, 7, 7, 6, [(10, 3)], [], 0, 0))
    assert book.flush() is None
    assert (book.seq, book.dirty) == (5, False)
