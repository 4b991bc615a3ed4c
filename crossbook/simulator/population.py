"""The agents of a simulation: the built-in kinds by number, and agents of one's own by choice."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from crossbook.common.errors import ConfigError
from crossbook.simulator.agent import Agent
from crossbook.simulator.chance import Chance
from crossbook.simulator.fundamental import TICKS_PER_SECOND
from crossbook.simulator.makers import MarketMaker
from crossbook.simulator.market import AgentMarket
from crossbook.simulator.parameters import checked_values
from crossbook.simulator.traders import MeanReverter, MomentumTrader, NoiseTrader

AGENTS_MOST: Final = 200
"""Agents of the built-in kinds, engaged by number."""

CHOSEN_MOST: Final = 50
"""Agents engaged by choice."""

NAME_LENGTH_MOST: Final = 40

KINDS: Final = (
    MarketMaker, NoiseTrader, MarketMaker, NoiseTrader, MomentumTrader, MeanReverter,
)  # fmt: skip
"""The built-in kinds in the order they are engaged, over and over."""

BUILT_IN: Final[Mapping[str, type[Agent]]] = {kind.kind: kind for kind in KINDS}
"""The built-in kinds by name."""

Values = Mapping[str, object]


class AgentChoice(Struct, frozen=True):
    """`count` agents of one class with these values of its parameters.

    `name` is theirs in summaries and decides their random numbers; without one it is the `kind` of
    the class. A name that is taken, as are those of the built-in kinds, gets a number behind it.
    """

    agent: type[Agent]
    parameters: Values = {}
    name: str = ""
    count: int = 1


class Engaged(Struct, frozen=True):
    """One agent: its name in summaries, and its object in each instrument."""

    name: str
    seats: list[Agent]


def failed_at(error: BaseException) -> str:
    """File and line that raised an exception, empty for one that was not raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"


class AgentFailure(Struct, frozen=True):
    """An agent that raised an exception in a tick, and trades no more."""

    name: str
    tick: int
    error: Exception

    @property
    def place(self) -> str:
        """File and line that raised it."""
        return failed_at(self.error)

    @property
    def seconds(self) -> float:
        """Simulated seconds until then."""
        return self.tick / TICKS_PER_SECOND

    @property
    def text(self) -> str:
        """The failure in one line."""
        return f"agent {self.name} failed after {self.seconds:g} s at {self.place}: {self.error!r}"

    def facts(self) -> dict[str, object]:
        """The failure for `--json`."""
        return {
            "agent": self.name,
            "after_s": self.seconds,
            "place": self.place,
            "error": repr(self.error),
        }


def engage(
    markets: Sequence[AgentMarket],
    agents: int,
    kinds: Mapping[str, Values],
    choices: Sequence[AgentChoice],
    seed: int,
    chance: Chance,
) -> list[Engaged]:
    """The agents of a simulation: `agents` of the built-in kinds, then those of `choices`.

    `kinds` has values of parameters of the built-in kinds by name. These draw from `chance`, an
    agent of a choice from a generator of its own, which the seed and its name decide: one more
    agent shifts no draw of another. Raises `ConfigError` with the agent, parameter, value and
    limit.
    """
    values, chosen = check_population(agents, kinds, choices)
    engaged = []
    for number in range(agents):
        kind = KINDS[number % len(KINDS)]
        seats: list[Agent] = [
            kind(number, market, chance.fork(), values[kind.kind]) for market in markets
        ]
        engaged.append(_started(kind.kind, seats))
    for number, (name, own, given) in enumerate(chosen, agents):
        try:
            seats = [
                own(number, market, Chance.named(seed, f"{name} {market.symbol}"), given)
                for market in markets
            ]
        except Exception as error:
            raise _unready(name, "its constructor", error) from error
        engaged.append(_started(name, seats))
    return engaged


def _unready(name: str, place: str, error: Exception) -> ConfigError:
    return ConfigError(f"agent {name} failed in {place} at {failed_at(error)}: {error!r}")


def check_population(
    agents: int, kinds: Mapping[str, Values], choices: Sequence[AgentChoice]
) -> tuple[dict[str, Values], list[tuple[str, type[Agent], Values]]]:
    """The values of all parameters of the built-in kinds, and the agents of the choices: name,
    class and values. Raises `ConfigError` as `engage` does; markets are not needed."""
    chosen: list[tuple[str, type[Agent], Values]] = [
        (name, choice.agent, checked_values(choice.agent, choice.parameters, f"agent {name}"))
        for name, choice in _named(choices)
    ]
    least = 0 if chosen else 1
    if not least <= agents <= AGENTS_MOST:
        raise ConfigError(f"agents: {agents} is not within {least} to {AGENTS_MOST}")
    if len(chosen) > CHOSEN_MOST:
        raise ConfigError(f"agents of one's own: {len(chosen)} are more than {CHOSEN_MOST}")
    return _values_of_kinds(kinds), chosen


def _values_of_kinds(kinds: Mapping[str, Values]) -> dict[str, Values]:
    for name in kinds:
        if name not in BUILT_IN:
            raise ConfigError(
                f"agents: no built-in kind {name!r}; there are: {', '.join(BUILT_IN)}"
            )
    return {
        name: checked_values(kind, kinds.get(name, {}), f"agent {name}")
        for name, kind in BUILT_IN.items()
    }


def _named(choices: Sequence[AgentChoice]) -> Iterator[tuple[str, AgentChoice]]:
    """Every agent of the choices with its name, which no other has."""
    taken = set(BUILT_IN)
    for choice in choices:
        if not (isinstance(choice.agent, type) and issubclass(choice.agent, Agent)):
            raise ConfigError(f"agent {choice.agent!r} is no class derived from Agent")
        first = choice.name or choice.agent.kind
        if not 1 <= len(first) <= NAME_LENGTH_MOST or not first.isprintable():
            raise ConfigError(
                f"agent {first!r}: name must be 1 to {NAME_LENGTH_MOST} printable characters"
            )
        if not 1 <= choice.count <= CHOSEN_MOST:
            raise ConfigError(f"agent {first}: count: {choice.count} is not 1 to {CHOSEN_MOST}")
        for _ in range(choice.count):
            name, number = first, 1
            while name in taken:
                number += 1
                name = f"{first}-{number}"
            taken.add(name)
            yield name, choice


def _started(name: str, seats: list[Agent]) -> Engaged:
    """An agent whose objects know each other and have drawn their traits."""
    siblings = {seat.market.symbol: seat for seat in seats}
    for seat in seats:
        seat.siblings = siblings
        try:
            seat.on_start()
        except Exception as error:
            raise _unready(name, "on_start", error) from error
    return Engaged(name, seats)
