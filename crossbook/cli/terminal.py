"""What a command and its terminal agree on: text that is not UTF-8, which ends no command, and the
status after Ctrl-C."""

import codecs
import sys
from io import TextIOWrapper
from typing import Final

ERRORS: Final = "crossbook.plain"

INTERRUPTED: Final = 130
"""Exit status of a command that Ctrl-C ended."""

_PLAIN: Final = str.maketrans("█▉▊▋▌▍▎▏─…", "########-~")
"""Substitutes for characters that a terminal does not have, one cell for one."""


def plain(text: str) -> str:
    """The text in ASCII, cell for cell; `?` for characters without a likeness.

    >>> plain("█▌ ─ 3 ½")
    '## - 3 ?'
    """
    likeness = text.translate(_PLAIN)
    return "".join(each if each.isascii() else "?" for each in likeness)


def print_anything() -> None:
    """Make standard output and error accept any text: characters their encoding lacks become
    `plain`."""
    codecs.register_error(ERRORS, _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end
