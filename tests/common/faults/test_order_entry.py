"""The kinds of order entry: the messages that they concern, and the rules that make no sense."""

from typing import Any

import pytest

from crossbook.common.faults.kinds import FaultRuleError, rule_of
from crossbook.common.faults.order_entry import (
    CODES,
    AnswerTwice,
    Delay,
    ExecutionFacts,
    ExecutionsSilent,
    NoAnswer,
    Refuse,
    RequestFacts,
)

REST = RequestFacts(
    interface="rest",
    account=7,
    path="/api/v1/orders",
    method="POST",
    symbol="BTC-USDT",
    client_order_id="mine-1",
)
ZEROMQ = RequestFacts(
    interface="zeromq",
    account=7,
    path="",
    method="submit",
    symbol="BTC-USDT",
    client_order_id="mine-1",
    session=99,
)


@pytest.mark.parametrize(
    ("selector", "value", "other"),
    [
        ("interface", "zeromq", "rest"),
        ("account", 7, 8),
        ("session", 99, 98),
        ("method", "submit", "cancel"),
        ("symbol", "BTC-USDT", "ETH-USDT"),
        ("client_order_id", "mine-1", "mine-2"),
        ("client_order_id", "mine-*", "theirs-*"),
    ],
)
def test_a_selector_concerns_its_value_and_no_other(selector: str, value: Any, other: Any) -> None:
    assert NoAnswer(**{selector: value}).concerns(ZEROMQ)
    assert not NoAnswer(**{selector: other}).concerns(ZEROMQ)


def test_a_rule_without_selectors_concerns_every_request_of_the_api() -> None:
    assert Delay(milliseconds=1).concerns(REST)
    assert Delay(milliseconds=1).concerns(ZEROMQ)


def test_only_a_rule_with_a_path_concerns_paths_beside_the_api() -> None:
    ready = RequestFacts("rest", 1, "/ready", "GET")
    assert not Refuse(status=503).concerns(ready)
    assert Refuse(status=503, path="/ready").concerns(ready)


def test_only_a_rule_that_names_handshakes_concerns_them() -> None:
    handshake = RequestFacts("handshake", 1, "/ws/orders", "GET")
    assert not Refuse(status=503).concerns(handshake)
    assert Refuse(status=503, interface="handshake").concerns(handshake)
    assert not Refuse(status=503, interface="handshake").concerns(REST)


def test_http_requests_are_never_answered_twice() -> None:
    assert not AnswerTwice().concerns(REST)
    assert AnswerTwice().concerns(ZEROMQ)


def test_executions_are_selected_by_account_symbol_and_interface() -> None:
    facts = ExecutionFacts("websocket", 7, "BTC-USDT")
    assert ExecutionsSilent(account=7, symbol="BTC-USDT", interface="websocket").concerns(facts)
    assert not ExecutionsSilent(symbol="ETH-USDT").concerns(facts)
    assert not ExecutionsSilent(interface="zeromq").concerns(facts)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"kind": "refuse"}, "give a code such as BUSY, a status such as 429, or both"),
        ({"kind": "refuse", "code": "NONE_SUCH"}, "code=NONE_SUCH: codes are reject reasons and"),
        ({"kind": "answer_twice", "interface": "rest"}, "an HTTP request has one answer"),
        ({"kind": "no_answer", "interface": "handshake"}, "only refuse applies to a handshake"),
        (
            {"kind": "delay", "milliseconds": 1, "interface": "handshake"},
            "only refuse applies to a handshake",
        ),
        (
            {"kind": "close_connection", "interface": "handshake"},
            "only refuse applies to a handshake",
        ),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(values: dict[str, Any], text: str) -> None:
    with pytest.raises(FaultRuleError, match=text):
        rule_of(values)


def test_every_code_has_a_status_of_an_error() -> None:
    assert all(400 <= status < 600 for status in CODES.values())
    assert (CODES["BUSY"], CODES["TOO_MANY_REQUESTS"], CODES["PRICE_BAND"]) == (503, 429, 422)
