"""The only encoding and decoding of messages, with their size limits.

Internal messages (commands, events, sync) come from our own processes and decode whole. Client
frames are decoded whole when they are sound; when they are not, request by request, so that each
sound request of a list is kept and each other one gets its own error.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from common import admin, commands, entry, events, feed, history, metrics, sync
from common.errors import CodecError
from common.types import MAX_INT, RejectReason

MAX_CLIENT_FRAME: Final = 256 * 1024
"""Largest client frame decoded, in bytes."""

MAX_REQUESTS: Final = 1024
"""Most requests in one client frame."""

_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
"""Encode any message, or a list of them, as msgpack bytes."""

decode_commands = msgspec.msgpack.Decoder(list[commands.Command]).decode
decode_events = msgspec.msgpack.Decoder(events.EventBatch).decode
decode_sync_request = msgspec.msgpack.Decoder(sync.SyncRequest | metrics.MetricsRequest).decode
decode_sync_reply = msgspec.msgpack.Decoder(sync.SyncReply).decode
decode_admin_request = msgspec.msgpack.Decoder(admin.AdminRequest).decode
decode_admin_reply = msgspec.msgpack.Decoder(admin.AdminReply).decode
decode_replies = msgspec.msgpack.Decoder(list[entry.Reply]).decode
decode_feed = msgspec.msgpack.Decoder(feed.FeedMessage).decode
decode_feed_request = msgspec.msgpack.Decoder(feed.FeedRequest | metrics.MetricsRequest).decode
decode_feed_reply = msgspec.msgpack.Decoder(feed.FeedReply).decode
decode_history_question = msgspec.msgpack.Decoder(
    history.HistoryQuestion | metrics.MetricsRequest
).decode
decode_history_answer = msgspec.msgpack.Decoder(history.HistoryAnswer).decode
decode_metrics = msgspec.msgpack.Decoder(metrics.Metrics).decode

_decode_request = msgspec.msgpack.Decoder(entry.Request).decode
_decode_request_list = msgspec.msgpack.Decoder(list[entry.Request]).decode
_decode_raw_list = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_any = msgspec.msgpack.Decoder().decode

_FIELDS: Final[dict[int, tuple[str, ...]]] = {
    kind.__struct_config__.tag: kind.__struct_fields__ for kind in entry.Request.__args__
}


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
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
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
        except (msgspec.MsgspecError, RecursionError) as error:
            return (), [entry.Reject(0, RejectReason.MALFORMED, "frame", str(error))]
        if len(parts) > MAX_REQUESTS:
            text = f"{len(parts)} requests in one frame, at most {MAX_REQUESTS} are taken"
            return (), [entry.Reject(0, RejectReason.TOO_LARGE, "frame", text)]
    requests: list[entry.Request] = []
    rejects: list[entry.Reject] = []
    for part in parts:
        try:
            requests.append(_decode_request(part))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            rejects.append(_explain(part, error))
    return requests, rejects


def _explain(part: bytes | msgspec.Raw, error: Exception) -> entry.Reject:
    """A `Reject` that names field and reason as far as the bytes allow."""
    try:
        value: Any = _decode_any(part)
    except UnicodeDecodeError:
        request_seq = _request_seq(_head_of(part))
        return entry.Reject(request_seq, RejectReason.MALFORMED, "frame", f"not msgpack: {error}")
    except (msgspec.MsgspecError, RecursionError, ValueError, TypeError):
        return entry.Reject(0, RejectReason.MALFORMED, "frame", f"not msgpack: {error}")
    request_seq = 0
    fields: tuple[str, ...] = ()
    if isinstance(value, list) and value:
        tag = value[0]
        if isinstance(tag, int) and not isinstance(tag, bool):
            fields = _FIELDS.get(tag, ())
        if not fields:
            return entry.Reject(
                _request_seq(value), RejectReason.MALFORMED, "tag", f"unknown message tag {tag!r}"
            )
        request_seq = _request_seq(value)
    field, text = _name_field(str(error), fields)
    return entry.Reject(request_seq, RejectReason.MALFORMED, field, text)


def _head_of(part: bytes | msgspec.Raw) -> list[Any]:
    """Tag and request sequence of a request with text in it that is not UTF-8."""
    head = bytes(part)[:19]
    if not 0x92 <= head[0] <= 0x9F:
        return []
    for end in range(3, len(head) + 1):
        try:
            # The same array, said to end here.
            value: list[Any] = _decode_any(b"\x92" + head[1:end])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        return value
    return []


def _request_seq(value: list[Any]) -> int:
    seq = value[1] if len(value) > 1 else 0
    return seq if type(seq) is int and 0 <= seq <= MAX_INT else 0


def _name_field(text: str, fields: tuple[str, ...]) -> tuple[str, str]:
    """Turn msgspec's `$[3]` (element 0 is the tag) into the field's name."""
    head, mark, place = text.partition(" - at `$[")
    index = place.partition("]")[0]
    if mark and index.isdigit() and 1 <= int(index) <= len(fields):
        return fields[int(index) - 1], head
    return "frame", text


def decoded(decode: Any, payload: bytes) -> Any:
    """Decode with `decode`, raising `CodecError` for bad bytes; for requests from outside."""
    try:
        return decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CodecError(f"not a message: {error}") from error
