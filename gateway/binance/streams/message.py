"""An event of a stream as WebSocket frames, each made when the first client needs it. No I/O."""

from collections.abc import Callable
from typing import Final

from crossbook.gateway.binance.parameters import MS, US
from crossbook.gateway.web.channel import text_frame

WRAPPED: Final = 1
"""Bit of a form: the event is the `data` of a document that names its stream."""

MICROSECONDS: Final = 2
"""Bit of a form: times are in microseconds, not in milliseconds."""

SHUTDOWN: Final = "!serverShutdown"
"""The stream that a wrapped event about the end of this gateway names."""

FORMS: Final = 4
"""Forms of one event; a form is a sum of the bits above."""

Encode = Callable[[int], bytes]
"""The JSON of an event whose times count so many nanoseconds."""


class Message:
    """One event of the stream `name`. All clients of one form share its frame.

    >>> message = Message("btcusdt@trade", lambda unit_ns: b'{"E":%d}' % (5_000_000 // unit_ns))
    >>> message.frame(0), message.frame(WRAPPED | MICROSECONDS)[2:]
    (b'\\x81\\x07{"E":5}', b'{"stream":"btcusdt@trade","data":{"E":5000}}')
    """

    __slots__ = ("_encode", "_frames", "_name", "_payloads")

    def __init__(self, name: str, encode: Encode) -> None:
        self._name = name
        self._encode = encode
        self._frames = [b""] * FORMS
        self._payloads = [b""] * 2

    def frame(self, form: int) -> bytes:
        """The frame of a form."""
        frame = self._frames[form]
        if not frame:
            frame = self._frames[form] = text_frame(self._document(form))
        return frame

    def _document(self, form: int) -> bytes:
        is_fine = bool(form & MICROSECONDS)
        payload = self._payloads[is_fine]
        if not payload:
            payload = self._encode(unit_of(form))
            self._payloads[is_fine] = payload
        return in_form(self._name, payload, form)


def unit_of(form: int) -> int:
    """The nanoseconds of the unit in which a form has its times."""
    return US if form & MICROSECONDS else MS


def in_form(name: str, payload: bytes, form: int) -> bytes:
    """The document of an event in a form. A name that is a stream or a key has no character that
    JSON would escape."""
    return b'{"stream":"%b","data":%b}' % (name.encode(), payload) if form & WRAPPED else payload


def shutdown_frame(form: int, time_ns: int) -> bytes:
    """The frame in which a gateway sends that it stops.

    >>> shutdown_frame(WRAPPED, 5_000_000)[2:]
    b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":5}}'
    """
    payload = b'{"e":"serverShutdown","E":%d}' % (time_ns // unit_of(form))
    return text_frame(in_form(SHUTDOWN, payload, form))
