"""Strict reading of query strings: unknown and repeated parameters are refused. No I/O."""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote_to_bytes

from crossbook.gateway.problem import malformed

PARAMETERS_MAX: Final = 32
"""Most parameters of one query."""

_NAME_SHOWN: Final = 40
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def pairs_of(query: str) -> list[tuple[str, str]]:
    """The parameters of a query string, in order; raises `Problem` when it is malformed.

    >>> pairs_of("symbol=BTC-USDT&limit=5")
    [('symbol', 'BTC-USDT'), ('limit', '5')]
    """
    if not query:
        return []
    parts = query.split("&")
    if len(parts) > PARAMETERS_MAX:
        raise malformed("query", f"{len(parts)} parameters; at most {PARAMETERS_MAX}")
    pairs = []
    for part in parts:
        name, mark, value = part.partition("=")
        if not name or not mark:
            raise malformed("query", f"{part[:_NAME_SHOWN]!r} is not NAME=VALUE")
        pairs.append((_decoded(name), _decoded(value)))
    return pairs


def values_of(
    query: str, names: Collection[str] | None, repeated: Collection[str] = ()
) -> dict[str, str]:
    """The parameters of a query string by name. Raises `Problem` for one that is not in `names`
    (None: all are allowed), and for one that is given twice, unless it is in `repeated`: of that
    the last value is returned."""
    values: dict[str, str] = {}
    for name, value in pairs_of(query):
        if names is not None and name not in names:
            known = f"; there are {', '.join(sorted(names))}" if names else ""
            hint = "; say it in the header X-Account" if name == "account" else known
            raise malformed(name[:_NAME_SHOWN], f"this path has no such query parameter{hint}")
        if name in values and name not in repeated:
            raise malformed(name[:_NAME_SHOWN], "given twice")
        values[name] = value
    return values


def _decoded(text: str) -> str:
    """The text of percent-encoded UTF-8; raises `Problem`."""
    try:
        if _BAD_ESCAPE.search(text):
            raise ValueError
        decoded = unquote_to_bytes(text.replace("+", " ")).decode()
    except ValueError:
        raise malformed("query", f"{text[:_NAME_SHOWN]!r} is not percent-encoded UTF-8") from None
    if _CONTROL.search(decoded):
        raise malformed("query", f"{text[:_NAME_SHOWN]!r} has a control character")
    return decoded
