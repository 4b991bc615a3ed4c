"""What agents send in a tick, and what the exchange returns."""

from typing import TypeAlias

from msgspec import Struct

from crossbook.common.messages.entry import Ack, Amend, Cancel, New, Reject

TradeRequest: TypeAlias = New | Cancel | Amend
Answer: TypeAlias = tuple[TradeRequest, Ack | Reject]


class Batch(Struct, frozen=True):
    """The requests of one agent in a tick, in this order."""

    agent: int
    requests: list[TradeRequest]
