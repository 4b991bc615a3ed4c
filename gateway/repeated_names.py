"""Names that an object of a JSON text has twice. No I/O.

JSON leaves open which of two values counts, and decoders take the last one in silence: a cancel of
one instrument could become a cancel of all.
"""

from json import JSONDecoder
from typing import Any, Final


class _RepeatedError(Exception):
    """An object has two values of one name."""


def repeated_name(text: bytes) -> str | None:
    """The first name that one object has twice; None without one, and for a text that is not JSON.
    O(length). Raises `RecursionError` for a text that is nested too deep.

    >>> repeated_name(b'{"a":{"b":1,"c":2,"b":3}}'), repeated_name(b'[{"a":1},{"a":1}]')
    ('b', None)
    """
    try:
        _check(text.decode())
    except _RepeatedError as error:
        return str(error)
    except ValueError:
        # The decoder of the message refuses what is not JSON.
        return None
    return None


def _check_once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) == len(pairs):
        return
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise _RepeatedError(name)
        seen.add(name)


_check: Final = JSONDecoder(object_pairs_hook=_check_once, parse_int=str, parse_float=str).decode
