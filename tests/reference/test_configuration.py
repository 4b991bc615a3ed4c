"""docs/reference/configuration.md has every setting with its default and its range."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from crossbook.common.process.config import Settings
from crossbook.common.process.env_file import ENVIRONMENT_ONLY
from crossbook.matcher.build import BUILDS
from tests.reference.pages import page, rows

LISTED = {row[0].strip("`"): row[1:] for row in rows(page("configuration"))}
FIELDS = {name.upper(): field for name, field in Settings.model_fields.items()}


def default_of(field: FieldInfo) -> str:
    """A default as `.env` has it."""
    value: Any = field.default
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | frozenset):
        return ",".join(value) or "off"
    return str(value)


def bounds(field: FieldInfo) -> Iterator[int]:
    """The lowest and the highest value of a number."""
    for rule in field.metadata:
        for attribute, less in (("ge", 0), ("le", 0), ("lt", 1)):
            if hasattr(rule, attribute):
                yield getattr(rule, attribute) - less


def values_of(field: FieldInfo) -> str:
    """The range of a number or the words of a choice; empty for text."""
    if get_origin(field.annotation) is not None and isinstance(field.default, str):
        return ", ".join(f"`{word}`" for word in get_args(field.annotation))
    if field.annotation is bool:
        return "`true`, `false`"
    return " to ".join(f"{bound:,}" for bound in sorted(bounds(field)))


def test_every_setting_is_listed_and_no_other_one() -> None:
    assert LISTED.keys() == FIELDS.keys() | ENVIRONMENT_ONLY - {"CROSSBOOK_CRASH_AT"}


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_has_its_default_and_range(name: str) -> None:
    default, values, meaning = LISTED[name]
    assert set(default.strip("`").split(",")) == set(default_of(FIELDS[name]).split(","))
    assert values.startswith(values_of(FIELDS[name]))
    assert len(meaning) > 10


def test_builds_are_listed() -> None:
    assert set(LISTED["MATCHER_BUILD"][1].replace("`", "").split(", ")) == set(BUILDS)
