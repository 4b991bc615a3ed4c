"""One answer from those of several matchers to the same question."""

from collections.abc import Mapping

from msgspec.structs import replace

from crossbook.common.messages.entry import (
    Ack,
    Balance,
    Balances,
    CancelAfter,
    OpenOrders,
    Query,
    Reject,
    Request,
)
from crossbook.common.types import RejectReason

Answer = Ack | Reject | OpenOrders | Balances


def joint_answer(request: Request, by_shard: Mapping[int, Answer]) -> Answer:
    """What the asker of `request` is told, given the answer of every shard that was asked.

    `seq` of it is a number of the last shard. A command that was done here and not there has an
    unknown outcome, told with its reasons; a query that is not answered everywhere is refused.
    """
    answers = [answer for _, answer in sorted(by_shard.items())]
    refused = {shard: each for shard, each in by_shard.items() if isinstance(each, Reject)}
    if refused:
        return _refusal(request, refused, answers)
    last = answers[-1]
    if isinstance(last, Ack):
        acks = [each for each in answers if isinstance(each, Ack)]
        # Of several times at which orders will be canceled the first one counts.
        pick = min if isinstance(request, CancelAfter) else max
        joint: Answer = replace(
            last,
            count=sum(each.count for each in acks),
            time_ns=pick(each.time_ns for each in acks),
        )
    elif isinstance(last, OpenOrders):
        assert isinstance(request, Query), request
        joint = _orders(request, last.seq, [each for each in answers if type(each) is OpenOrders])
    else:
        joint = replace(
            last, balances=_balances([each for each in answers if isinstance(each, Balances)])
        )
    return replace(joint, request_seq=request.request_seq)


def _refusal(request: Request, refused: Mapping[int, Reject], answers: list[Answer]) -> Reject:
    first = next(iter(refused.values()))
    done = [each for each in answers if isinstance(each, Ack)]
    is_unknown = done or any(
        each.reason == RejectReason.OUTCOME_UNKNOWN for each in refused.values()
    )
    said = "; ".join(f"shard {shard}: {each.text}" for shard, each in sorted(refused.items()))
    if done:
        said += f"; done on the other {len(done)}"
        if any(each.count for each in done):
            said += f", where {sum(each.count for each in done)} orders were canceled"
    return Reject(
        request.request_seq,
        RejectReason.OUTCOME_UNKNOWN if is_unknown else first.reason,
        first.field,
        said,
    )


def _orders(request: Query, seq: int, pages: list[OpenOrders]) -> OpenOrders:
    orders = [order for page in pages for order in page.orders]
    more = any(page.more for page in pages) or len(orders) > request.limit
    return OpenOrders(0, seq, orders[: request.limit], more)


def _balances(answers: list[Balances]) -> list[Balance]:
    """What an account has of each asset on all shards together."""
    found: dict[str, Balance] = {}
    for each in (balance for answer in answers for balance in answer.balances):
        before = found.get(each.asset, Balance(each.asset, 0, 0))
        found[each.asset] = Balance(each.asset, before.total + each.total, before.held + each.held)
    return [found[asset] for asset in sorted(found)]
