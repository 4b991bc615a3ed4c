"""The answer of `/ready`: the parts that are available, and why the others are not."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from msgspec import UNSET, Struct, UnsetType

from crossbook.common.messages.history_queries import HistoryAnswer, NotYet, TradeRecords
from crossbook.common.shards import base_of, shard_of

Part = Literal["matcher", "market_data", "recorder", "clock"]

ClockKind = Literal["system", "manual"]
"""The setting `CLOCK`."""

KeysFor = Literal["none", "accounts", "all"]
"""Nothing (`AUTH=off`), what concerns an account, or market data too (`FEED_ACCESS=keyed`)."""

STANDS_NS: Final = 10_000_000_000
"""Time of the matcher for which a recorder that is behind may stand at one number."""

BEHIND_MAX: Final = 10_000
"""Commands that a recorder may be behind the gateway and still count as available."""


class Health(Struct):
    """The process runs."""

    status: Literal["ok"]


class MissingPart(Struct):
    """A part of the exchange that is not there, and why."""

    part: Part
    reason: str


class FaultsInForce(Struct):
    """The faults on request: the rules in force in all processes, and how often rules were applied
    since the start; those of other processes as of the last change or list of rules."""

    rules: int
    applied: int


class Readiness(Struct):
    """Whether orders can be entered and market data is live, and what is missing.

    `degraded`: both can be had, but a part is missing. Without the recorder questions about the
    past are answered 503 `HISTORY_UNAVAILABLE`. While a matcher refuses the `clock` of its machine
    trading goes on, on a time of its own. A `clock` that is `manual` stands still until an
    administrator moves it. `faults` is there only where `FAULTS=on`: this exchange breaks on
    purpose. `keys` is what needs an API key.
    """

    status: Literal["ready", "degraded", "not_ready"]
    matcher: bool
    market_data: bool
    recorder: bool
    missing: list[MissingPart]
    seq: int
    clock: ClockKind = "system"
    faults: FaultsInForce | UnsetType = UNSET
    keys: KeysFor = "none"


def readiness(
    faults: Mapping[Part, str], needed: Sequence[Part], seq: int, clock: ClockKind = "system"
) -> Readiness:
    """The document for these `faults`: part to reason, empty where the part is available.

    The status is `not_ready` when one of the `needed` parts is missing, else `degraded` when
    another one is, else `ready`.

    >>> readiness({"matcher": "", "market_data": "", "recorder": "away"}, ["matcher"], 7).status
    'degraded'
    """
    missing = [MissingPart(part, reason) for part, reason in faults.items() if reason]
    is_ready = not any(faults[part] for part in needed)
    return Readiness(
        ("degraded" if missing else "ready") if is_ready else "not_ready",
        not faults["matcher"],
        not faults["market_data"],
        not faults["recorder"],
        missing,
        seq,
        clock,
    )


def recorder_fault(answer: HistoryAnswer | None, matcher_seq: int) -> str:
    """Why questions about the past are refused or late; empty when they are not.

    `matcher_seq` is the last number that the gateway received from the recorder's matcher.
    """
    if isinstance(answer, NotYet):
        return answer.text
    if not isinstance(answer, TradeRecords):
        return "the recorder does not answer"
    # A record in which nothing stands yet is at zero, and the numbers of a later shard begin above.
    behind = matcher_seq - max(answer.seq, base_of(shard_of(matcher_seq)))
    if behind > BEHIND_MAX:
        return f"the recorder is {behind} commands behind, at {answer.seq}"
    return ""


class RecordersProgress:
    """Notices a recorder that is only a little behind and never goes on.

    `fault` is called for every look at a recorder; it remembers one number and one time for each
    shard.

    >>> from crossbook.common.messages.history_queries import TradeRecords
    >>> progress = RecordersProgress()
    >>> late = TradeRecords(request_id=1, seq=5, trades=[], more=False)
    >>> progress.fault(0, late, 7, 0), progress.fault(0, late, 9, STANDS_NS)
    ('', 'the recorder has stood at 5 for 10 s, and the matcher is at 9')
    """

    def __init__(self) -> None:
        self._stands: dict[int, tuple[int, int]] = {}

    def fault(
        self, shard: int, answer: HistoryAnswer | None, matcher_seq: int, time_ns: int
    ) -> str:
        """`recorder_fault`, or that the recorder has stood still; `time_ns` is the matcher's."""
        fault = recorder_fault(answer, matcher_seq)
        if fault or not isinstance(answer, TradeRecords) or answer.seq >= matcher_seq:
            self._stands.pop(shard, None)
            return fault
        seq, since_ns = self._stands.get(shard, (-1, 0))
        if seq != answer.seq:
            self._stands[shard] = (answer.seq, time_ns)
        elif time_ns - since_ns >= STANDS_NS:
            seconds = (time_ns - since_ns) // 1_000_000_000
            return (
                f"the recorder has stood at {seq} for {seconds} s, and the matcher is at "
                f"{matcher_seq}"
            )
        return ""
