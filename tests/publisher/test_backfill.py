"""The times of questions to the recorder, and the use of its answers."""

from msgspec.structs import replace

from crossbook.common.instruments import example
from crossbook.common.messages.events import Event, EventBatch, OrderAccepted, TradeExecuted
from crossbook.common.messages.history_queries import (
    HistoryReject,
    MarketQuestion,
    MarketRecord,
    NotYet,
)
from crossbook.common.messages.matcher_queries import Books, BookState, RestingOrder
from crossbook.publisher.backfill import (
    ALONE_NS,
    QUESTIONS_MAX,
    UNANSWERED_AGAIN_NS,
    UNSENT_AGAIN_NS,
    UNUSABLE_AGAIN_NS,
    Backfill,
    Finding,
    Note,
)
from crossbook.publisher.feed import CHANGED_NS, Feed
from tests.worlds.plain_recorder import PlainRecorder, plain_latest, trade

SYMBOL = "BTC-USDT"
NOTIONAL = example().notional_per_tick_lot
INCARNATION = 7
START_NS = 5_000_000_000
TIME_NS = 1_761_436_800_000_000_000
BOOKS_SEQ = 40
MAKER = 39
"""A resting sell order of many lots: every trade takes from it."""


class BackfillWorld:
    """A publisher that begins at command 40, after trade 4, beside a recorder."""

    def __init__(self) -> None:
        self.feed = Feed([example()], base=0, resend_count=100)
        self.past = Backfill(self.feed)
        self.recorder = PlainRecorder(NOTIONAL)
        self.maker_open = 1_000
        self.trades = [trade(n, 500, n, TIME_NS + n, seq=9 * n) for n in range(1, 5)]
        self.recorder.record(BOOKS_SEQ, 1, self.trades)
        self.now_ns = START_NS

    def load(
        self, last_trade_id: int = 4, incarnation: int = INCARNATION, seq: int = BOOKS_SEQ
    ) -> None:
        """Load the matcher's books."""
        asks = [RestingOrder(order_id=MAKER, price_ticks=500, shown_lots=self.maker_open)]
        book = BookState(
            instrument=1, bids=[], asks=asks, last_trade_id=last_trade_id, last_price_ticks=500
        )
        self.feed.load(
            Books(request_id=1, incarnation=incarnation, seq=seq, time_ns=TIME_NS, books=[book])
        )
        self.feed.publish()

    def trade(self, recorded: bool = True, published: bool = True) -> None:
        """Do one more trade, in the feed and perhaps in the record."""
        trade_id, seq = self.trades[-1].trade_id + 1, self.feed.seq + 1
        self.maker_open -= 1
        self.trades.append(trade(trade_id, 500, 1, TIME_NS + trade_id, seq))
        events: list[Event] = [
            OrderAccepted(
                seq=seq,
                gateway=0,
                request_seq=0,
                account=8,
                instrument=1,
                side=1,
                order_type=1,
                time_in_force=2,
                price_ticks=500,
                quantity_lots=1,
            ),
            TradeExecuted(
                seq=seq,
                trade_id=trade_id,
                instrument=1,
                price_ticks=500,
                quantity_lots=1,
                aggressor_side=1,
                maker_order_id=MAKER,
                taker_order_id=seq,
                maker_account=9,
                taker_account=8,
                maker_fee=0,
                taker_fee=0,
                maker_filled_lots=0,
                maker_remaining_lots=self.maker_open,
                taker_filled_lots=1,
                taker_remaining_lots=0,
            ),
        ]
        self.feed.apply(
            EventBatch(
                incarnation=INCARNATION,
                first_seq=seq,
                last_seq=seq,
                time_ns=TIME_NS + trade_id,
                events=events,
            )
        )
        if published:
            self.feed.publish()
        if recorded:
            self.recorder.record(seq, 1, self.trades[-1:])

    def questions(self, after_ns: int = 0) -> list[MarketQuestion]:
        """Let time pass; return the questions sent then."""
        self.now_ns += after_ns
        return self.past.next_questions(self.now_ns)

    def answer(self, question: MarketQuestion) -> None:
        self.past.receive(self.recorder.answer(question), self.now_ns)

    @property
    def known(self) -> bool:
        return self.feed.markets[1].statistics.known

    def check(self) -> None:
        """Assert that the candles are those of all trades."""
        _, candles = self.feed.markets[1].statistics.state(1, TIME_NS, (0, 0, 0, 0))
        assert candles == plain_latest(self.trades, NOTIONAL)


def test_no_question_is_sent_before_the_books_are_there() -> None:
    world = BackfillWorld()
    assert world.questions() == []
    assert world.questions(2 * ALONE_NS) == []
    assert world.past.drain_notes() == []


def test_without_any_trade_there_is_no_question() -> None:
    world = BackfillWorld()
    world.load(last_trade_id=0)
    assert world.questions() == []
    assert world.known


def test_the_past_is_requested_as_of_the_applied_number_and_later_trades_count() -> None:
    world = BackfillWorld()
    world.load()
    (question,) = world.questions()
    assert question == MarketQuestion(request_id=1, min_seq=BOOKS_SEQ, instrument=1)
    world.trade()
    world.trade()
    assert world.feed.publish_statistics(world.now_ns) == []
    world.answer(question)
    assert world.past.drain_notes() == [Note(Finding.LOADED, [SYMBOL])]
    world.check()
    assert [name for name, _, _ in world.feed.publish_statistics(world.now_ns + CHANGED_NS)] == [
        b"candle.BTC-USDT|",
        b"ticker.BTC-USDT|",
    ]
    world.trade()
    world.check()
    assert world.questions(2 * UNANSWERED_AGAIN_NS) == []


def test_an_answer_ahead_of_the_feed_waits_for_it() -> None:
    world = BackfillWorld()
    world.load()
    (question,) = world.questions()
    ahead = BackfillWorld()
    ahead.load()
    ahead.trade()
    ahead.trade()
    world.past.receive(ahead.recorder.answer(question), world.now_ns)
    assert not world.known
    world.trade(recorded=False)
    assert world.questions() == []
    assert not world.known
    world.trade(recorded=False)
    assert world.questions() == []
    assert world.known
    world.check()


def test_an_unanswered_question_is_repeated_as_of_the_same_number() -> None:
    world = BackfillWorld()
    world.load()
    assert [each.request_id for each in world.questions()] == [1]
    world.trade()
    assert world.questions(UNANSWERED_AGAIN_NS - 1) == []
    (again,) = world.questions(1)
    assert again == MarketQuestion(request_id=2, min_seq=BOOKS_SEQ, instrument=1)
    world.past.receive(NotYet(request_id=2, seq=BOOKS_SEQ - 1, text=""), world.now_ns)
    assert world.questions(UNSENT_AGAIN_NS - 1) == []
    (later,) = world.questions(1)
    assert later == MarketQuestion(request_id=3, min_seq=BOOKS_SEQ, instrument=1)
    world.answer(later)
    world.check()


def test_an_unsent_question_is_sent_later_as_of_then() -> None:
    world = BackfillWorld()
    world.load()
    questions = world.questions()
    world.past.not_sent(questions, world.now_ns)
    world.trade()
    assert world.questions(UNSENT_AGAIN_NS - 1) == []
    (again,) = world.questions(1)
    assert again == MarketQuestion(request_id=2, min_seq=BOOKS_SEQ + 1, instrument=1)
    world.answer(again)
    world.check()


def test_without_a_recorder_the_past_begins_empty_and_is_logged_once() -> None:
    world = BackfillWorld()
    world.load()
    world.past.not_sent(world.questions(), world.now_ns)
    world.trade()
    world.past.not_sent(world.questions(ALONE_NS - 1), world.now_ns)
    assert not world.known
    world.past.not_sent(world.questions(1), world.now_ns)
    assert world.known
    assert world.past.drain_notes() == [Note(Finding.ALONE, [SYMBOL])]
    _, candles = world.feed.markets[1].statistics.state(1, TIME_NS, (0, 0, 0, 0))
    assert candles == plain_latest(world.trades[4:], NOTIONAL)
    world.past.not_sent(world.questions(2 * ALONE_NS), world.now_ns)
    assert world.past.drain_notes() == []
    # The recorder appears.
    world.trade()
    (question,) = world.questions(UNSENT_AGAIN_NS)
    world.trade()
    world.answer(question)
    assert world.past.drain_notes() == [Note(Finding.LOADED, [SYMBOL])]
    world.check()


def test_the_past_of_another_incarnation_is_not_applied() -> None:
    world = BackfillWorld()
    world.load()
    (question,) = world.questions()
    world.recorder.incarnation = INCARNATION + 1
    world.answer(question)
    assert world.past.drain_notes() == [Note(Finding.OTHER_HISTORY, [SYMBOL])]
    assert not world.known
    assert world.questions(UNUSABLE_AGAIN_NS - 1) == []
    (again,) = world.questions(1)
    world.recorder.incarnation = INCARNATION
    world.answer(again)
    world.check()


def test_a_refusal_is_logged_and_not_repeated_soon() -> None:
    world = BackfillWorld()
    world.load()
    (question,) = world.questions()
    world.past.receive(
        HistoryReject(request_id=question.request_id, field="instrument", text="unknown"),
        world.now_ns,
    )
    assert world.past.drain_notes() == [
        Note(finding=Finding.REFUSED, symbols=[SYMBOL], text="unknown")
    ]
    assert world.questions(UNUSABLE_AGAIN_NS - 1) == []
    assert len(world.questions(1)) == 1


def test_the_number_of_unanswered_questions_is_bounded() -> None:
    count = 2 * QUESTIONS_MAX + 1
    instruments = [replace(example(), id=n, symbol=f"S{n}-X") for n in range(1, count)]
    feed = Feed(instruments, base=0, resend_count=100)
    past = Backfill(feed)
    recorder = PlainRecorder(NOTIONAL)
    for n in range(1, count):
        recorder.record(BOOKS_SEQ, n, [trade(4, 500, 4, TIME_NS, seq=36)])
    feed.load(
        Books(
            request_id=1,
            incarnation=INCARNATION,
            seq=BOOKS_SEQ,
            time_ns=TIME_NS,
            books=[
                BookState(instrument=n, bids=[], asks=[], last_trade_id=4, last_price_ticks=500)
                for n in range(1, count)
            ],
        )
    )
    feed.publish()
    first = past.next_questions(START_NS)
    assert [each.instrument for each in first] == list(range(1, QUESTIONS_MAX + 1))
    assert past.next_questions(START_NS) == []
    past.receive(recorder.answer(first[0]), START_NS)
    past.receive(
        HistoryReject(request_id=first[1].request_id, field="instrument", text="unknown"), START_NS
    )
    more = past.next_questions(START_NS)
    assert [each.instrument for each in more] == [QUESTIONS_MAX + 1, QUESTIONS_MAX + 2]
    # Unanswered questions may be sent again, and no other question takes their place.
    again = past.next_questions(START_NS + UNANSWERED_AGAIN_NS)
    assert [each.instrument for each in again] == list(range(3, QUESTIONS_MAX + 3))


def test_an_answer_counts_only_for_the_instrument_of_its_question() -> None:
    instruments = [example(), replace(example(), id=2, symbol="ETH-USDT")]
    feed = Feed(instruments, base=0, resend_count=100)
    past = Backfill(feed)
    books = [
        BookState(instrument=n, bids=[], asks=[], last_trade_id=4, last_price_ticks=500)
        for n in (1, 2)
    ]
    feed.load(
        Books(request_id=1, incarnation=INCARNATION, seq=BOOKS_SEQ, time_ns=TIME_NS, books=books)
    )
    feed.publish()
    one, other = past.next_questions(START_NS)
    past.receive(
        HistoryReject(request_id=other.request_id, field="instrument", text="unknown"), START_NS
    )
    past.receive(
        HistoryReject(request_id=other.request_id + 1, field="instrument", text="unknown"), START_NS
    )
    assert past.drain_notes() == [
        Note(finding=Finding.REFUSED, symbols=["ETH-USDT"], text="unknown")
    ]
    again = past.next_questions(START_NS + UNANSWERED_AGAIN_NS)
    assert [each.instrument for each in again] == [one.instrument]


def test_books_lost_with_trades_in_between_lead_to_a_new_question() -> None:
    world = BackfillWorld()
    world.load()
    (question,) = world.questions()
    world.answer(question)
    world.load(seq=BOOKS_SEQ + 3)
    assert world.known, "no trade was missed"
    assert world.questions() == []
    world.trades.append(trade(5, 500, 1, TIME_NS, BOOKS_SEQ + 5))
    world.recorder.record(BOOKS_SEQ + 9, 1, world.trades[-1:])
    world.load(last_trade_id=5, seq=BOOKS_SEQ + 9)
    assert not world.known
    (anew,) = world.questions()
    assert anew.min_seq == BOOKS_SEQ + 9
    world.answer(anew)
    world.check()


def test_another_incarnation_with_as_many_trades_leads_to_a_new_question() -> None:
    world = BackfillWorld()
    world.load()
    world.answer(world.questions()[0])
    world.load(incarnation=INCARNATION + 1)
    assert not world.known
    assert len(world.questions()) == 1


def test_an_answer_to_a_question_sent_before_the_loss_is_dropped() -> None:
    world = BackfillWorld()
    world.load()
    (question,) = world.questions()
    late = world.recorder.answer(question)
    assert isinstance(late, MarketRecord)
    world.load(last_trade_id=9, seq=BOOKS_SEQ + 9)
    (anew,) = world.questions()
    world.past.receive(late, world.now_ns)
    assert not world.known
    assert world.past.drain_notes() == []
    assert anew.min_seq == BOOKS_SEQ + 9


def test_trades_of_an_earlier_incarnation_published_late_do_not_count() -> None:
    world = BackfillWorld()
    world.load()
    world.answer(world.questions()[0])
    world.trade(published=False)
    world.load(last_trade_id=0, incarnation=INCARNATION + 1, seq=0)
    assert world.known
    world.trades = [trade(0, 500, 1, TIME_NS)]
    world.trade()
    world.trades = world.trades[1:]
    world.check()


def test_trades_published_after_books_that_contain_them_count_once() -> None:
    world = BackfillWorld()
    world.load()
    world.answer(world.questions()[0])
    world.trade(published=False)
    world.load(last_trade_id=5, seq=BOOKS_SEQ + 1)
    assert world.known
    world.check()
