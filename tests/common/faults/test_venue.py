"""The kinds of the venue: the processes that apply them, and the rules that make no sense."""

from typing import Any

import pytest

from crossbook.common.faults.kinds import FaultRuleError, rule_of
from crossbook.common.faults.venue import (
    DiskSlow,
    Halt,
    ProcessKilled,
    VenueFacts,
)


def test_a_rule_concerns_its_instrument_or_all() -> None:
    assert Halt().concerns(VenueFacts("BTC-USDT"))
    assert Halt(symbol="BTC-USDT").concerns(VenueFacts("BTC-USDT"))
    assert not Halt(symbol="BTC-USDT").concerns(VenueFacts("ETH-USDT"))


@pytest.mark.parametrize(
    ("name", "is_applied"),
    [("matcher-1", True), ("gateway", True), ("matcher", False), ("publisher-1", False)],
)
def test_one_process_ends_and_the_gateway_counts_it(name: str, is_applied: bool) -> None:
    assert ProcessKilled(process="matcher", shard=1).applied_by(name) is is_applied


def test_other_kinds_are_applied_by_every_process_of_theirs() -> None:
    assert DiskSlow(milliseconds=1).applied_by("matcher-2")
    assert not DiskSlow(milliseconds=1).applied_by("gateway")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"kind": "halt", "next": 1}, "next=1: halt lasts until it is removed"),
        ({"kind": "auction", "every": 2}, "every=2: auction lasts until it is removed"),
        ({"kind": "clock_shifted", "shift_ms": 1, "probability": 0.5}, "probability=0.5: clock_sh"),
        ({"kind": "clock_shifted", "shift_ms": 1e9}, "1000000000.0: Expected `float` <= 86400000"),
        ({"kind": "process_killed", "process": "simulator"}, "'simulator': Invalid enum value"),
        ({"kind": "instrument_removed"}, "instrument_removed needs it"),
        ({"kind": "process_killed"}, "process_killed needs it"),
        ({"kind": "disk_slow"}, "disk_slow needs it"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(values: dict[str, Any], text: str) -> None:
    with pytest.raises(FaultRuleError, match=text):
        rule_of(values)
