"""Parameters of a class of agents: annotated class attributes, and the values given for them.

Every public annotated attribute with a default is a parameter, those of base classes included:

>>> from typing import Annotated
>>> from msgspec import Meta
>>> class Quoter:
...     levels: Annotated[int, Meta(ge=1, le=50, description="Quotes on each side.")] = 5
>>> parameters_of(Quoter)
[Parameter(name='levels', default=5, allowed='a whole number from 1 to 50', text='Quotes on each \
side.')]
>>> checked_values(Quoter, {"levels": "7"}, "agent quoter")
{'levels': 7}
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.inspect import BoolType, FloatType, IntType, Metadata, StrType, Type, type_info

from crossbook.common.errors import BAD_BYTES, ConfigError

_INFINITE: Final = float("inf")


class Parameter(Struct, frozen=True):
    """One parameter: its default, the values allowed in words, and its purpose."""

    name: str
    default: object
    allowed: str
    text: str


def parameters_of(kind: type) -> list[Parameter]:
    """The parameters of a class, those of its bases first, in the order they are written."""
    found = []
    for name, hint in _hints(kind):
        info = type_info(hint)
        schema = info.extra_json_schema if isinstance(info, Metadata) else None
        text = str((schema or {}).get("description", ""))
        found.append(Parameter(name, getattr(kind, name), allowed_words(hint), text))
    return found


def checked_values(kind: type, given: Mapping[str, object], owner: str) -> dict[str, Any]:
    """All values of the parameters of `kind`: those `given`, as text or as what they are, and the
    defaults. Raises `ConfigError` with `owner`, the parameter, its value and its limits."""
    hints = dict(_hints(kind))
    for name in given:
        if name not in hints:
            known = ", ".join(hints) or "none"
            raise ConfigError(f"{owner}: no parameter {name!r}; there are: {known}")
    values: dict[str, Any] = {}
    for name, hint in hints.items():
        value = given.get(name, getattr(kind, name))
        try:
            converted = msgspec.convert(value, hint, strict=False)
        except BAD_BYTES:
            converted = _INFINITE
        endless = isinstance(converted, float) and not abs(converted) < _INFINITE
        # A truth value would pass as the number 0 or 1.
        if endless or (isinstance(value, bool) and not isinstance(converted, bool)):
            raise ConfigError(f"{owner}: {name}: {value!r} is not {allowed_words(hint)}")
        values[name] = converted
    for name in values:
        low, high = values[name], values.get(f"{name.removesuffix('_low')}_high")
        if name.endswith("_low") and high is not None and low > high:
            raise ConfigError(
                f"{owner}: {name}: {low!r} is above {name[:-4]}_high, which is {high!r}"
            )
    return values


def allowed_words(hint: Any) -> str:
    """The values that a type allows, in words.

    >>> from typing import Annotated
    >>> allowed_words(Annotated[float, msgspec.Meta(gt=0, le=1.5)])
    'a number above 0 up to 1.5'
    >>> allowed_words(bool), allowed_words(Annotated[int, msgspec.Meta(ge=3)])
    ('true or false', 'a whole number from 3')
    """
    info: Type = type_info(hint)
    if isinstance(info, Metadata):
        info = info.type
    if isinstance(info, BoolType):
        return "true or false"
    if isinstance(info, StrType):
        return (
            "text" if info.max_length is None else f"text of at most {info.max_length} characters"
        )
    if isinstance(info, IntType | FloatType):
        words = "a whole number" if isinstance(info, IntType) else "a number"
        most = "at most" if info.ge is None and info.gt is None else "up to"
        bounds = (("from", info.ge), ("above", info.gt), (most, info.le), ("below", info.lt))
        for mark, bound in bounds:
            words += "" if bound is None else f" {mark} {bound:,.12g}"
        # From 1 to 50, but above 0 up to 1.5.
        return words.replace("up to", "to") if info.ge is not None else words
    choices = getattr(info, "values", None)
    return f"one of {', '.join(map(str, choices))}" if choices else str(hint)


def _hints(kind: type) -> Iterator[tuple[str, Any]]:
    """Names and types of the parameters."""
    hints = get_type_hints(kind, include_extras=True)
    # Of the bases first, where `get_type_hints` has what is derived first.
    for base in reversed(kind.__mro__):
        for name in vars(base).get("__annotations__", ()):
            hint = hints.pop(name, None)
            if hint is None or name.startswith("_") or not hasattr(kind, name):
                continue
            if get_origin(hint) is not ClassVar and hint is not ClassVar:
                yield name, hint
