"""Text on terminals and into files that are not UTF-8: nothing printed ends a command."""

import codecs
import sys
from io import TextIOWrapper
from typing import Final

ERRORS: Final = "crossbook.plain"

_PLAIN: Final = str.maketrans("█▉▊▋▌▍▎▏─…", "########-~")
"""What stands in for characters that a terminal does not have, one cell for one."""


def plain(text: str) -> str:
    """ASCII for people, cell for cell; `?` for what has no likeness.

    >>> plain("█▌ ─ 3 ½")
    '## - 3 ?'
    """
    likeness = text.translate(_PLAIN)
    return "".join(each if each.isascii() else "?" for each in likeness)


def print_anything() -> None:
    """Make standard output and error take any text: what their encoding lacks goes `plain`."""
    codecs.register_error(ERRORS, _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end
