"""A rule of any shape is in force, or refused with a field; nothing else happens."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from crossbook.common.faults.kinds import KINDS, FaultRuleError, rule_from_json, rule_of
from crossbook.common.faults.order_entry import (
    AnswerFault,
    ExecutionFacts,
    ExecutionFault,
    RequestFacts,
    RequestFault,
)
from crossbook.common.faults.table import FaultTable

NAMES = sorted({field.name for kind in KINDS.values() for field in msgspec.structs.fields(kind)})
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.binary(max_size=12).map(lambda text: text.decode("latin-1"))
    | st.sampled_from(["BUSY", "constant", "uniform", "exponential", "rest", "zeromq", "/api/*"])
)  # fmt: skip
RULES = st.builds(
    lambda kind, fields: {"kind": kind, **fields},
    st.sampled_from(sorted(KINDS)),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
)


def read(document: dict[str, Any]) -> Any:
    """The rule of a document, or the text of its refusal."""
    return read_bytes(msgspec.json.encode(document))


def read_bytes(document: bytes) -> Any:
    """The same, of JSON."""
    try:
        return rule_from_json(document)
    except FaultRuleError as error:
        return error.text


@given(RULES)
def test_a_document_is_a_rule_or_refused_with_a_text(document: dict[str, Any]) -> None:
    rule = read(document)
    assert rule
    if not isinstance(rule, str):
        assert rule_of(msgspec.to_builtins(rule)) == rule
        table = FaultTable("gateway")
        table.add(rule)
        for _ in range(3):
            for family, facts in (
                (
                    RequestFault,
                    RequestFacts(
                        interface="rest",
                        account=1,
                        path="/api/v1/orders",
                        method="POST",
                        symbol="BTC-USDT",
                    ),
                ),
                (
                    AnswerFault,
                    RequestFacts(
                        interface="zeromq",
                        account=1,
                        path="",
                        method="submit",
                        symbol="BTC-USDT",
                        client_order_id="a",
                        session=5,
                    ),
                ),
                (ExecutionFault, ExecutionFacts("websocket", 1, "BTC-USDT")),
            ):
                for due in table.due(family, facts):
                    if hasattr(due.rule, "milliseconds"):
                        assert 0 < due.draw_delay_s() <= 600
        state = table.states()[0]
        assert state.applied <= state.concerned <= 9


@given(st.binary(max_size=60))
def test_bytes_are_a_rule_or_refused_with_a_text(document: bytes) -> None:
    assert read_bytes(document)
