"""A query string has one reading, or is refused."""

import pytest

from crossbook.gateway.problem import Problem
from crossbook.gateway.query import PARAMETERS_MAX, values_of


def test_parameters_are_decoded() -> None:
    assert values_of("a=1&b=x%20y+z%E2%82%AC&c=", ("a", "b", "c")) == {
        "a": "1",
        "b": "x y z\u20ac",
        "c": "",
    }
    assert values_of("", ()) == {}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("x=1", "x"),
        ("a=1&a=1", "a"),
        ("a=1&%61=2", "a"),
        ("a", "query"),
        ("=1", "query"),
        ("a=1&", "query"),
        ("&a=1", "query"),
        ("a=%zz", "query"),
        ("a=%", "query"),
        ("a=%ff", "query"),
        ("a=%c0%80", "query"),
        ("a=%ed%a0%80", "query"),
        ("a=%00", "query"),
        ("a=1%0d%0aX:y", "query"),
        ("a=1;b=2&b=2;c", "b"),
        ("&".join(f"a{number}=1" for number in range(PARAMETERS_MAX + 1)), "query"),
    ],
)
def test_an_ambiguous_query_is_refused(query: str, field: str) -> None:
    with pytest.raises(Problem) as caught:
        values_of(query, ("a",))
    assert (caught.value.status, caught.value.detail.field) == (400, field)


def test_a_repeatable_name_may_repeat() -> None:
    assert values_of("a=1&a=2", ("a",), repeated=("a",)) == {"a": "2"}
