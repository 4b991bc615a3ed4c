"""The conflated book: which changes become an update, and how many flushes are kept."""

from crossbook.common.messages.feed import DepthUpdate, Snapshot
from crossbook.gateway.streams.conflated_book import FLUSHES_KEPT, PRICES_KEPT, ConflatedBook
from crossbook.gateway.streams.frames import FrameMaker
from tests.worlds.feed_source import SYMBOL
from tests.worlds.stream_world import StreamWorld


def test_the_record_of_flushes_is_bounded() -> None:
    book = ConflatedBook(FrameMaker(StreamWorld().instrument))
    book.load(
        Snapshot(
            request_id=1,
            symbol=SYMBOL,
            seq=1,
            topics={},
            bids=[],
            asks=[],
            checksum=0,
            time_ns=0,
            last_trade_id=0,
        )
    )
    for seq in range(2, 3 * FLUSHES_KEPT):
        book.apply(
            DepthUpdate(
                symbol=SYMBOL,
                first_seq=seq,
                seq=seq,
                prev_seq=0,
                bids=[(seq, seq)],
                asks=[],
                checksum=0,
                time_ns=0,
            )
        )
        assert book.flush()
    assert book.since(book.number - FLUSHES_KEPT)
    assert book.since(book.number - FLUSHES_KEPT - 1) is None
    many = [(price, 1_000_000) for price in range(1, PRICES_KEPT + 2)]
    book.apply(
        DepthUpdate(
            symbol=SYMBOL,
            first_seq=9_999,
            seq=9_999,
            prev_seq=0,
            bids=many,
            asks=[],
            checksum=0,
            time_ns=0,
        )
    )
    assert book.flush()
    assert book.since(book.number - 1) is None


def test_levels_that_are_back_where_they_were_are_no_update() -> None:
    book = ConflatedBook(FrameMaker(StreamWorld().instrument))
    book.load(
        Snapshot(
            request_id=1,
            symbol=SYMBOL,
            seq=5,
            topics={},
            bids=[(10, 3)],
            asks=[],
            checksum=0,
            time_ns=0,
            last_trade_id=0,
        )
    )
    book.apply(
        DepthUpdate(
            symbol=SYMBOL,
            first_seq=6,
            seq=6,
            prev_seq=5,
            bids=[(10, 4)],
            asks=[],
            checksum=0,
            time_ns=0,
        )
    )
    book.apply(
        DepthUpdate(
            symbol=SYMBOL,
            first_seq=7,
            seq=7,
            prev_seq=6,
            bids=[(10, 3)],
            asks=[],
            checksum=0,
            time_ns=0,
        )
    )
    assert book.flush() is None
    assert (book.seq, book.dirty) == (5, False)
