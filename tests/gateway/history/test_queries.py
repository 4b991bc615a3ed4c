"""Questions about the past with a recorder for each shard."""

import asyncio

import pytest
from msgspec.structs import replace

from crossbook.common.instruments import example
from crossbook.common.messages.codec import decode_history_question, encode
from crossbook.common.messages.history_queries import (
    CandleRecords,
    CandlesQuestion,
    HistoryQuestion,
    NotYet,
    OrderRecord,
    OrderRecords,
    OrdersQuestion,
)
from crossbook.common.shards import base_of
from crossbook.common.types import OrderStatus, OrderType, Side, TimeInForce
from crossbook.gateway.api.render import Renderer
from crossbook.gateway.history.link import HistoryLink
from crossbook.gateway.history.queries import HistoryQueries, newest
from crossbook.gateway.orders.local_sessions import LocalSessions
from crossbook.gateway.problem import Problem
from tests.worlds.rest_world import RestWorld
from tests.worlds.sharded_world import ShardedWorld


class ShardRecorder:
    """A recorder that holds orders of one account, newest first, as (number, time)."""

    def __init__(self, orders: list[tuple[int, int]]) -> None:
        self.link = HistoryLink()
        self.orders = orders
        self.behind = False

    def answer(self) -> None:
        """Answer the waiting questions."""
        questions: list[HistoryQuestion] = []

        def send(frame: bytes) -> bool:
            questions.append(decode_history_question(frame))
            return True

        self.link.send(send)
        for question in questions:
            assert isinstance(question, OrdersQuestion)
            if self.behind:
                self.link.receive(
                    encode(NotYet(request_id=question.request_id, seq=0, text="behind"))
                )
                continue
            before = question.before_order_id
            found = [each for each in self.orders if not before or each[0] < before]
            rows = [_row(*each) for each in found[: question.limit]]
            more = len(found) > question.limit
            self.link.receive(
                encode(OrderRecords(request_id=question.request_id, seq=7, orders=rows, more=more))
            )


def _row(order_id: int, created_ns: int) -> OrderRecord:
    return OrderRecord(
        order_id=order_id,
        client_order_id="",
        instrument=1,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        price_ticks=1,
        quantity_lots=1,
        quote_amount=0,
        status=OrderStatus.NEW,
        filled_lots=0,
        remaining_lots=1,
        filled_notional=0,
        reason=0,
        created_ns=created_ns,
        updated_ns=created_ns,
        updated_seq=order_id,
    )


def two_recorders() -> tuple[HistoryQueries, list[ShardRecorder]]:
    base = base_of(1)
    recorders = [
        ShardRecorder([(9, 90), (5, 50), (3, 30)]),
        ShardRecorder([(base + 4, 60), (base + 2, 45), (base + 1, 10)]),
    ]

    def wake() -> None:
        for recorder in recorders:
            recorder.answer()

    sessions = LocalSessions(ShardedWorld().desk, lambda: None)
    return HistoryQueries(sessions, [recorder.link for recorder in recorders], wake), recorders


async def page(
    history: HistoryQueries, cursor: str | None, limit: int
) -> tuple[list[int], str | None]:
    answers, before = await history.fetch_all(
        7,
        history.shards(),
        cursor,
        lambda number, seq, earlier: OrdersQuestion(
            request_id=number, min_seq=seq, account=7, before_order_id=earlier, limit=limit
        ),
        OrderRecords,
    )
    rows, following = newest(
        [answer.orders for answer in answers],
        [answer.more for answer in answers],
        before,
        limit,
        lambda row: (row.created_ns, row.order_id),
    )
    return [row.created_ns for row in rows], following


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 10])
def test_pages_of_several_recorders_are_in_order_of_time_and_whole(limit: int) -> None:
    async def main() -> None:
        history, _ = two_recorders()
        received: list[int] = []
        cursor: str | None = None
        while True:
            times, cursor = await page(history, cursor, limit)
            assert len(times) <= limit
            received += times
            if cursor is None:
                break
        assert received == [90, 60, 50, 45, 30, 10]

    asyncio.run(main())


def test_rows_of_one_moment_are_ordered_by_their_numbers_the_highest_first() -> None:
    pages = [[(5, 7), (5, 2)], [(5, 4), (5, 1)]]
    listed, cursor = newest(pages, [False, False], [0, 0], 4, lambda row: row)
    assert listed == [(5, 7), (5, 4), (5, 2), (5, 1)]
    assert cursor is None


@pytest.mark.parametrize("cursor", ["5", "0.0", "1.2.3", "x.1", "", "."])
def test_a_cursor_of_something_else_is_refused(cursor: str) -> None:
    async def main() -> None:
        history, _ = two_recorders()
        with pytest.raises(Problem) as refused:
            await page(history, cursor, 2)
        assert refused.value.detail.field == "cursor"

    asyncio.run(main())


def test_one_recorder_that_is_behind_makes_the_answer_unavailable() -> None:
    async def main() -> None:
        history, recorders = two_recorders()
        recorders[1].behind = True
        with pytest.raises(Problem) as refused:
            await page(history, None, 2)
        assert refused.value.status == 503

    asyncio.run(main())


def test_candle_times_become_nanoseconds_of_the_clients_milliseconds() -> None:
    async def main() -> None:
        sent_questions: list[HistoryQuestion] = []
        async with RestWorld() as world:

            def send(frame: bytes) -> bool:
                sent_questions.append(decode_history_question(frame))
                return True

            def answer() -> None:
                world.history.send(send)
                for each in sent_questions:
                    none = CandleRecords(request_id=each.request_id, seq=0, candles=[], more=False)
                    world.history.receive(encode(none))

            world.answer_questions = answer
            stretch = "from=1761482000001&to=1761482096789"
            path = f"/api/v1/candles/BTC-USDT?interval=5m&{stretch}&limit=3"
            found = await world.client.get(path)
            assert found.json()["candles"] == []
        (question,) = sent_questions
        assert isinstance(question, CandlesQuestion)
        assert question == CandlesQuestion(
            request_id=question.request_id,
            min_seq=0,
            instrument=1,
            interval_s=300,
            from_ns=1_761_482_000_001_000_000,
            to_ns=1_761_482_096_789_000_000,
            limit=3,
        )

    asyncio.run(main())


@pytest.mark.parametrize("notional", [2**63 - 1, 2**63, 2**64, 10**30])
def test_an_average_price_is_exact_however_much_was_paid(notional: int) -> None:
    instrument = example()
    per_lot = 10_000_000 * instrument.notional_per_tick_lot
    lots = notional // per_lot + 1
    record = replace(_row(1, 2), filled_lots=lots, filled_notional=lots * per_lot)
    assert record.filled_notional >= notional
    document = Renderer([instrument]).order(record, with_fills=False)
    assert document.average_price == "100000.00"
