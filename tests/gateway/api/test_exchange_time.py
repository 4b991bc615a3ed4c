"""`GET /api/v1/time`: the time of the machine or of the matcher, and the wait for every part."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from crossbook.common.messages.codec import decode_history_question, encode
from crossbook.common.messages.events import EventBatch
from crossbook.common.messages.history_queries import HistoryAnswer, NotYet, TradeRecords
from crossbook.gateway.api import exchange_time
from tests.worlds.rest_world import NOW_NS, RestWorld

PATH = "/api/v1/time"
LATER_NS = NOW_NS + 60 * 10**9

Answer = Callable[[Any], HistoryAnswer]


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run one test's coroutine."""
    asyncio.run(main)


def manual_world() -> RestWorld:
    """A world whose clock is manual and shows `NOW_NS`."""
    world = RestWorld()
    world.clock.is_manual = True
    return world


def let_recorder_answer(world: RestWorld, answer_of: Answer) -> list[Any]:
    """Give the recorder these answers; return the questions that it receives."""
    questions: list[Any] = []

    def send(frame: bytes) -> bool:
        questions.append(decode_history_question(frame))
        answer = encode(answer_of(questions[-1]))
        asyncio.get_running_loop().call_soon(world.history.receive, answer)
        return True

    world.answer_questions = lambda: world.history.send(send)
    return questions


def up_to_date(question: Any) -> HistoryAnswer:
    return TradeRecords(question.request_id, question.min_seq, [], False)


def matcher_time(world: RestWorld, time_ns: int, seq: int = 0) -> None:
    """Deliver a batch of the matcher with this time to the gateway."""
    world.desk.apply(
        EventBatch(incarnation=7, first_seq=seq + 1, last_seq=seq, time_ns=time_ns, events=[])
    )


def looked_at(world: RestWorld) -> asyncio.Event:
    """An event that is set at each comparison of the time of the market data. A waiting request
    compares again and again."""
    looked = asyncio.Event()
    time_of = world.market.time_ns

    def time_ns(shard: int) -> int:
        looked.set()
        return time_of(shard)

    world.market.time_ns = time_ns  # type: ignore[method-assign]
    return looked


def test_the_time_is_the_machines_and_a_manual_one_the_matchers() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            matcher_time(world, LATER_NS, seq=5)
            assert (await world.client.get(PATH)).json() == {
                "timestamp": "2025-10-26T12:34:56.789Z",
                "time_ms": NOW_NS // 10**6,
                "clock": "system",
                "seq": 5,
            }
        async with manual_world() as world:
            assert (await world.client.get(PATH)).json()["time_ms"] == NOW_NS // 10**6
            matcher_time(world, LATER_NS, seq=5)
            answer = (await world.client.get(PATH)).json()
            assert (answer["timestamp"], answer["clock"]) == ("2025-10-26T12:35:56.789Z", "manual")

    run(main())


def test_the_timestamp_of_a_book_and_readiness_follow_a_manual_clock() -> None:
    async def main() -> None:
        async with manual_world() as world:
            matcher_time(world, LATER_NS)
            book = (await world.client.get("/api/v1/orderbook/BTC-USDT")).json()
            assert book["timestamp"] == "2025-10-26T12:35:56.789Z"
            assert (await world.client.get("/ready")).json()["clock"] == "manual"

    run(main())


def test_an_answer_waits_until_every_part_has_reached_the_time() -> None:
    async def main() -> None:
        async with manual_world() as world:
            questions = let_recorder_answer(world, up_to_date)
            looked = looked_at(world)
            matcher_time(world, LATER_NS, seq=9)
            waiting = asyncio.create_task(world.client.get(f"{PATH}?min_time_ns={LATER_NS}"))
            await looked.wait()
            assert (waiting.done(), questions) == (False, [])
            world.market.reached_ns = LATER_NS
            answer = await waiting
            assert (answer.status_code, answer.json()["seq"]) == (200, 9)
            assert [question.min_seq for question in questions] == [9]

    run(main())


@pytest.mark.parametrize(
    ("matcher_ns", "market_ns", "answer_of", "text"),
    [
        (LATER_NS - 1, LATER_NS, up_to_date, "order entry has not reached 2025-10-26T12:35:56"),
        (LATER_NS, LATER_NS - 1, up_to_date, "market data has not reached 2025-10-26T12:35:56"),
        (
            LATER_NS,
            LATER_NS,
            lambda question: NotYet(question.request_id, 3, "the record is at 3, not at 9 yet"),
            "the record (the record is at 3, not at 9 yet) has not reached",
        ),
        (LATER_NS, LATER_NS, None, "the record (the recorder does not answer) has not reached"),
    ],
)
def test_the_part_that_has_not_reached_the_time_is_named(
    matcher_ns: int,
    market_ns: int,
    answer_of: Answer | None,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange_time, "WAIT_S", 0.02)

    async def main() -> None:
        async with manual_world() as world:
            if answer_of is not None:
                let_recorder_answer(world, answer_of)
            matcher_time(world, matcher_ns, seq=9)
            world.market.reached_ns = market_ns
            answer = await world.client.get(f"{PATH}?min_time_ns={LATER_NS}")
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["field"]) == (
                503, "TIME_NOT_REACHED", "min_time_ns",
            )  # fmt: skip
            assert error["message"].startswith(text)
            assert answer.headers["Retry-After"] == "1"

    run(main())


def test_an_answer_without_the_record_does_not_wait_for_it() -> None:
    async def main() -> None:
        async with manual_world() as world:
            questions = let_recorder_answer(world, up_to_date)
            matcher_time(world, LATER_NS)
            world.market.reached_ns = LATER_NS
            answer = await world.client.get(f"{PATH}?min_time_ns={LATER_NS}&record=false")
            assert (answer.status_code, questions) == (200, [])

    run(main())


def test_a_time_far_ahead_of_the_machines_is_not_waited_for() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            looked = looked_at(world)
            answer = await world.client.get(f"{PATH}?min_time_ns={LATER_NS}")
            assert answer.status_code == 503
            assert answer.json()["error"]["message"].startswith("the clock of the machine has not")
            assert not looked.is_set()

    run(main())


def test_more_waiting_requests_than_allowed_are_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange_time, "WAITING_MAX", 1)

    async def main() -> None:
        async with manual_world() as world:
            let_recorder_answer(world, up_to_date)
            looked = looked_at(world)
            matcher_time(world, LATER_NS)
            first = asyncio.create_task(world.client.get(f"{PATH}?min_time_ns={LATER_NS}"))
            await looked.wait()
            refused = await world.client.get(f"{PATH}?min_time_ns={LATER_NS}")
            assert refused.status_code == 503
            assert "1 requests wait" in refused.json()["error"]["message"]
            world.market.reached_ns = LATER_NS
            assert (await first).status_code == 200
            assert (await world.client.get(f"{PATH}?min_time_ns=1")).status_code == 200

    run(main())


@pytest.mark.parametrize("wrong", ["-1", "soon", str(2**63), "1.5"])
def test_an_invalid_time_is_refused_with_its_name(wrong: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.get(f"{PATH}?min_time_ns={wrong}")
            assert (answer.status_code, answer.json()["error"]["field"]) == (400, "min_time_ns")

    run(main())
