"""The exception tree.

CrossbookError
    ConfigError      a setting or the instruments file is wrong; the process must not start
    DecimalError     text is not an exact decimal on the instrument's grid
    CodecError       bytes are not a message
    StreamError      events contradict each other, which no resend can mend

A refused order is none of these: it is an event with a `RejectReason`.
"""

from typing import Final

from msgspec import MsgspecError

from crossbook.common.types import RejectReason

BAD_BYTES: Final = (MsgspecError, UnicodeDecodeError, RecursionError)
"""Exceptions of a msgspec decoder for bytes that are no message. Text that is not UTF-8 is a
`UnicodeDecodeError` up to msgspec 0.22 and a `MsgspecError` since."""


class CrossbookError(Exception):
    """Root of all exceptions that this project raises on purpose."""


class ConfigError(CrossbookError):
    """A setting or the instruments file is wrong; the text names the setting and the remedy."""


class DecimalError(CrossbookError):
    """Text is not an exact decimal, or is off the instrument's grid.

    `reason` is the `RejectReason` for the client.
    """

    def __init__(self, text: str, reason: RejectReason) -> None:
        super().__init__(text)
        self.reason = reason


class CodecError(CrossbookError):
    """Bytes are not a message; `field` names the field at fault where it is known."""

    def __init__(self, text: str, field: str = "", reason: RejectReason | None = None) -> None:
        super().__init__(text)
        self.field = field
        self.reason = RejectReason.MALFORMED if reason is None else reason


class StreamError(CrossbookError):
    """Events contradict each other, which no resend can mend."""
