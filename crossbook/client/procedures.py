"""The procedures of the calls: requests to send, and the result to return or raise.

A procedure is a generator without I/O: it yields requests, receives their outcomes, and returns
the result of the call. The blocking and the asyncio client drive it, each in its own way.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Final, NamedTuple, ParamSpec, TypeVar

from crossbook.client import failures
from crossbook.client.pending import Outcome, Unanswered
from crossbook.client.recovery import Recovery
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import (
    Ack,
    Amend,
    Balance,
    Balances,
    Cancel,
    Execution,
    Instruments,
    ListInstruments,
    MassCancel,
    New,
    OpenOrders,
    OrderState,
    Ping,
    Pong,
    Query,
    QueryBalances,
    Reject,
    Reply,
    Request,
)

_BATCHED: Final = (New, Cancel, Amend, MassCancel)


class Outcomes(NamedTuple):
    """The outcomes of requests that were sent together, under the numbers they were given."""

    request_seqs: Sequence[int]
    outcomes: Sequence[Outcome]


_T = TypeVar("_T")
_P = ParamSpec("_P")
_R = TypeVar("_R", bound=Reply)

Procedure = Generator[Sequence[Request], Outcomes, _T]


def command(
    address: str, make: Callable[_P, Request], *args: _P.args, **kwargs: _P.kwargs
) -> Procedure[Ack]:
    """Send the command that `make` returns. `address` is that of the gateway, for errors."""
    return (yield from _one(address, make(*args, **kwargs), Ack))


def batch(address: str, requests: Sequence[Request]) -> Procedure[list[Ack | Reject]]:
    """Send commands together; raises for one without an answer, not for a refusal."""
    for request in requests:
        if not isinstance(request, _BATCHED):
            raise TypeError(f"requests: a batch takes commands, not {type(request).__name__}")
    request_seqs, outcomes = yield requests
    missing = [
        (request_seq, outcome)
        for request_seq, outcome in zip(request_seqs, outcomes, strict=True)
        if isinstance(outcome, Unanswered)
    ]
    if missing:
        known = [None if isinstance(outcome, Unanswered) else outcome for outcome in outcomes]
        raise failures.unanswered(missing, known, address)
    answers: list[Ack | Reject] = []
    for outcome in outcomes:
        if not isinstance(outcome, Ack | Reject):
            raise failures.unexpected(outcome)
        answers.append(outcome)
    return answers


def open_orders(
    address: str, symbol: str, order_id: int, client_order_id: str
) -> Procedure[list[OrderState]]:
    """Query every page of open orders."""
    orders: list[OrderState] = []
    query = Query(0, symbol, order_id, client_order_id)
    while True:
        page = yield from _one(address, query, OpenOrders)
        orders += page.orders
        if not page.more or not page.orders:
            return orders
        query = Query(0, symbol, order_id, client_order_id, page.orders[-1].order_id, query.limit)


def instruments(address: str) -> Procedure[dict[str, Instrument]]:
    """List the instruments by symbol."""
    listed = yield from _one(address, ListInstruments(0), Instruments)
    return {each.symbol: each for each in listed.instruments}


def balances(address: str) -> Procedure[list[Balance]]:
    """Query the balances of the account."""
    return (yield from _one(address, QueryBalances(0), Balances)).balances


def ping(address: str) -> Procedure[Pong]:
    """Send a ping."""
    return (yield from _one(address, Ping(0), Pong))


def caught_up(recovery: Recovery, address: str) -> list[Execution]:
    """The executions of a catch-up that has ended; raises when they are not all."""
    if recovery.complete and recovery.same_history and recovery.done:
        return recovery.filled
    raise failures.not_all_caught_up(recovery, address)


def _one(address: str, request: Request, expected: type[_R]) -> Procedure[_R]:
    """Send one request; returns its answer, or raises the error of the call."""
    request_seqs, (outcome,) = yield [request]
    if isinstance(outcome, expected):
        return outcome
    if isinstance(outcome, Unanswered):
        raise failures.unanswered([(request_seqs[0], outcome)], [], address)
    if isinstance(outcome, Reject):
        raise failures.refused(outcome, address)
    raise failures.unexpected(outcome)
