"""The procedures of the calls: requests to send, and the result to return or raise.

A procedure is a generator without I/O: it yields requests, receives their outcomes, and returns
the result of the call. The blocking and the asyncio client drive it, each in its own way.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Final, NamedTuple, ParamSpec, TypeVar

from crossbook.client import answers, failures
from crossbook.client.known_instruments import KnownInstruments
from crossbook.client.own_orders import Orders
from crossbook.client.pending import Outcome, Unanswered
from crossbook.client.recovery import Recovery
from crossbook.common.instruments import Instrument
from crossbook.common.messages.entry import (
    Ack,
    Amend,
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
from crossbook.common.shards import shard_of

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
    address: str,
    known: KnownInstruments,
    make: Callable[_P, Request],
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> Procedure[answers.Ack]:
    """Send the command that `make` returns. `address` is that of the gateway, for errors."""
    request = make(*args, **kwargs)
    ack = yield from _described(address, known, request, getattr(request, "symbol", None), Ack)
    return known.ack(ack, request)


def batch(
    address: str, known: KnownInstruments, requests: Sequence[Request]
) -> Procedure[list[answers.Ack | answers.Reject]]:
    """Send commands together; raises for one without an answer, not for a refusal."""
    for request in requests:
        if not isinstance(request, _BATCHED):
            raise TypeError(f"requests: a batch takes commands, not {type(request).__name__}")
    symbols = {getattr(each, "symbol", "") for each in requests} - {""}
    needs_list = not all(map(known.has, symbols))
    request_seqs, outcomes = yield from _with_list(known, requests, needs_list)
    missing = [
        (request_seq, outcome)
        for request_seq, outcome in zip(request_seqs, outcomes, strict=True)
        if isinstance(outcome, Unanswered)
    ]
    replies = [
        known.answer(outcome, request) if isinstance(outcome, Ack | Reject) else outcome
        for request, outcome in zip(requests, outcomes, strict=True)
    ]
    if missing:
        answered = [None if isinstance(each, Unanswered) else each for each in replies]
        raise failures.unanswered(missing, answered, address)
    found: list[answers.Ack | answers.Reject] = []
    for reply in replies:
        if not isinstance(reply, answers.Ack | answers.Reject):
            raise failures.unexpected(reply)
        found.append(reply)
    return found


def open_orders(
    address: str, known: KnownInstruments, symbol: str, order_id: int, client_order_id: str
) -> Procedure[list[answers.OrderState]]:
    """Query every page of open orders."""
    orders: list[OrderState] = []
    query = Query(0, symbol, order_id, client_order_id)
    while True:
        page = yield from _described(address, known, query, symbol, OpenOrders)
        orders += page.orders
        if not page.more or not page.orders:
            break
        query = Query(0, symbol, order_id, client_order_id, page.orders[-1].order_id, query.limit)
    if not all(known.has(each.symbol) for each in orders):
        # An instrument was added since the last list.
        yield from instruments(address, known)
    return [known.order(each) for each in orders]


def instruments(address: str, known: KnownInstruments) -> Procedure[dict[str, Instrument]]:
    """List the instruments by symbol."""
    listed = yield from _one(address, ListInstruments(0), Instruments)
    known.receive(listed)
    return {each.symbol: each for each in listed.instruments}


def balances(address: str, known: KnownInstruments) -> Procedure[list[answers.Balance]]:
    """Query the balances of the account."""
    found = yield from _described(address, known, QueryBalances(0), "", Balances)
    return [known.balance(each) for each in found.balances]


def load_orders(address: str, known: KnownInstruments, orders: Orders) -> Procedure[None]:
    """Load the account's own orders from the exchange."""
    # Doubts that arise meanwhile remain.
    orders.in_doubt = False
    try:
        if known.by_symbol is None:
            yield from instruments(address, known)
        symbols = list(known.by_symbol or ())
        listed, seq = yield from _pages(address, "")
        if not shard_of(seq):
            orders.load(listed, seq, symbols)
            return
        # Each shard counts for itself: an answer about one instrument has its shard's number.
        for symbol in symbols:
            orders.load(*(yield from _pages(address, symbol)), [symbol])
    except BaseException:
        orders.in_doubt = True
        raise


def _pages(address: str, symbol: str) -> Procedure[tuple[list[OrderState], int]]:
    """Every page of open orders, and the number that all of them are true as of, or later."""
    listed: list[OrderState] = []
    seq, after_order_id = -1, 0
    while True:
        page = yield from _one(address, Query(0, symbol, 0, "", after_order_id), OpenOrders)
        listed += page.orders
        seq = page.seq if seq < 0 else min(seq, page.seq)
        if not page.more or not page.orders:
            return listed, seq
        after_order_id = page.orders[-1].order_id


def ping(address: str) -> Procedure[Pong]:
    """Send a ping."""
    return (yield from _one(address, Ping(0), Pong))


def caught_up(recovery: Recovery, address: str) -> list[Execution]:
    """The executions of a catch-up that has ended; raises when they are not all."""
    if recovery.complete and recovery.same_history and recovery.done:
        return recovery.filled
    raise failures.not_all_caught_up(recovery, address)


def _described(
    address: str,
    known: KnownInstruments,
    request: Request,
    symbol: str | None,
    expected: type[_R],
) -> Procedure[_R]:
    """As `_one`; a symbol that is not known is listed in the same message. None needs no list."""
    needs_list = symbol is not None and not known.has(symbol)
    request_seqs, (outcome,) = yield from _with_list(known, [request], needs_list)
    if isinstance(outcome, Reject):
        raise failures.refused(outcome, address, known.limit(outcome, request))
    return _answer(address, request_seqs[0], outcome, expected)


def _with_list(
    known: KnownInstruments, requests: Sequence[Request], needs_list: bool
) -> Procedure[Outcomes]:
    """Send requests, with one for the instruments in front of them where a list is needed.

    The outcomes are those of `requests`: a list that did not come is requested with the next call.
    """
    if not needs_list:
        return (yield requests)
    request_seqs, outcomes = yield [ListInstruments(0), *requests]
    known.receive(outcomes[0])
    return Outcomes(request_seqs[1:], outcomes[1:])


def _one(address: str, request: Request, expected: type[_R]) -> Procedure[_R]:
    """Send one request; returns its answer, or raises the error of the call."""
    request_seqs, (outcome,) = yield [request]
    return _answer(address, request_seqs[0], outcome, expected)


def _answer(address: str, request_seq: int, outcome: Outcome, expected: type[_R]) -> _R:
    if isinstance(outcome, expected):
        return outcome
    if isinstance(outcome, Unanswered):
        raise failures.unanswered([(request_seq, outcome)], [], address)
    if isinstance(outcome, Reject):
        raise failures.refused(outcome, address)
    raise failures.unexpected(outcome)
