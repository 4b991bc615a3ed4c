"""A fault rule: the messages it concerns, when it applies to them, and the base of all kinds.

A kind of fault is a subclass with a tag, its name on every interface. Its fields are its selectors
and its parameters, each with its limits; what a field does not permit no decoder accepts. A family
(a direct subclass of `FaultRule`) gathers the kinds that apply at one place of one process.
"""

from random import Random
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol, cast

from msgspec import Meta, Struct

from crossbook.common.types import MAX_ACCOUNT, MAX_INT, MAX_SYMBOL

TIMES_MAX: Final = 1_000_000
"""Largest `next` and `every`."""

MILLISECONDS_MAX: Final = 600_000
"""Longest delay: ten minutes."""

PATH_MAX: Final = 200
"""Longest path of a selector, in characters."""

Process = Literal["gateway", "matcher", "publisher", "recorder"]
"""A process that applies faults."""

Account = Annotated[int, Meta(ge=1, le=MAX_ACCOUNT, description="only this account")]
Symbol = Annotated[
    str, Meta(min_length=1, max_length=MAX_SYMBOL, description="only this instrument")
]
Path = Annotated[
    str,
    Meta(
        pattern=r"^/[!-~]*$",
        max_length=PATH_MAX,
        description="only this path; with `*` at its end every path that begins so",
    ),
]
DelayLeast = Annotated[
    float,
    Meta(
        gt=0,
        le=MILLISECONDS_MAX,
        description="the delay; the least one if `uniform`, the mean one if `exponential`",
    ),
]
DelayMost = Annotated[
    float, Meta(gt=0, le=MILLISECONDS_MAX, description="the longest delay of a distribution")
]
Distribution = Annotated[
    Literal["constant", "uniform", "exponential"], Meta(description="how delays are drawn")
]


class FaultRule(
    Struct,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="kind",
):
    """The schedule that every rule has: at most one of `next`, `every` and `probability`. Without
    one the rule applies to every message that it concerns.

    >>> FaultRule(next=3, every=2)
    Traceback (most recent call last):
    ValueError: give one of next, every and probability, not next=3 and every=2
    """

    processes: ClassVar[tuple[Process, ...]] = ("gateway",)
    """Processes that apply the kind; `applied_by` chooses among them."""
    selectors: ClassVar[tuple[str, ...]] = ()
    """Fields that must equal the facts of a message, where they are given."""

    next: (
        Annotated[int, Meta(ge=1, le=TIMES_MAX, description="applies to the next N, then no more")]
        | None
    ) = None
    every: Annotated[int, Meta(ge=1, le=TIMES_MAX, description="applies to every K-th")] | None = (
        None
    )
    probability: (
        Annotated[float, Meta(gt=0, le=1, description="applies to each with this probability")]
        | None
    ) = None
    seed: Annotated[
        int, Meta(ge=0, le=MAX_INT, description="seed of the probability and of a distribution")
    ] = 0

    def __post_init__(self) -> None:
        given = [
            f"{name}={value}"
            for name in ("next", "every", "probability")
            if (value := getattr(self, name)) is not None
        ]
        if len(given) > 1:
            raise ValueError(f"give one of next, every and probability, not {' and '.join(given)}")
        if "milliseconds_max" in self.__struct_fields__:
            _check_delay(cast(Delaying, self))

    def applied_by(self, name: str) -> bool:
        """Whether a process of this name, such as `matcher` or `publisher-1`, applies the rule."""
        return name.partition("-")[0] in self.processes

    def concerns(self, facts: Struct) -> bool:
        """Whether every selector that is given equals that of a message's `facts`."""
        return all(
            _fits(wanted, getattr(facts, name))
            for name in self.selectors
            if (wanted := getattr(self, name)) is not None
        )


def _fits(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, str) and wanted.endswith("*"):
        return str(found).startswith(wanted[:-1])
    return bool(wanted == found)


class Delaying(Protocol):
    """A rule with the parameters of a delay."""

    milliseconds: DelayLeast
    distribution: Distribution
    milliseconds_max: DelayMost | None


def _check_delay(rule: Delaying) -> None:
    """Raise `ValueError` where the parameters of a delay contradict each other."""
    longest_ms = rule.milliseconds_max
    if rule.distribution == "constant":
        if longest_ms is not None:
            raise ValueError("a constant delay has no milliseconds_max")
    elif longest_ms is None:
        if rule.distribution == "uniform":
            raise ValueError("a uniform delay needs milliseconds_max")
    elif longest_ms < rule.milliseconds:
        raise ValueError(
            f"milliseconds_max={longest_ms:g} is less than milliseconds={rule.milliseconds:g}"
        )


def no_schedule(rule: FaultRule) -> None:
    """Raise `ValueError` where a rule that lasts until it is removed has a schedule."""
    for name in ("next", "every", "probability"):
        if (value := getattr(rule, name)) is not None:
            raise ValueError(f"{name}={value}: {kind_of(rule)} lasts until it is removed")


def draw_delay_s(rule: Delaying, random: Random) -> float:
    """The next delay of a rule, in seconds.

    >>> from crossbook.common.faults.order_entry import Delay
    >>> draw_delay_s(Delay(milliseconds=20), Random(7))
    0.02
    """
    longest_ms = rule.milliseconds_max or MILLISECONDS_MAX
    if rule.distribution == "uniform":
        drawn_ms = random.uniform(rule.milliseconds, longest_ms)
    elif rule.distribution == "exponential":
        drawn_ms = min(longest_ms, random.expovariate(1 / rule.milliseconds))
    else:
        drawn_ms = rule.milliseconds
    return drawn_ms / 1_000


def kind_of(rule: "FaultRule | type[FaultRule]") -> str:
    """The name of a rule's kind."""
    return str(rule.__struct_config__.tag)
