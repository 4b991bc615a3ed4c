"""Metrics of a process, over the request socket that it already has.

The matcher answers at `MATCHER_SYNC`, the publisher at `PUBLISHER_SNAPSHOTS`, the recorder at
`RECORDER_HISTORY`. The tags differ from those of each socket's own messages.
"""

from typing import Annotated

from msgspec import Meta, Struct

from crossbook.common.types import MAX_INT


class MetricsRequest(Struct, array_like=True, tag=91, gc=False, frozen=True):
    """Request the metrics of a process."""

    request_id: Annotated[int, Meta(ge=0, le=MAX_INT)]


class Metrics(Struct, array_like=True, tag=191, gc=False, frozen=True):
    """Answer to `MetricsRequest`: `text` is Prometheus' exposition format, `seq` the number
    of the matcher's last command that the process applied."""

    request_id: int
    seq: int
    text: str
