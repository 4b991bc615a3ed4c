"""One answer from the answers of several matchers to the same request."""

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

ShardAnswer = Ack | Reject | OpenOrders | Balances


def joint_answer(request: Request, by_shard: Mapping[int, ShardAnswer]) -> ShardAnswer:
    """The answer to `request`, made from the answers of all its shards.

    Its `seq` is a number of the last shard. A command that some shards applied and others refused
    has an unknown outcome, whose text gives the reasons; a query that one shard refused is refused.
    """
    answers = [answer for _, answer in sorted(by_shard.items())]
    refused = {shard: each for shard, each in by_shard.items() if isinstance(each, Reject)}
    if refused:
        return _refusal(request, refused, answers)
    last = answers[-1]
    if isinstance(last, Ack):
        acks = [each for each in answers if isinstance(each, Ack)]
        # Where the shards will cancel at different times, the first one counts.
        pick = min if isinstance(request, CancelAfter) else max
        joint: ShardAnswer = replace(
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


def _refusal(request: Request, refused: Mapping[int, Reject], answers: list[ShardAnswer]) -> Reject:
    first = next(iter(refused.values()))
    done = [each for each in answers if isinstance(each, Ack)]
    is_unknown = done or any(
        each.reason == RejectReason.OUTCOME_UNKNOWN for each in refused.values()
    )
    text = "; ".join(f"shard {shard}: {each.text}" for shard, each in sorted(refused.items()))
    if done:
        text += f"; done on the other {len(done)}"
        if any(each.count for each in done):
            text += f", where {sum(each.count for each in done)} orders were canceled"
    return Reject(
        request.request_seq,
        RejectReason.OUTCOME_UNKNOWN if is_unknown else first.reason,
        first.field,
        text,
    )


def _orders(request: Query, seq: int, pages: list[OpenOrders]) -> OpenOrders:
    orders = [order for page in pages for order in page.orders]
    more = any(page.more for page in pages) or len(orders) > request.limit
    return OpenOrders(0, seq, orders[: request.limit], more)


def _balances(answers: list[Balances]) -> list[Balance]:
    """The account's balance of each asset, all shards added up."""
    found: dict[str, Balance] = {}
    for each in (balance for answer in answers for balance in answer.balances):
        before = found.get(each.asset, Balance(each.asset, 0, 0))
        found[each.asset] = Balance(
            each.asset,
            before.total_units + each.total_units,
            before.held_units + each.held_units,
        )
    return [found[asset] for asset in sorted(found)]
