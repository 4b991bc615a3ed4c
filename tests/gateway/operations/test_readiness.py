"""The missing parts of an exchange, and the reason of each."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from crossbook.common.messages.codec import decode_history_question, encode
from crossbook.common.messages.history_queries import HistoryAnswer, NotYet, TradeRecords
from crossbook.common.shards import base_of
from crossbook.gateway.operations.readiness import (
    BEHIND_MAX,
    STANDS_NS,
    RecordersProgress,
    recorder_fault,
)
from tests.worlds.rest_world import RestWorld


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (None, "the recorder does not answer"),
        (TradeRecords(request_id=1, seq=5 + BEHIND_MAX, trades=[], more=False), ""),
        (TradeRecords(request_id=1, seq=5, trades=[], more=False), ""),
        (
            TradeRecords(request_id=1, seq=4, trades=[], more=False),
            f"the recorder is {BEHIND_MAX + 1} commands behind, at 4",
        ),
        (
            NotYet(request_id=1, seq=0, text="the database does not answer: full"),
            "the database does not answer: full",
        ),
    ],
)
def test_the_recorder_is_available_while_it_answers_and_keeps_up(
    answer: HistoryAnswer | None, fault: str
) -> None:
    assert recorder_fault(answer, 5 + BEHIND_MAX) == fault


def test_a_record_without_a_command_is_not_behind_the_first_numbers_of_its_shard() -> None:
    answer = TradeRecords(request_id=1, seq=0, trades=[], more=False)
    assert recorder_fault(answer, base_of(1)) == ""
    assert recorder_fault(answer, base_of(1) + BEHIND_MAX + 1) != ""


def test_a_recorder_that_stands_still_while_it_is_behind_is_not_available() -> None:
    """The number of missing commands does not matter, because the recorder may never receive the
    next one."""

    def at(seq: int) -> TradeRecords:
        return TradeRecords(request_id=1, seq=seq, trades=[], more=False)

    progress = RecordersProgress()
    assert progress.fault(0, at(5), 6, 0) == ""
    assert progress.fault(0, at(5), 8, STANDS_NS - 1) == ""
    stands = "the recorder has stood at 5 for 10 s, and the matcher is at 8"
    assert progress.fault(0, at(5), 8, STANDS_NS) == stands
    assert progress.fault(1, at(5), 8, STANDS_NS) == "", "another shard has a time of its own"
    assert progress.fault(0, at(6), 8, STANDS_NS) == "", "it goes on"
    assert progress.fault(0, at(6), 8, 2 * STANDS_NS - 1) == ""
    assert progress.fault(0, at(8), 8, 3 * STANDS_NS) == "", "it is not behind"
    assert progress.fault(0, at(8), 9, 9 * STANDS_NS) == ""
    assert progress.fault(0, None, 9, 9 * STANDS_NS) == "the recorder does not answer"


def test_a_recorder_with_a_failing_database_is_named_with_the_reason() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            assert (await world.client.get("/ready")).json() == {
                "status": "degraded",
                "matcher": True,
                "market_data": True,
                "recorder": False,
                "missing": [{"part": "recorder", "reason": "the recorder does not answer"}],
                "seq": 0,
                "clock": "system",
                "keys": "none",
            }

            def fail() -> None:
                def send(frame: bytes) -> bool:
                    request_id = decode_history_question(frame).request_id
                    answer = encode(NotYet(request_id, seq=0, text="no such table: trades"))
                    asyncio.get_running_loop().call_soon(world.history.receive, answer)
                    return True

                world.history.send(send)

            world.answer_questions = fail
            answer = await world.client.get("/ready")
            assert answer.status_code == 200
            assert answer.json()["missing"] == [
                {"part": "recorder", "reason": "no such table: trades"}
            ]

    run(main())


def test_without_market_data_the_gateway_is_not_ready() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            world.market.stale = True
            answer = await world.client.get("/ready")
            assert answer.status_code == 503
            assert answer.json()["status"] == "not_ready"
            assert [each["part"] for each in answer.json()["missing"]] == [
                "market_data",
                "recorder",
            ]

    run(main())
