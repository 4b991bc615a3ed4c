"""One instrument's candles and ticker, message by message."""

from random import Random

import pytest
from msgspec.structs import replace

from crossbook.common.following.candles import has_ended
from crossbook.common.instruments import example
from crossbook.common.messages.codec import decode_feed
from crossbook.common.messages.feed import Candles, FeedMessage, Ticker, Trade
from crossbook.common.messages.history_queries import (
    CANDLE_INTERVALS_S,
    Candle,
    MarketQuestion,
    MarketRecord,
)
from crossbook.publisher import statistics
from crossbook.publisher.statistics import MarketStatistics
from tests.worlds.plain_recorder import (
    MINUTE_NS,
    SECOND_NS,
    PlainRecorder,
    plain_candles,
    plain_latest,
    plain_ticker,
    trade,
)

NOTIONAL = example().notional_per_tick_lot
MIDNIGHT_NS = 1_761_436_800_000_000_000
DAY_NS = 1_440 * MINUTE_NS
QUOTE = (499, 3, 501, 4)


def fresh(last_trade_id: int = 0) -> MarketStatistics:
    """Statistics of BTC-USDT that begin after a trade."""
    made = MarketStatistics(example(), 100, 50, 10**6)
    made.forget(last_trade_id, 0)
    return made


def published(made: MarketStatistics, now_ns: int, seq: int = 1) -> list[FeedMessage]:
    return [decode_feed(payload) for _, _, payload in made.publish(seq, now_ns, QUOTE)]


@pytest.mark.parametrize("total", [2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30])
def test_candles_and_ticker_contain_sums_of_any_size(total: int) -> None:
    made = fresh()
    trades = [trade(1, 500, total - 1, MIDNIGHT_NS), trade(2, 500, 1, MIDNIGHT_NS + MINUTE_NS)]
    apply_trades(made, *trades)
    candles, ticker = published(made, MIDNIGHT_NS + MINUTE_NS)
    assert isinstance(candles, Candles)
    assert isinstance(ticker, Ticker)
    day = max(candles.candles, key=lambda candle: candle.interval_s)
    for published_values in (day, ticker):
        assert (published_values.volume_lots, published_values.quote_volume) == (
            total,
            500 * total * NOTIONAL,
        )
    _, later = published(made, MIDNIGHT_NS + DAY_NS)
    assert isinstance(later, Ticker)
    assert (later.volume_lots, later.quote_volume) == (1, 500 * NOTIONAL)


def apply_trades(made: MarketStatistics, *trades: Trade) -> None:
    made.add(list(trades))
    made.count()


@pytest.mark.parametrize("seed", range(6))
def test_messages_carry_every_candle_as_it_ended_and_the_day_as_it_is(seed: int) -> None:
    random = Random(seed)
    made, trades = fresh(), []
    # Begins shortly before midnight UTC, where candles of every length end.
    now_ns = MIDNIGHT_NS - 20 * SECOND_NS
    published_values: dict[tuple[int, int], Candle] = {}
    for trade_id in range(1, 500):
        now_ns += random.choice(
            (0, 1, SECOND_NS // 5, SECOND_NS, 90 * SECOND_NS, 3 * 3_600 * SECOND_NS)
        )
        trades.append(trade(trade_id, random.randint(400, 600), random.randint(1, 9), now_ns))
        apply_trades(made, trades[-1])
        if random.random() < 0.5 or trade_id == 499:
            for message in published(made, now_ns, trade_id):
                if isinstance(message, Candles):
                    places = [(each.interval_s, each.open_ns) for each in message.candles]
                    assert places == sorted(places)
                    published_values |= dict(zip(places, message.candles, strict=True))
                else:
                    expected = plain_ticker(trades, now_ns, NOTIONAL, trade_id, QUOTE)
                    assert message == expected
        ticker, candles = made.state(trade_id, now_ns, QUOTE)
        assert candles == plain_latest(trades, NOTIONAL)
        assert ticker == plain_ticker(trades, now_ns, NOTIONAL, trade_id, QUOTE)
    for interval_s in CANDLE_INTERVALS_S:
        truth = plain_candles(trades, interval_s, NOTIONAL)
        unfinished = truth[-1].open_ns
        assert [each for each in truth if each.open_ns < unfinished] == [
            published_values[place]
            for place in sorted(published_values)
            if place[0] == interval_s and place[1] < unfinished
        ]


def test_a_trade_changes_one_candle_of_every_length() -> None:
    made = fresh()
    apply_trades(made, trade(1, 500, 2, MIDNIGHT_NS - 1))
    candles, ticker = published(made, MIDNIGHT_NS - 1)
    assert isinstance(candles, Candles)
    assert [each.interval_s for each in candles.candles] == list(CANDLE_INTERVALS_S)
    assert isinstance(ticker, Ticker)
    assert (ticker.last_ticks, ticker.volume_lots) == (500, 2)
    apply_trades(made, trade(2, 502, 1, MIDNIGHT_NS))
    candles, _ = published(made, MIDNIGHT_NS)
    assert isinstance(candles, Candles)
    assert {each.open_ns for each in candles.candles} == {MIDNIGHT_NS}
    assert {each.open_ticks for each in candles.candles} == {502}


def ended(messages: list[FeedMessage]) -> list[int]:
    """The lengths of the candles that have ended by a message, which has those of every length."""
    found: list[int] = []
    for message in messages:
        if isinstance(message, Candles):
            assert [each.interval_s for each in message.candles] == list(CANDLE_INTERVALS_S)
            found += [each.interval_s for each in message.candles
                      if has_ended(each, message.time_ns)]  # fmt: skip
    return found


def test_a_candle_is_published_once_more_when_its_time_is_over() -> None:
    made = fresh()
    began_ns = MIDNIGHT_NS + 59 * MINUTE_NS + 59 * SECOND_NS
    apply_trades(made, trade(1, 500, 2, began_ns))
    assert ended(published(made, began_ns)) == []
    assert published(made, began_ns + SECOND_NS - 1) == []
    assert ended(published(made, began_ns + SECOND_NS)) == [1, 60, 300, 900, 3_600]
    assert published(made, began_ns + SECOND_NS) == []
    assert ended(published(made, MIDNIGHT_NS + 4 * 3_600 * SECOND_NS)) == [
        1, 60, 300, 900, 3_600, 14_400,
    ]  # fmt: skip
    assert ended(published(made, MIDNIGHT_NS + 400 * DAY_NS)) == list(CANDLE_INTERVALS_S)
    assert ended(published(made, MIDNIGHT_NS + 500 * DAY_NS)) == []


def test_a_candle_that_has_ended_when_it_is_first_published_is_published_once() -> None:
    made = fresh()
    apply_trades(made, trade(1, 500, 2, MIDNIGHT_NS))
    assert ended(published(made, MIDNIGHT_NS + DAY_NS)) == list(CANDLE_INTERVALS_S)
    assert ended(published(made, MIDNIGHT_NS + 2 * DAY_NS)) == []


def test_the_candle_after_one_that_has_ended_ends_too() -> None:
    made = fresh()
    for second in range(3):
        apply_trades(made, trade(second + 1, 500, 2, MIDNIGHT_NS + second * SECOND_NS))
        published(made, MIDNIGHT_NS + second * SECOND_NS)
        (message,) = published(made, MIDNIGHT_NS + (second + 1) * SECOND_NS)
        assert ended([message]) == [1]


def test_without_trades_only_a_moved_window_or_book_is_published() -> None:
    made = fresh()
    apply_trades(made, trade(1, 500, 2, MIDNIGHT_NS))
    published(made, MIDNIGHT_NS + SECOND_NS)
    assert published(made, MIDNIGHT_NS + MINUTE_NS - 1, seq=2) == []
    *_, moved = published(made, MIDNIGHT_NS + MINUTE_NS, seq=2)
    assert isinstance(moved, Ticker)
    assert moved.open_ns == MIDNIGHT_NS - DAY_NS + 2 * MINUTE_NS
    other = made.publish(3, MIDNIGHT_NS + MINUTE_NS, (498, 3, 501, 4))
    assert len(other) == 1
    *_, empty = published(made, MIDNIGHT_NS + 2 * DAY_NS)
    assert isinstance(empty, Ticker)
    assert (empty.trades, empty.open_ticks, empty.last_ticks, empty.last_lots) == (0, 0, 500, 2)


def test_many_candles_go_in_several_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "CANDLES_MAX", 7)
    made = fresh()
    trades = [trade(n, 500 + n, 1, MIDNIGHT_NS + n * SECOND_NS) for n in range(1, 31)]
    apply_trades(made, *trades)
    *messages, _ = published(made, trades[-1].time_ns)
    assert all(isinstance(each, Candles) for each in messages)
    sent = [candle for each in messages if isinstance(each, Candles) for candle in each.candles]
    assert len(messages) == -(-len(sent) // 7)
    assert [each for each in sent if each.interval_s == 1] == plain_candles(trades, 1, NOTIONAL)


def test_nothing_is_published_while_the_past_is_missing() -> None:
    made = fresh(last_trade_id=4)
    assert not made.known
    apply_trades(made, trade(5, 500, 2, MIDNIGHT_NS))
    assert published(made, MIDNIGHT_NS) == []
    assert made.state(1, MIDNIGHT_NS, QUOTE) == (None, [])
    made.begin()
    candles, ticker = published(made, MIDNIGHT_NS)
    assert isinstance(candles, Candles)
    assert candles.candles == plain_latest([trade(5, 500, 2, MIDNIGHT_NS)], NOTIONAL)
    assert isinstance(ticker, Ticker)


PAST = [trade(n, 480 + n % 37, 1 + n % 5, MIDNIGHT_NS + n * 11 * MINUTE_NS) for n in range(1, 301)]


def record_of(trades: list[Trade], seq: int) -> MarketRecord:
    recorder = PlainRecorder(NOTIONAL)
    recorder.record(seq, 1, trades)
    answer = recorder.answer(MarketQuestion(request_id=1, min_seq=0, instrument=1))
    assert isinstance(answer, MarketRecord)
    return answer


@pytest.mark.parametrize("published_values", [200, 220, 259, 260])
def test_a_record_and_the_trades_after_it_make_the_whole(published_values: int) -> None:
    made = fresh(last_trade_id=200)
    made.hold()
    apply_trades(made, *PAST[200:260])
    assert made.seed(record_of(PAST[:published_values], PAST[published_values - 1].seq + 3))
    assert not made.holding
    assert (made.known, made.whole) == (True, True)
    for end in (260, 300):
        apply_trades(made, *PAST[made.last_trade_id : end])
        now_ns = PAST[end - 1].time_ns
        ticker, candles = made.state(9, now_ns, QUOTE)
        assert candles == plain_latest(PAST[:end], NOTIONAL)
        assert ticker == plain_ticker(PAST[:end], now_ns, NOTIONAL, 9, QUOTE)


def test_a_record_of_other_trades_is_refused() -> None:
    made = fresh(last_trade_id=200)
    assert made.seed(record_of(PAST[:200], 2_000)) is False, "there was no question"
    made.hold()
    apply_trades(made, *PAST[200:210])
    for published_values, seq in ((199, 2_000), (201, 2_000), (200, 2_010), (205, 2_040)):
        assert made.seed(record_of(PAST[:published_values], seq)) is False, (published_values, seq)
    assert not made.known
    assert made.seed(record_of(PAST[:205], 2_050))


def test_a_record_without_trades_is_accepted_where_there_were_none() -> None:
    made = fresh(last_trade_id=0)
    made.hold()
    assert made.seed(record_of([], 2_000))
    apply_trades(made, *PAST[:10])
    _, candles = made.state(9, PAST[9].time_ns, QUOTE)
    assert candles == plain_latest(PAST[:10], NOTIONAL)


def test_too_many_trades_behind_a_question_void_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "HELD_MAX", 20)
    made = fresh(last_trade_id=200)
    made.hold()
    apply_trades(made, *PAST[200:220])
    assert made.holding
    apply_trades(made, PAST[220])
    assert not made.holding
    assert not made.seed(record_of(PAST[:200], 2_000))
    made.hold()
    assert made.seed(record_of(PAST[:221], PAST[220].seq))


def test_a_seeded_instrument_publishes_its_latest_candles_at_once() -> None:
    made = fresh(last_trade_id=200)
    made.hold()
    assert made.seed(record_of(PAST[:200], PAST[199].seq))
    candles, ticker = published(made, PAST[199].time_ns)
    assert isinstance(candles, Candles)
    assert candles.candles == plain_latest(PAST[:200], NOTIONAL)
    assert ticker == plain_ticker(PAST[:200], PAST[199].time_ns, NOTIONAL, 1, QUOTE)


def test_a_record_reaches_to_the_last_trade_of_any_of_its_candles() -> None:
    """The candle of one length may be behind those of the others."""
    made = fresh(last_trade_id=200)
    made.hold()
    apply_trades(made, *PAST[200:210])
    older, newer = record_of(PAST[:202], 0), record_of(PAST[:205], PAST[204].seq)
    uneven = replace(newer, latest=[older.latest[0], *newer.latest[1:]])

    assert made.seed(replace(uneven, seq=PAST[201].seq)) is False
    assert made.seed(uneven) is True

    ticker, candles = made.state(9, PAST[209].time_ns, QUOTE)
    assert candles == plain_latest(PAST[:210], NOTIONAL)
    assert ticker == plain_ticker(PAST[:210], PAST[209].time_ns, NOTIONAL, 9, QUOTE)


def test_a_record_may_have_trades_that_were_received_and_not_counted() -> None:
    made = fresh(last_trade_id=200)
    made.hold()
    made.add(PAST[200:205])
    assert made.seed(record_of(PAST[:205], PAST[204].seq)) is True
    assert made.last_trade_id == 205
