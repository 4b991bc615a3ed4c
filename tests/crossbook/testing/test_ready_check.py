"""The way to ready: refusals are no answers, and what was answered is not sent again."""

from typing import Any

import pytest

from crossbook.testing.ready_check import ReadyCheck

LISTED = {"instruments": [{"symbol": "A-B"}, {"symbol": "C-D"}]}
REFUSED = {"error": {"code": "THROTTLED", "message": "too many"}}
WAY = [
    "/api/v1/instruments",
    "/api/v1/ticker/C-D",
    "/api/v1/ticker/A-B",
    "/api/v1/orderbook/C-D",
    "/api/v1/orderbook/A-B",
    "/ready",
]


class FakeGateway:
    """Answers every path, but the first time one of `refused`."""

    def __init__(self, refused: dict[str, int], missing: list[str]) -> None:
        self.refused = refused
        self.missing = missing
        self.sent: list[str] = []
        self.is_gone = False

    def look_up(self, path: str) -> tuple[int, Any]:
        """The answer of the gateway."""
        if self.is_gone:
            raise ConnectionRefusedError
        self.sent.append(path)
        if path in self.refused:
            return self.refused.pop(path), REFUSED
        if path == "/ready":
            return 200, {"missing": [{"part": each} for each in self.missing]}
        return 200, LISTED if path == WAY[0] else {}


def way(gateway: FakeGateway, *, recorder: bool = True) -> ReadyCheck:
    http: Any = gateway
    return ReadyCheck(http, recorder=recorder)


@pytest.mark.parametrize("path", WAY)
@pytest.mark.parametrize("status", [429, 503])
def test_a_refused_question_is_the_next_one_and_no_other_is_sent_again(
    path: str, status: int
) -> None:
    gateway = FakeGateway({path: status}, [])
    check = way(gateway)
    assert not check.is_reached()
    assert gateway.sent == WAY[: WAY.index(path) + 1]
    assert check.is_reached()
    assert gateway.sent[WAY.index(path) + 1 :] == WAY[WAY.index(path) :]


def test_a_gateway_that_ends_begins_the_way_anew() -> None:
    gateway = FakeGateway({"/ready": 503}, [])
    check = way(gateway)
    assert not check.is_reached()
    gateway.is_gone = True
    assert not check.is_reached()
    gateway.is_gone = False
    gateway.sent.clear()
    assert check.is_reached()
    assert gateway.sent == WAY


@pytest.mark.parametrize(
    ("missing", "recorder", "is_reached"),
    [
        (["recorder"], True, False),
        (["recorder"], False, True),
        (["recorder", "matcher"], False, False),
        (["matcher"], True, False),
    ],
)
def test_every_part_of_the_plan_is_there(
    missing: list[str], recorder: bool, is_reached: bool
) -> None:
    assert way(FakeGateway({}, missing), recorder=recorder).is_reached() is is_reached


def test_an_exchange_without_a_recorder_has_no_tickers_to_wait_for() -> None:
    gateway = FakeGateway({}, ["recorder"])
    assert way(gateway, recorder=False).is_reached()
    assert gateway.sent == [path for path in WAY if "ticker" not in path]
