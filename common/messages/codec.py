"""The only encoding and decoding of messages, with their size limits.

Internal messages (commands, events, queries) come from processes of the exchange and decode whole.
A sound client frame decodes whole too. Any other decodes request by request, so that each sound
request of a list is kept and each other one gets its own error.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from crossbook.common.errors import BAD_BYTES, CodecError
from crossbook.common.messages import (
    admin,
    commands,
    entry,
    events,
    feed,
    history_queries,
    matcher_queries,
    process_metrics,
)
from crossbook.common.messages.explain import blame, fields_by_tag, head_of
from crossbook.common.types import RejectReason

MAX_CLIENT_FRAME: Final = 256 * 1024
"""Largest client frame decoded, in bytes."""

MAX_REQUESTS: Final = 1024
"""Most requests in one client frame."""

INTEGER_LEAST: Final = -(2**63)
INTEGER_MOST: Final = 2**64 - 1
"""Smallest and largest integer of msgpack. A sum beyond them travels as decimal text."""

_encode: Final = msgspec.msgpack.Encoder().encode


def encode(message: Any) -> bytes:
    """Encode any message, or a list of them, as msgpack bytes.

    An integer that msgpack cannot hold, which only a sum can be, becomes decimal text; the
    decoders of messages with sums accept both. O(size); a message with such a sum costs a copy.
    Raises `OverflowError` for a request, where text means another number.

    >>> decode_matcher_query(encode(matcher_queries.BooksRequest(7))).request_id
    7
    """
    try:
        return _encode(message)
    except OverflowError:
        return _encode(_in_text(message))


def _in_text(value: Any) -> Any:
    """The same message with decimal text for the integers that msgpack cannot hold."""
    if isinstance(value, int):
        return value if INTEGER_LEAST <= value <= INTEGER_MOST else str(value)
    if isinstance(value, msgspec.Struct):
        if isinstance(value, entry.Request):
            raise OverflowError(f"a number of {value!r} is beyond 64 bits")
        fields = {name: _in_text(getattr(value, name)) for name in value.__struct_fields__}
        return type(value)(**fields)
    if isinstance(value, list | tuple):
        return [_in_text(each) for each in value]
    if isinstance(value, dict):
        return {key: _in_text(each) for key, each in value.items()}
    return value


# Messages that may hold sums are read with `strict=False`: decimal text is an integer there too.
decode_commands = msgspec.msgpack.Decoder(list[commands.Command]).decode
decode_events = msgspec.msgpack.Decoder(events.EventBatch, strict=False).decode
decode_matcher_query = msgspec.msgpack.Decoder(
    matcher_queries.MatcherQuery | process_metrics.MetricsRequest
).decode
decode_matcher_reply = msgspec.msgpack.Decoder(matcher_queries.MatcherReply, strict=False).decode
decode_admin_request = msgspec.msgpack.Decoder(admin.AdminRequest).decode
decode_admin_reply = msgspec.msgpack.Decoder(admin.AdminReply, strict=False).decode
decode_replies = msgspec.msgpack.Decoder(list[entry.Reply], strict=False).decode
decode_feed = msgspec.msgpack.Decoder(feed.FeedMessage, strict=False).decode
decode_feed_request = msgspec.msgpack.Decoder(
    feed.FeedRequest | process_metrics.MetricsRequest
).decode
decode_feed_reply = msgspec.msgpack.Decoder(feed.FeedReply, strict=False).decode
decode_history_question = msgspec.msgpack.Decoder(
    history_queries.HistoryQuestion | process_metrics.MetricsRequest
).decode
decode_history_answer = msgspec.msgpack.Decoder(history_queries.HistoryAnswer, strict=False).decode
decode_metrics = msgspec.msgpack.Decoder(process_metrics.Metrics).decode

_decode_request = msgspec.msgpack.Decoder(entry.Request).decode
_decode_request_list = msgspec.msgpack.Decoder(list[entry.Request]).decode
_decode_raw_list = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode

_FIELDS: Final = fields_by_tag(entry.Request)


def decode_requests(payload: bytes) -> tuple[Sequence[entry.Request], list[entry.Reject]]:
    """Requests of one client frame (token removed), and a `Reject` for each unsound one.

    Never raises for bad bytes: a frame that is not msgpack at all gives one `Reject` with
    request sequence zero.
    """
    if len(payload) > MAX_CLIENT_FRAME:
        text = f"frame has {len(payload)} bytes, at most {MAX_CLIENT_FRAME} are taken"
        return (), [entry.Reject(0, RejectReason.TOO_LARGE, "frame", text)]
    try:
        if len(payload) > 1 and 0x90 <= payload[0] <= 0x9F and payload[1] < 0x80:
            # A short array that begins with a small integer: one request and its tag.
            return (_decode_request(payload),), []
        if _is_list_of_arrays(payload):
            requests = _decode_request_list(payload)
            if not requests:
                return (), [entry.Reject(0, RejectReason.MALFORMED, "frame", "an empty list")]
            if len(requests) <= MAX_REQUESTS:
                return requests, []
            text = f"{len(requests)} requests in one frame, at most {MAX_REQUESTS} are taken"
            return (), [
                entry.Reject(request.request_seq, RejectReason.TOO_LARGE, "frame", text)
                for request in requests
            ]
        return (_decode_request(payload),), []
    except BAD_BYTES:
        return _decode_one_by_one(payload)


def _is_list_of_arrays(payload: bytes) -> bool:
    """Whether a msgpack array's first element is itself an array: a list of requests.

    A request is an array too, but starts with its integer tag. An empty list counts as a list.
    """
    if not payload:
        return False
    first = payload[0]
    header = 1 if 0x90 <= first <= 0x9F else 3 if first == 0xDC else 5 if first == 0xDD else 0
    if not header:
        return False
    if first == 0x90 or len(payload) <= header:
        return True
    second = payload[header]
    return 0x90 <= second <= 0x9F or second in (0xDC, 0xDD)


def _decode_one_by_one(payload: bytes) -> tuple[Sequence[entry.Request], list[entry.Reject]]:
    parts: Sequence[bytes | msgspec.Raw] = (payload,)
    if _is_list_of_arrays(payload):
        try:
            parts = _decode_raw_list(payload)
        except BAD_BYTES as error:
            return (), [entry.Reject(0, RejectReason.MALFORMED, "frame", str(error))]
        if len(parts) > MAX_REQUESTS:
            text = f"{len(parts)} requests in one frame, at most {MAX_REQUESTS} are taken"
            return (), [entry.Reject(0, RejectReason.TOO_LARGE, "frame", text)]
    requests: list[entry.Request] = []
    rejects: list[entry.Reject] = []
    for part in parts:
        try:
            requests.append(_decode_request(part))
        except BAD_BYTES as error:
            rejects.append(_explain(part, error))
    return requests, rejects


def _explain(part: bytes | msgspec.Raw, error: Exception) -> entry.Reject:
    """A `Reject` with the field and reason, as far as the bytes show them."""
    text = str(error)
    at_fault = blame(part, text, _FIELDS)
    if at_fault.field == "tag":
        text = f"unknown message tag {head_of(part)[0]!r}"
    elif isinstance(error, msgspec.ValidationError):
        # The reject's field replaces msgspec's place.
        text = text.partition(" - at `$")[0]
    else:
        text = f"not msgpack: {text}"
    return entry.Reject(at_fault.request_id, RejectReason.MALFORMED, at_fault.field, text)


def decoded(decode: Any, payload: bytes) -> Any:
    """Decode with `decode`, raising `CodecError` for bad bytes; for requests from outside."""
    try:
        return decode(payload)
    except BAD_BYTES as error:
        raise CodecError(f"not a message: {error}") from error
