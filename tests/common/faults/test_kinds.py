"""Reading rules: every kind by its name, and errors that name field, value and limit."""

from typing import Any

import msgspec
import pytest

from crossbook.common.faults.kinds import KINDS, FaultRuleError, rule_from_json, rule_of
from crossbook.common.faults.order_entry import Delay, Refuse

NEEDED: dict[str, dict[str, Any]] = {
    "delay": {"milliseconds": 5.0},
    "answer_late": {"milliseconds": 5.0},
    "executions_late": {"milliseconds": 5.0},
    "refuse": {"code": "BUSY"},
    "feed_delay": {"milliseconds": 5.0},
    "feed_disconnect": {"seconds": 2.5},
    "stream_delay": {"milliseconds": 5.0},
    "stream_disconnect": {"seconds": 2.5},
    "server_shutdown": {"seconds": 2.5},
    "listen_key_expired": {"seconds": 2.5},
    "disk_slow": {"milliseconds": 5.0},
    "clock_shifted": {"shift_ms": -3.0},
    "process_killed": {"process": "matcher"},
}
LASTING = {"auction", "book_empty", "clock_shifted", "halt", "instrument_removed", "process_killed"}
"""Kinds that have no schedule."""
VALUES: dict[str, Any] = {"account": 7, "symbol": "BTC-USDT"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_of_every_kind_is_read_as_it_is_written(kind: str) -> None:
    schedule = {} if kind in LASTING else {"every": 3}
    chosen = {name: VALUES[name] for name in KINDS[kind].selectors if name in VALUES}
    rule = rule_of({"kind": kind, **chosen, **schedule, **NEEDED.get(kind, {})})
    assert type(rule) is KINDS[kind]
    assert rule_from_json(msgspec.json.encode(rule)) == rule


@pytest.mark.parametrize("kind", [kind for kind in NEEDED if "milliseconds" in NEEDED[kind]])
@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"milliseconds_max": 9}, "a constant delay has no milliseconds_max"),
        ({"distribution": "uniform"}, "a uniform delay needs milliseconds_max"),
        (
            {"distribution": "uniform", "milliseconds_max": 4.9},
            "milliseconds_max=4.9 is less than milliseconds=5",
        ),
    ],
)
def test_a_delay_that_contradicts_itself_is_refused_in_every_kind(
    kind: str, fields: dict[str, Any], text: str
) -> None:
    with pytest.raises(FaultRuleError, match=text):
        rule_of({"kind": kind, **NEEDED[kind], **fields})
    equal = {"distribution": "uniform", "milliseconds_max": 5.0}
    assert rule_of({"kind": kind, **NEEDED[kind], **equal})


@pytest.mark.parametrize("kind", sorted(LASTING))
@pytest.mark.parametrize("schedule", [{"next": 1}, {"every": 2}, {"probability": 0.5}])
def test_a_rule_that_lasts_has_no_schedule(kind: str, schedule: dict[str, Any]) -> None:
    chosen = {name: VALUES[name] for name in KINDS[kind].selectors if name in VALUES}
    [(name, value)] = schedule.items()
    with pytest.raises(FaultRuleError, match=f"{name}={value}: {kind} lasts until it is removed"):
        rule_of({"kind": kind, **chosen, **schedule, **NEEDED.get(kind, {})})


def test_numbers_of_a_command_line_may_be_text() -> None:
    assert rule_of({"kind": "delay", "milliseconds": "2.5", "account": "7"}) == Delay(
        milliseconds=2.5, account=7
    )


@pytest.mark.parametrize(
    ("document", "field", "text"),
    [
        (b"{", "", "the rule is not JSON"),
        (b"[]", "", "Expected `object`"),
        (b"{}", "kind", "None: kinds are delay, refuse"),
        (b'{"kind": "slow"}', "kind", "'slow': kinds are delay, refuse"),
        (b'{"kind": "delay"}', "milliseconds", "delay needs it"),
        (b'{"kind": "delay", "milliseconds": 0}', "milliseconds", "0: Expected `float` > 0"),
        (
            b'{"kind": "delay", "milliseconds": 600001}',
            "milliseconds",
            "600001: Expected `float` <= 600000.0",
        ),
        (b'{"kind": "no_answer", "account": 0}', "account", "0: Expected `int` >= 1"),
        (b'{"kind": "no_answer", "next": 0}', "next", "0: Expected `int` >= 1"),
        (b'{"kind": "no_answer", "next": 1000001}', "next", "1000001: Expected `int` <= 1000000"),
        (b'{"kind": "no_answer", "probability": 1.5}', "probability", "1.5: Expected `float` <= 1"),
        (b'{"kind": "refuse", "status": 200}', "status", "200: Expected `int` >= 400"),
        (
            b'{"kind": "no_answer", "stream": "x"}',
            "stream",
            "no_answer has no such field; its fields are ",
        ),
        (b'{"kind": "no_answer", "path": "api"}', "path", "'api': Expected `str` matching regex"),
    ],
)
def test_an_error_names_field_value_and_limit(document: bytes, field: str, text: str) -> None:
    with pytest.raises(FaultRuleError) as caught:
        rule_from_json(document)
    assert caught.value.field == field
    assert text in caught.value.text


def test_a_long_value_is_shortened_in_the_error() -> None:
    with pytest.raises(FaultRuleError) as caught:
        rule_of({"kind": "refuse", "status": 503, "message": "x" * 300})
    assert caught.value.field == "message"
    assert len(caught.value.text) < 130


def test_a_rule_has_its_defaults() -> None:
    assert rule_of({"kind": "refuse", "status": 429}) == Refuse(status=429)
    assert msgspec.json.encode(Refuse(status=429)) == b'{"kind":"refuse","status":429}'
