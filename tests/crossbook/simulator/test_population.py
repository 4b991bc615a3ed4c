"""Engaging agents: names, values, limits, failures, and draws that no other agent shifts."""

import re
from typing import Any

import pytest

from crossbook.common.errors import ConfigError
from crossbook.common.messages.entry import Cancel
from crossbook.common.types import Side
from crossbook.simulator.agent import Agent, Fill
from crossbook.simulator.makers import MarketMaker
from crossbook.simulator.market import AgentMarket
from crossbook.simulator.parameters import parameters_of
from crossbook.simulator.population import (
    AGENTS_MOST,
    BUILT_IN,
    CHOSEN_MOST,
    NAME_LENGTH_MOST,
    AgentChoice,
    check_population,
)
from tests.crossbook.simulator.market_of_agents import Joined

NO_AGENT: Any = str


class Idle(Agent):
    """Draws, and requests nothing."""

    def act(self) -> None:
        self.chance.uniform()


class FarQuoter(Agent):
    """Quotes where nothing trades, and draws."""

    def act(self) -> None:
        lots = 1 + self.chance.below(9)
        for order in self.orders():
            self.cancel(order)
        self.place(Side.BUY, 6_000_000, lots)


class Broken(Agent):
    """Quotes far away, and fails in tick 5."""

    def act(self) -> None:
        if self.tick == 5:
            raise ZeroDivisionError("no luck")
        self.place(Side.BUY, 6_000_000 + self.tick, 10)


class BrokenOnBook(Agent):
    """Fails when the book changes the second time."""

    def on_start(self) -> None:
        self.books = 0

    def on_book(self, book: AgentMarket) -> None:
        self.books += 1
        if self.books == 2:
            raise KeyError("book")

    def act(self) -> None:
        if self.tick == 1:
            self.place(Side.BUY, 6_000_000, 10)


def requests_of_built_in(joined: Joined) -> dict[str, list[str]]:
    return {name: joined.requests[name] for name in ("maker", "noise", "momentum", "reverter")}


def test_an_agent_that_requests_nothing_changes_nothing() -> None:
    alone, joined = Joined().run(300), Joined(Idle, Idle).run(300)
    assert joined.flow.digest == alone.flow.digest


def test_an_agent_that_never_trades_leaves_the_requests_of_all_others_as_they_are() -> None:
    alone = Joined(AgentChoice(FarQuoter, name="first")).run(300)
    joined = Joined(Idle, AgentChoice(FarQuoter, count=2), AgentChoice(FarQuoter, name="first"))
    joined.run(300)
    assert requests_of_built_in(joined) == requests_of_built_in(alone)
    assert len(alone.requests["first"]) > 500
    lots = [
        [line.split()[4] for line in each.requests["first"] if " new " in line]
        for each in (alone, joined)
    ]
    assert lots[0] == lots[1]
    assert joined.requests["farquoter"] != joined.requests["farquoter-2"]


def test_the_same_seed_and_agents_give_the_same_flow_and_commands() -> None:
    class Trader(Agent):
        def on_fill(self, fill: Fill) -> None:
            self.place(Side(3 - fill.side), fill.price_ticks, fill.lots)

        def act(self) -> None:
            if self.chance.happens(0.2):
                self.trade(Side(1 + self.chance.below(2)), 1 + self.chance.below(500), 50)

    runs = [Joined(Trader, MarketMaker, seed=seed).run(300) for seed in (5, 5, 6)]
    assert runs[0].flow.digest == runs[1].flow.digest != runs[2].flow.digest
    assert runs[0].venue.commands == runs[1].venue.commands
    assert runs[0].seat("trader").position_lots == runs[1].seat("trader").position_lots
    assert runs[0].flow.statistics.tapes[0].trades > 50


def test_names_are_unique_and_those_of_the_built_in_kinds_are_taken() -> None:
    joined = Joined(
        MarketMaker, AgentChoice(Idle, count=2), AgentChoice(Idle, name="calm"), Idle, agents=1
    )
    names = [each.name for each in joined.flow.engaged]
    assert names == ["maker", "maker-2", "idle", "idle-2", "calm", "idle-3"]
    assert [each.seats[0].number for each in joined.flow.engaged] == list(range(6))


def test_values_reach_the_chosen_agent_and_the_built_in_kinds() -> None:
    joined = Joined(
        AgentChoice(MarketMaker, {"levels": "2"}), agents=2, kinds={"maker": {"levels": 3}}
    ).run(1)
    assert {name: len(joined.seat(name).orders()) for name in ("maker", "maker-2")} == {
        "maker": 6, "maker-2": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("agents", "kinds", "choice", "fault"),
    [
        (0, {}, None, f"agents: 0 is not within 1 to {AGENTS_MOST}"),
        (-1, {}, AgentChoice(Idle), f"agents: -1 is not within 0 to {AGENTS_MOST}"),
        (201, {}, AgentChoice(Idle), f"agents: 201 is not within 0 to {AGENTS_MOST}"),
        (1, {"whale": {}}, None,
         "agents: no built-in kind 'whale'; there are: maker, noise, momentum, reverter"),
        (1, {"maker": {"levels": 0}}, None,
         "agent maker: levels: 0 is not a whole number from 1 to 50"),
        (1, {}, AgentChoice(Idle, {"speed": 3}),
         "agent idle: no parameter 'speed'; there are: limit_quote, requests_most, "
         "open_orders_most"),
        (1, {}, AgentChoice(Idle, {"requests_most": 101}),
         "agent idle: requests_most: 101 is not a whole number from 1 to 100"),
        (1, {}, AgentChoice(Idle, count=0), f"agent idle: count: 0 is not 1 to {CHOSEN_MOST}"),
        (1, {}, AgentChoice(Idle, count=51), f"agent idle: count: 51 is not 1 to {CHOSEN_MOST}"),
        (1, {}, AgentChoice(Idle, name="a\nb"),
         f"agent 'a\\nb': name must be 1 to {NAME_LENGTH_MOST} printable characters"),
        (1, {}, AgentChoice(NO_AGENT), "agent <class 'str'> is no class derived from Agent"),
    ],
)  # fmt: skip
def test_agents_that_cannot_be_engaged_are_refused(
    agents: int, kinds: dict[str, dict[str, object]], choice: AgentChoice | None, fault: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        check_population(agents, kinds, [choice] if choice else [])
    assert str(refused.value) == fault


def test_more_chosen_agents_than_the_limit_are_refused() -> None:
    with pytest.raises(ConfigError, match=f"{CHOSEN_MOST + 1} are more than {CHOSEN_MOST}"):
        check_population(2, {}, [AgentChoice(Idle, count=CHOSEN_MOST), AgentChoice(Idle)])


def test_as_many_agents_as_the_limits_allow_are_engaged() -> None:
    check_population(AGENTS_MOST, {}, [])
    _, chosen = check_population(0, {}, [AgentChoice(Idle, count=CHOSEN_MOST)])
    assert len(chosen) == CHOSEN_MOST
    for name in ("a", "a" * NAME_LENGTH_MOST):
        [(engaged, _, _)] = check_population(0, {}, [AgentChoice(Idle, name=name)])[1]
        assert engaged == name
    with pytest.raises(ConfigError, match="name must be 1 to 40 printable characters"):
        check_population(0, {}, [AgentChoice(Idle, name="a" * (NAME_LENGTH_MOST + 1))])


def test_an_agent_that_fails_before_the_first_tick_is_refused() -> None:
    class Unready(Agent):
        def on_start(self) -> None:
            raise OSError("no model")

    with pytest.raises(
        ConfigError, match=r"unready failed in on_start at test_\w+.py:\d+: OSError\('no model"
    ):
        Joined(Unready)


def test_an_agent_with_a_constructor_of_its_own_is_refused_by_name() -> None:
    class Bare(Agent):
        def __init__(self) -> None:
            pass

    with pytest.raises(ConfigError, match=r"agent bare failed in its constructor at .*TypeError"):
        Joined(Bare)


def test_an_agent_that_raises_is_named_and_its_orders_are_canceled_while_others_go_on() -> None:
    joined = Joined(Broken, FarQuoter).run(4)
    assert len(joined.open_lots("broken")) == 4
    joined.run(1)
    assert joined.open_lots("broken") == {}
    [failure] = joined.flow.failures
    assert failure.text.startswith("agent broken failed after 0.5 s at test_population.py:")
    assert failure.text.endswith(": ZeroDivisionError('no luck')")
    assert failure.facts() == {
        "agent": "broken", "after_s": 0.5, "place": failure.place,
        "error": "ZeroDivisionError('no luck')",
    }  # fmt: skip
    requests = len(joined.requests["broken"])
    trades = joined.flow.statistics.tapes[0].trades
    joined.run(200)
    assert len(joined.requests["broken"]) == requests
    assert joined.flow.statistics.tapes[0].trades > trades
    assert len(joined.flow.failures) == 1
    assert not joined.flow.deserted


def test_earlier_requests_of_a_failing_agent_in_the_same_tick_are_not_sent() -> None:
    class Late(Broken):
        def act(self) -> None:
            self.place(Side.BUY, 5_000_000, 10)
            super().act()

    joined = Joined(Late).run(4)
    batches = joined.flow.step()
    [mine] = [each for each in batches if joined.flow.engaged[each.agent].name == "late"]
    assert len(mine.requests) == 8
    assert all(isinstance(each, Cancel) for each in mine.requests)


def test_an_agent_that_raises_between_ticks_cancels_with_the_next() -> None:
    joined = Joined(BrokenOnBook).run(2)
    assert [each.tick for each in joined.flow.failures] == [2]
    assert len(joined.open_lots("brokenonbook")) == 1
    joined.run(1)
    assert joined.open_lots("brokenonbook") == {}


def test_a_market_without_a_working_agent_is_deserted() -> None:
    joined = Joined(Broken, agents=0).run(4)
    assert not joined.flow.deserted
    joined.run(1)
    assert joined.flow.deserted
    assert joined.venue.engine.open_orders(joined.venue.account(0)) == ([], False)


BOUNDS = {
    (name, parameter.name, value)
    for name, kind in BUILT_IN.items()
    for parameter in parameters_of(kind)
    for value in re.findall(r"\b\d[\d.e+,]*", parameter.allowed)
}


@pytest.mark.parametrize(("name", "parameter", "bound"), sorted(BOUNDS))
def test_a_kind_trades_soundly_with_each_parameter_at_either_limit(
    name: str, parameter: str, bound: str
) -> None:
    value = float(bound.replace(",", "")) or 0.000_001
    whole = isinstance(getattr(BUILT_IN[name], parameter), int)
    given: dict[str, object] = {parameter: int(value) if whole else value}
    # The other end of a range goes along.
    if parameter.endswith("_low"):
        high = parameter.removesuffix("_low") + "_high"
        given[high] = max(value, getattr(BUILT_IN[name], high))
    elif parameter.endswith("_high"):
        low = parameter.removesuffix("_high") + "_low"
        given[low] = min(value, getattr(BUILT_IN[name], low))
    joined = Joined(AgentChoice(BUILT_IN[name], given, count=2), agents=6).run(25)
    assert joined.flow.failures == []
    assert joined.flow.statistics.rejects.keys() <= {"UNKNOWN_ORDER"}
