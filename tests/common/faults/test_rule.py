"""A rule's schedule and delays: at most one schedule, delays within their bounds, from the seed."""

from random import Random

import pytest

from crossbook.common.faults.order_entry import Delay, NoAnswer, RequestFacts
from crossbook.common.faults.rule import MILLISECONDS_MAX, draw_delay_s, kind_of


@pytest.mark.parametrize(
    "given", [{"next": 1, "every": 2}, {"every": 2, "probability": 0.5}, {"next": 1, "every": 1}]
)
def test_a_rule_has_one_schedule(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="give one of next, every and probability"):
        NoAnswer(**given)  # type: ignore[arg-type]


def test_a_kind_has_the_name_of_its_tag() -> None:
    assert kind_of(NoAnswer()) == kind_of(NoAnswer) == "no_answer"


def test_a_constant_delay_is_its_milliseconds() -> None:
    assert draw_delay_s(Delay(milliseconds=250), Random(1)) == 0.25


def test_a_uniform_delay_is_between_its_bounds() -> None:
    rule = Delay(milliseconds=10, distribution="uniform", milliseconds_max=20)
    drawn = [draw_delay_s(rule, random) for random in [Random(5)] for _ in range(500)]
    assert 0.010 <= min(drawn) < 0.0105
    assert 0.0195 < max(drawn) <= 0.020


def test_an_exponential_delay_has_its_mean_and_is_cut_off() -> None:
    random = Random(5)
    rule = Delay(milliseconds=10, distribution="exponential", milliseconds_max=60)
    drawn = [draw_delay_s(rule, random) for _ in range(5_000)]
    assert 0.0095 < sum(drawn) / len(drawn) < 0.0105
    assert max(drawn) == 0.060


def test_an_exponential_delay_without_a_longest_one_ends_at_the_bound_of_all_delays() -> None:
    random = Random(5)
    rule = Delay(milliseconds=MILLISECONDS_MAX, distribution="exponential")
    assert max(draw_delay_s(rule, random) for _ in range(50)) == MILLISECONDS_MAX / 1_000


def test_the_same_seed_draws_the_same_delays() -> None:
    rule = Delay(milliseconds=10, distribution="exponential")
    one, other = Random(9), Random(9)
    assert [draw_delay_s(rule, one) for _ in range(9)] == [
        draw_delay_s(rule, other) for _ in range(9)
    ]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"milliseconds_max": 9.0}, "a constant delay has no milliseconds_max"),
        ({"distribution": "uniform"}, "a uniform delay needs milliseconds_max"),
        (
            {"distribution": "exponential", "milliseconds_max": 9.0},
            "milliseconds_max=9 is less than milliseconds=10",
        ),
    ],
)
def test_parameters_of_a_delay_that_contradict_each_other_are_refused(
    given: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        Delay(milliseconds=10, **given)  # type: ignore[arg-type]


def test_a_selector_with_a_star_concerns_everything_that_begins_so() -> None:
    facts = RequestFacts("rest", 1, "/api/v1/orders/batch", "POST")
    assert NoAnswer(path="/api/v1/orders*").concerns(facts)
    assert not NoAnswer(path="/api/v1/orders").concerns(facts)
    assert not NoAnswer(path="/api/v1/trades*").concerns(facts)
