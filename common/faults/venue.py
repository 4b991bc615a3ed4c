"""The faults of the venue: its instruments, its disk, its clock, and its processes."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta, Struct

from crossbook.common.faults.rule import (
    MILLISECONDS_MAX,
    DelayLeast,
    DelayMost,
    Distribution,
    FaultRule,
    Process,
    Symbol,
    no_schedule,
)

SHIFT_MAX: Final = 86_400_000
"""Largest shift of the clock, in milliseconds: a day, ahead or behind."""

SHARDS_MAX: Final = 255


class VenueFacts(Struct, gc=False, frozen=True):
    """Facts of an instrument."""

    symbol: str = ""


class InstrumentFault(FaultRule):
    """Faults of instruments. They last until they are removed."""

    processes: ClassVar[tuple[Process, ...]] = ("matcher",)
    selectors = ("symbol",)

    symbol: Symbol | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        no_schedule(self)


class DiskFault(FaultRule):
    """Faults of the disk that the journal is on."""

    processes = ("matcher",)


class ClockFault(FaultRule, kw_only=True):
    """Faults of the time that clients receive."""

    processes = ("gateway", "publisher")

    shift_ms: Annotated[
        float,
        Meta(ge=-SHIFT_MAX, le=SHIFT_MAX, description="how far ahead; negative: behind"),
    ]

    def __post_init__(self) -> None:
        super().__post_init__()
        no_schedule(self)


class ProcessFault(FaultRule):
    """Faults of whole processes. The gateway that received the rule lists and counts it."""

    processes = ("gateway", "matcher", "publisher", "recorder")

    def __post_init__(self) -> None:
        super().__post_init__()
        no_schedule(self)


class Halt(InstrumentFault, tag="halt"):
    """The instrument is halted."""


class CallPhase(InstrumentFault, tag="auction"):
    """The instrument is in a call phase, which ends with an uncross."""


class InstrumentRemoved(InstrumentFault, kw_only=True, tag="instrument_removed"):
    """The instrument is gone: halted, and unknown to every request that names it."""

    processes = ("gateway", "matcher")

    symbol: Symbol


class DiskSlow(DiskFault, kw_only=True, tag="disk_slow"):
    """A sync of the journal takes longer: every answer of its batch waits for it."""

    milliseconds: DelayLeast
    distribution: Distribution = "constant"
    milliseconds_max: DelayMost | None = None


class ClockShifted(ClockFault, kw_only=True, tag="clock_shifted"):
    """Clients receive times that are ahead, or behind where negative."""


class ProcessKilled(ProcessFault, kw_only=True, tag="process_killed"):
    """The process ends by SIGKILL; its supervisor starts it again, with its journal."""

    process: Annotated[Process, Meta(description="the process that ends")]
    shard: Annotated[
        int, Meta(ge=0, le=SHARDS_MAX, description="the shard of a matcher, publisher or recorder")
    ] = 0
    after_ms: Annotated[
        float, Meta(ge=0, le=MILLISECONDS_MAX, description="time until it ends")
    ] = 0

    def applied_by(self, name: str) -> bool:
        """As for every rule: the process that ends, and the gateway, which counts it."""
        end = f"-{self.shard}" if self.shard else ""
        return name in ("gateway", f"{self.process}{end}")


VenueFault = Halt | CallPhase | InstrumentRemoved | DiskSlow | ClockShifted | ProcessKilled
