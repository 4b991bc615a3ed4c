"""The faults of the Binance-spot face in its own words; its streams have those of
`crossbook.common.faults.market_data` and its accounts those of `order_entry` too."""

from typing import Annotated

from msgspec import Meta, Struct

from crossbook.common.faults.market_data import (
    FACE_STREAMS,
    SECONDS_MAX,
    SECONDS_MIN,
    StreamConnectionFault,
)
from crossbook.common.faults.rule import Account, FaultRule


class ListenKeyFacts(Struct, gc=False, frozen=True):
    """Facts of one listen key."""

    account: int


class ServerShutdown(StreamConnectionFault, kw_only=True, tag="server_shutdown"):
    """Each connection of the face receives `serverShutdown`, and ends after so many seconds."""

    seconds: Annotated[
        float,
        Meta(ge=SECONDS_MIN, le=SECONDS_MAX, description="time from the event to the end"),
    ]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stream not in (None, *FACE_STREAMS):
            raise ValueError(f"stream={self.stream}: only the face sends serverShutdown")

    def concerns(self, facts: Struct) -> bool:
        """As for every rule; only connections of the face."""
        return super().concerns(facts) and getattr(facts, "stream", "") in FACE_STREAMS


class ListenKeyExpired(FaultRule, kw_only=True, tag="listen_key_expired"):
    """Each listen key ends after so many seconds, and its streams receive `listenKeyExpired`."""

    selectors = ("account",)

    account: Account | None = None
    seconds: Annotated[
        float, Meta(ge=SECONDS_MIN, le=SECONDS_MAX, description="life of a listen key")
    ]


FaceFault = ServerShutdown | ListenKeyExpired
