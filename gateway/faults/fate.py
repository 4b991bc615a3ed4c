"""The fate of a message under the rules in force, the same for every interface. No I/O."""

from msgspec import Struct

from crossbook.common.faults.order_entry import (
    AnswerFault,
    AnswerLate,
    AnswerTwice,
    AnswerUnknown,
    CloseConnection,
    Delay,
    ExecutionFacts,
    ExecutionFault,
    ExecutionsDisconnect,
    ExecutionsLate,
    ExecutionsOutOfOrder,
    NoAnswer,
    Refuse,
    RequestFacts,
    RequestFault,
)
from crossbook.common.faults.rule import FaultRule
from crossbook.common.faults.table import FaultTable
from crossbook.common.faults.venue import InstrumentRemoved
from crossbook.gateway.faults.refusal import Refused

_NONE: tuple[type[FaultRule], ...] = ()


class RequestFate(Struct):
    """After `delay_s` a request is refused, ends its connection, or is served. `rule` is the id of
    the rule that ends it."""

    delay_s: float = 0.0
    refused: Refused | None = None
    is_closed: bool = False
    rule: int = 0


class AnswerFate(Struct):
    """After `delay_s` an answer is sent `count` times, as it is or as an unknown outcome. `rule` is
    the id of the rule that changes it."""

    delay_s: float = 0.0
    count: int = 1
    is_unknown: bool = False
    rule: int = 0


class ExecutionFate(Struct):
    """After `delay_s` an execution report is sent, changes places with its answer, ends its
    connection, or is left out (none of them)."""

    delay_s: float = 0.0
    is_sent: bool = True
    is_closed: bool = False
    is_out_of_order: bool = False


def request_fate(table: FaultTable, facts: RequestFacts) -> RequestFate:
    """The fate of a request before the matcher."""
    fate = RequestFate()
    for gone in table.due(InstrumentRemoved, facts):
        status = 404 if facts.method == "GET" else 422
        unknown = Refuse(
            code="UNKNOWN_SYMBOL", status=status, message=f"there is no instrument {facts.symbol!r}"
        )
        return RequestFate(refused=Refused.by(unknown, gone.id), rule=gone.id)
    for each in table.due(RequestFault, facts):
        rule = each.rule
        if isinstance(rule, Delay):
            fate.delay_s += each.draw_delay_s()
            continue
        fate.rule = each.id
        if isinstance(rule, Refuse):
            fate.refused = Refused.by(rule, each.id)
        else:
            fate.is_closed = isinstance(rule, CloseConnection)
        break
    return fate


def answer_fate(table: FaultTable, facts: RequestFacts, is_done: bool) -> AnswerFate:
    """The fate of an answer; only that of a command that was done becomes an unknown outcome."""
    fate = AnswerFate()
    for each in table.due(AnswerFault, facts, _NONE if is_done else (AnswerUnknown,)):
        rule = each.rule
        if isinstance(rule, AnswerLate):
            fate.delay_s += each.draw_delay_s()
        elif isinstance(rule, NoAnswer):
            fate.count = 0
            break
        elif isinstance(rule, AnswerTwice):
            fate.count *= 2
        else:
            fate.is_unknown, fate.rule = True, each.id
    return fate


def execution_fate(table: FaultTable, facts: ExecutionFacts, has_answer: bool) -> ExecutionFate:
    """The fate of an execution report; only one with an answer can change places."""
    fate = ExecutionFate()
    for each in table.due(ExecutionFault, facts, _NONE if has_answer else (ExecutionsOutOfOrder,)):
        rule = each.rule
        if isinstance(rule, ExecutionsLate):
            fate.delay_s += each.draw_delay_s()
            continue
        fate.is_sent = False
        fate.is_closed = isinstance(rule, ExecutionsDisconnect)
        fate.is_out_of_order = isinstance(rule, ExecutionsOutOfOrder)
        break
    return fate
