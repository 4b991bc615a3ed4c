"""Parameters are annotated attributes with defaults; values out of their limits are refused."""

from typing import Annotated, ClassVar, Literal

import pytest
from msgspec import Meta

from crossbook.common.errors import ConfigError
from crossbook.simulator.agent import Agent
from crossbook.simulator.makers import MarketMaker
from crossbook.simulator.parameters import Parameter, checked_values, parameters_of
from crossbook.simulator.population import BUILT_IN
from crossbook.simulator.units import Chances


class Base:
    size: Annotated[float, Meta(gt=0, le=1e6, description="Size of an order.")] = 2.5
    kind: ClassVar[str] = "base"
    no_default: int


class Quoter(Base):
    size = 4.0
    levels: Annotated[int, Meta(ge=1, le=50)] = 5
    share: Annotated[Chances, Meta(description="A share.")] = 0.5
    terms: Literal["ioc", "fok"] = "ioc"
    eager: bool = False
    label: Annotated[str, Meta(max_length=3)] = ""
    width_low: float = 1.0
    width_high: float = 2.0
    _seen: int = 0


def test_parameters_are_public_annotated_attributes_with_a_default() -> None:
    assert parameters_of(Quoter)[:6] == [
        Parameter("size", 4.0, "a number above 0 up to 1,000,000", "Size of an order."),
        Parameter("levels", 5, "a whole number from 1 to 50", ""),
        Parameter("share", 0.5, "a number from 0 to 1", "A share."),
        Parameter("terms", "ioc", "one of fok, ioc", ""),
        Parameter("eager", False, "true or false", ""),
        Parameter("label", "", "text of at most 3 characters", ""),
    ]
    assert [each.name for each in parameters_of(Quoter)[6:]] == ["width_low", "width_high"]


def test_values_are_read_from_text() -> None:
    given = {"levels": "7", "size": "1e3", "eager": "true", "terms": "fok", "label": "7"}
    assert checked_values(Quoter, given, "agent q") == {
        "size": 1000.0, "levels": 7, "share": 0.5, "terms": "fok", "eager": True, "label": "7",
        "width_low": 1.0, "width_high": 2.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("levels", "0", "levels: '0' is not a whole number from 1 to 50"),
        ("levels", 51, "levels: 51 is not a whole number from 1 to 50"),
        ("levels", "2.5", "levels: '2.5' is not a whole number from 1 to 50"),
        ("levels", True, "levels: True is not a whole number from 1 to 50"),
        ("size", "nan", "size: 'nan' is not a number above 0 up to 1,000,000"),
        ("width_low", "inf", "width_low: 'inf' is not a number"),
        ("size", [1], "size: [1] is not a number above 0 up to 1,000,000"),
        ("share", -0.1, "share: -0.1 is not a number from 0 to 1"),
        ("terms", "gtc", "terms: 'gtc' is not one of fok, ioc"),
        ("eager", "perhaps", "eager: 'perhaps' is not true or false"),
        ("label", "four", "label: 'four' is not text of at most 3 characters"),
        ("width_low", 3, "width_low: 3.0 is above width_high, which is 2.0"),
        ("_seen", 1, "no parameter '_seen'; there are: size, levels, share, terms, eager, label, "
         "width_low, width_high"),
    ],
)  # fmt: skip
def test_a_fault_names_the_agent_the_parameter_the_value_and_the_limit(
    name: str, value: object, fault: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        checked_values(Quoter, {name: value}, "agent q")
    assert str(refused.value) == f"agent q: {fault}"


def test_a_default_out_of_its_own_limits_is_refused() -> None:
    class Wrong(Agent):
        levels: Annotated[int, Meta(ge=1)] = 0

    with pytest.raises(ConfigError, match="agent w: levels: 0 is not a whole number from 1"):
        checked_values(Wrong, {}, "agent w")


@pytest.mark.parametrize("kind", BUILT_IN.values(), ids=lambda kind: kind.kind)
def test_every_parameter_of_the_built_in_kinds_is_explained_and_bounded(
    kind: type[Agent],
) -> None:
    parameters = parameters_of(kind)
    assert len(parameters) >= 9
    for each in parameters:
        assert each.text, each.name
        assert "to" in each.allowed, each
    assert checked_values(kind, {}, "agent") == {each.name: each.default for each in parameters}


def test_the_makers_have_their_own_default_of_an_inherited_parameter() -> None:
    assert parameters_of(Agent)[0].default == 100_000.0
    assert parameters_of(MarketMaker)[0].default == 400_000.0
