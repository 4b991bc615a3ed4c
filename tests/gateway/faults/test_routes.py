"""`/api/v1/admin/faults`: rules are listed with their counts, added, and removed."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from crossbook.common.faults.order_entry import Delay, NoAnswer, Refuse
from crossbook.common.faults.table import RULES_MAX
from tests.gateway.faults.fault_world import FaultWorld
from tests.worlds.rest_world import RestWorld, limit

PATH = "/api/v1/admin/faults"


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run one test's coroutine."""
    asyncio.run(main)


def test_without_faults_the_path_does_not_exist() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            for method in ("GET", "POST", "DELETE"):
                answer = await world.client.request(method, PATH)
                assert answer.status_code in (404, 415)
            assert (await world.client.get(PATH)).json()["error"]["code"] == "NOT_FOUND"
            assert "faults" not in (await world.client.get("/ready")).json()

    run(main())


def test_a_rule_is_added_listed_with_its_counts_and_removed() -> None:
    async def main() -> None:
        async with FaultWorld() as world:
            rule = {"kind": "refuse", "code": "BUSY", "account": 7, "next": 3}
            added = await world.client.post(PATH, json=rule)
            assert added.status_code == 201
            state = {"id": 1, "process": "gateway", "rule": rule, "concerned": 0, "applied": 0}
            assert added.json() == {**state, "left": 3}
            assert (await world.enter(limit("buy", "1", "50000"), account=7)).status_code == 503
            listed = (await world.client.get(PATH)).json()
            assert listed["faults"] == [{**state, "concerned": 1, "applied": 1, "left": 2}]
            assert listed["applied"]["refuse"] == 1
            assert listed["applied"]["delay"] == 0
            assert listed["silent"] == []
            assert (await world.client.delete(f"{PATH}/1")).json() == {"removed": 1}
            assert (await world.client.get(PATH)).json()["faults"] == []
            assert (await world.enter(limit("buy", "1", "50000"), account=7)).status_code == 201

    run(main())


def test_all_rules_are_removed_at_once() -> None:
    async def main() -> None:
        async with FaultWorld(NoAnswer(), Delay(milliseconds=5), Refuse(status=429)) as world:
            assert (await world.client.delete(PATH)).json() == {"removed": 3}
            assert (await world.client.delete(PATH)).json() == {"removed": 0}

    run(main())


def test_rules_never_apply_to_their_own_path() -> None:
    async def main() -> None:
        rules = Refuse(status=503), Refuse(status=503, path="/*"), NoAnswer(path=f"{PATH}*")
        async with FaultWorld(*rules) as world:
            assert (await world.client.get(PATH)).status_code == 200
            assert (await world.client.delete(PATH)).json() == {"removed": 3}

    run(main())


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        (b'{"kind": "slow"}', "kind", "'slow': kinds are delay"),
        (b'{"kind": "delay", "milliseconds": -1}', "milliseconds", "-1: Expected `float` > 0"),
        (b'{"kind": "no_answer", "next": 1, "every": 1}', None, "give one of next, every and"),
        (b'{"kind": "no_answer", "stream": "x"}', "stream", "no_answer has no such field"),
        (b"", None, "the rule is not JSON"),
    ],
)
def test_a_malformed_rule_is_refused_with_field_value_and_limit(
    body: bytes, field: str | None, text: str
) -> None:
    async def main() -> None:
        async with FaultWorld() as world:
            headers = {"content-type": "application/json"}
            answer = await world.client.post(PATH, content=body, headers=headers)
            assert answer.status_code == 400
            error = answer.json()["error"]
            assert (error["code"], error.get("field")) == ("MALFORMED", field)
            assert text in error["message"]
            assert answer.json()["request_id"] == "faults-1"

    run(main())


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("DELETE", f"{PATH}/7", 404, "no rule has the id 7"),
        ("DELETE", f"{PATH}/x", 400, "'x' is not the id of a rule, a number from 1"),
        ("DELETE", f"{PATH}/0", 400, "'0' is not the id of a rule, a number from 1"),
        ("GET", f"{PATH}/1", 405, "DELETE, OPTIONS"),
        ("PUT", PATH, 405, "DELETE, GET, HEAD, OPTIONS, POST"),
        ("GET", f"{PATH}?id=1", 400, "no such query parameter"),
    ],
)
def test_other_requests_are_refused(method: str, path: str, status: int, text: str) -> None:
    async def main() -> None:
        async with FaultWorld() as world:
            answer = await world.client.request(method, path)
            assert answer.status_code == status
            assert text in answer.json()["error"]["message"]
            if status == 405:
                assert answer.headers["allow"] == text

    run(main())


def test_a_page_of_another_origin_may_add_no_rule() -> None:
    async def main() -> None:
        async with FaultWorld() as world:
            answer = await world.client.post(
                PATH, json={"kind": "no_answer"}, headers={"origin": "http://evil.example"}
            )
            assert answer.status_code == 403
            assert not len(world.table)

    run(main())


def test_a_rule_that_is_not_json_by_its_type_is_refused() -> None:
    async def main() -> None:
        async with FaultWorld() as world:
            headers = {"content-type": "text/plain"}
            answer = await world.client.post(PATH, content=b"{}", headers=headers)
            assert answer.status_code == 415

    run(main())


def test_the_most_rules_are_named_in_the_refusal_of_one_more() -> None:
    async def main() -> None:
        async with FaultWorld(*[NoAnswer() for _ in range(RULES_MAX)]) as world:
            answer = await world.client.post(PATH, json={"kind": "no_answer"})
            assert answer.status_code == 422
            assert f"{RULES_MAX} rules are in force" in answer.json()["error"]["message"]

    run(main())
