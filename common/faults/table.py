"""The fault rules in force in one process, and their counts. No I/O."""

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, Final, Generic, TypeVar

from msgspec import UNSET, Struct, UnsetType

from crossbook.common.errors import CrossbookError
from crossbook.common.faults.kinds import KINDS, AnyFault
from crossbook.common.faults.rule import FaultRule, Process, draw_delay_s, kind_of

RULES_MAX: Final = 256
"""Most rules of one process; those that are used up count too."""

R = TypeVar("R", bound=FaultRule, covariant=True)


class FaultState(Struct, omit_defaults=True, kw_only=True):
    """A rule and its counts: the messages that it concerned, and those it was applied to. `left`
    is what is left of `next`."""

    id: int
    process: str
    rule: AnyFault
    concerned: int
    applied: int
    left: int | UnsetType = UNSET


class FaultTableError(CrossbookError):
    """A rule was not put in force: its id is taken, or there are `RULES_MAX` rules."""


class NotHere(FaultTableError):  # noqa: N818 - names a place
    """The rule concerns nothing of this process; another shard may have it."""


class Due(Generic[R]):
    """A rule in force, with its counts and its own random numbers."""

    def __init__(self, number: int, rule: R) -> None:
        self.id = number
        self.rule = rule
        self.concerned = 0
        self.applied = 0
        self._random = Random(rule.seed)

    @property
    def left(self) -> int | None:
        """What is left of `next`; None where the rule has none."""
        return None if self.rule.next is None else self.rule.next - self.applied

    def draw_delay_s(self) -> float:
        """The next delay of a rule that delays, in seconds."""
        rule: Any = self.rule
        return draw_delay_s(rule, self._random)

    def is_due(self) -> bool:
        """Count a message that the rule concerns; whether the rule applies to it."""
        self.concerned += 1
        rule = self.rule
        if rule.next is not None:
            return self.applied < rule.next
        if rule.every is not None:
            return self.concerned % rule.every == 0
        return rule.probability is None or self._random.random() < rule.probability


class FaultTable:
    """The rules of one process, in the order of their ids.

    The same rules, added in the same order, apply to the same of the same messages: each draws from
    its own seed. `due` may run in one thread while another changes the rules. `applied` counts
    since the start, by kind, and is not cleared.

    >>> from crossbook.common.faults.order_entry import Delay, RequestFacts, RequestFault
    >>> table = FaultTable("gateway")
    >>> table.add(Delay(account=7, milliseconds=20, next=1))
    1
    >>> facts = RequestFacts("rest", 7, "/api/v1/orders")
    >>> [each.draw_delay_s() for each in table.due(RequestFault, facts)]
    [0.02]
    >>> list(table.due(RequestFault, facts)), table.applied["delay"]
    ([], 1)
    """

    def __init__(self, process: Process, shard: int = 0) -> None:
        self.process = process
        self.name = f"{process}-{shard}" if shard else process
        self.applied: Counter[str] = Counter(
            dict.fromkeys((name for name, kind in KINDS.items() if process in kind.processes), 0)
        )
        # Replaced as a whole, never changed: another thread may iterate over it.
        self._rules: tuple[Due[Any], ...] = ()
        self.last_id = 0

    def __len__(self) -> int:
        """The number of rules in force."""
        return len(self._rules)

    def add(self, rule: AnyFault, number: int = 0) -> int:
        """Put a rule in force, under this id or the next free one; returns the id.

        Raises `FaultTableError`.
        """
        if len(self._rules) >= RULES_MAX:
            raise FaultTableError(
                f"{RULES_MAX} rules are in force, the most there can be; remove some"
            )
        if any(each.id == number for each in self._rules):
            raise FaultTableError(f"rule {number} is in force already")
        number = number or self.last_id + 1
        self.last_id = max(self.last_id, number)
        rules = (*self._rules, Due(number, rule))
        self._rules = tuple(sorted(rules, key=lambda each: each.id))
        return number

    def states(self) -> list[FaultState]:
        """The rules with their counts."""
        return [
            FaultState(
                id=each.id,
                process=self.name,
                rule=each.rule,
                concerned=each.concerned,
                applied=each.applied,
                left=UNSET if each.left is None else each.left,
            )
            for each in self._rules
        ]

    def remove(self, number: int) -> bool:
        """Remove a rule; whether there was one of this id."""
        before = len(self._rules)
        self._rules = tuple(each for each in self._rules if each.id != number)
        return len(self._rules) < before

    def clear(self) -> int:
        """Remove all rules; returns how many there were."""
        count, self._rules = len(self._rules), ()
        return count

    def may_concern(self, family: type[FaultRule], facts: Struct) -> bool:
        """Whether a rule of a family concerns a message with these facts; counts nothing."""
        return any(isinstance(each.rule, family) and each.rule.concerns(facts)
                   for each in self._rules)  # fmt: skip

    def has(self, family: type[FaultRule]) -> bool:
        """Whether a rule of a family is in force."""
        return any(isinstance(each.rule, family) for each in self._rules)

    def in_force(self, family: type[R]) -> "list[Due[R]]":
        """The rules of a family; counts nothing."""
        return [each for each in self._rules if isinstance(each.rule, family)]

    def applies(self, each: Due[Any]) -> bool:
        """Count a message that a rule concerns; whether the rule applies to it."""
        if not each.is_due():
            return False
        each.applied += 1
        self.applied[kind_of(each.rule)] += 1
        return True

    def due(
        self, family: type[R], facts: Struct, but: tuple[type[FaultRule], ...] = ()
    ) -> Iterator[Due[R]]:
        """The rules of a family, without the kinds `but`, that apply to a message with these facts.

        A rule counts as applied once it is yielded: whoever ends a message early, and asks for no
        further rule, leaves the counts of the later ones alone.
        """
        for each in self._rules:
            rule = each.rule
            if (
                isinstance(rule, family)
                and not isinstance(rule, but)
                and rule.concerns(facts)
                and self.applies(each)
            ):
                yield each
