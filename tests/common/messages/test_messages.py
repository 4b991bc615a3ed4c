"""Every message of every protocol survives its encoding, and no tag is used twice."""

import dataclasses
import typing
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from crossbook.common import instruments
from crossbook.common.messages import admin, codec, commands, entry, events, feed, matcher_queries
from crossbook.common.types import MAX_INT

UNIONS: list[tuple[Any, Callable[[bytes], Any]]] = [
    (entry.Reply, lambda body: codec.decode_replies(b"\x91" + body)[0]),
    (commands.Command, lambda body: codec.decode_commands(b"\x91" + body)[0]),
    (matcher_queries.MatcherQuery, codec.decode_matcher_query),
    (matcher_queries.MatcherReply, codec.decode_matcher_reply),
    (feed.FeedMessage, codec.decode_feed),
    (feed.FeedRequest, codec.decode_feed_request),
    (feed.FeedReply, codec.decode_feed_reply),
    (entry.Request, lambda body: codec.decode_requests(body)[0][0]),
    (events.Event, lambda body: decode_event(body)),
    (admin.AdminRequest, codec.decode_admin_request),
    (admin.AdminReply, codec.decode_admin_reply),
]


def decode_event(body: bytes) -> events.Event:
    """One event, carried in a batch as on the wire."""
    batch = codec.encode(
        events.EventBatch(incarnation=1, first_seq=1, last_seq=1, time_ns=0, events=[])
    )
    assert batch[-1:] == b"\x90", "an empty list of events closes a batch"
    return codec.decode_events(batch[:-1] + b"\x91" + body).events[0]


ALL_KINDS: list[type[Struct]] = [kind for union, _ in UNIONS for kind in typing.get_args(union)]
KINDS = [
    pytest.param(kind, decode, id=f"{kind.__module__}.{kind.__name__}")
    for union, decode in UNIONS
    for kind in typing.get_args(union)
]


@dataclasses.dataclass
class Filling:
    """Distinct values for fields, so that two swapped fields are found."""

    number: int = 0

    def value(self, kind: Any) -> Any:
        """A value of type `kind`."""
        self.number += 1
        origin, args = typing.get_origin(kind), typing.get_args(kind)
        if origin is typing.Annotated:
            value = self.value(args[0])
            most = args[1].le
            return value if most is None or not isinstance(value, int) else min(value, most)
        if origin in (list, Sequence):
            return [self.value(args[0]), self.value(args[0])]
        if origin is dict:
            return {self.value(args[0]): self.value(args[1])}
        if origin is tuple and args[-1] is Ellipsis:
            return (self.value(args[0]), self.value(args[0]))
        if origin is tuple:
            return tuple(self.value(arg) for arg in args)
        if type(None) in args:
            return self.value(args[0])
        if origin is not None:
            return self.value(args[self.number % len(args)])
        if kind is type(None):
            return None
        if kind is msgspec.Raw:
            return msgspec.Raw(msgspec.msgpack.encode(self.number))
        if isinstance(kind, type) and issubclass(kind, Struct):
            return self.message(kind)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return list(kind)[self.number % len(kind)]
        assert kind in (int, str, bool, bytes), kind
        text = f"t{self.number}"
        return {int: self.number, str: text, bytes: text.encode(), bool: True}[kind]

    def message(self, kind: type[Struct]) -> Struct:
        """A message of type `kind` with every field set."""
        hints = typing.get_type_hints(kind, include_extras=True)
        return kind(*(self.value(hints[name]) for name in kind.__struct_fields__))


@pytest.mark.parametrize(("kind", "decode"), KINDS)
def test_a_message_survives_its_encoding(
    kind: type[Struct], decode: Callable[[bytes], Any]
) -> None:
    message = Filling().message(kind)
    assert decode(codec.encode(message)) == message


@pytest.mark.parametrize(("kind", "decode"), KINDS)
def test_a_message_is_an_array_led_by_its_tag(
    kind: type[Struct], decode: Callable[[bytes], Any]
) -> None:
    values = msgspec.msgpack.decode(codec.encode(Filling().message(kind)))
    assert values[0] == kind.__struct_config__.tag
    assert len(values) == 1 + len(kind.__struct_fields__)


@pytest.mark.parametrize(("union", "_"), UNIONS)
def test_tags_of_one_protocol_differ(union: Any, _: object) -> None:
    tags = [kind.__struct_config__.tag for kind in typing.get_args(union)]
    assert len(set(tags)) == len(tags)


def test_the_largest_integers_travel() -> None:
    new = commands.NewOrder(
        gateway=1,
        request_seq=MAX_INT,
        account=1,
        instrument=1,
        side=1,
        order_type=1,
        time_in_force=1,
        price_ticks=MAX_INT,
        quantity_lots=MAX_INT,
        client_order_id="",
        quote_amount=MAX_INT,
    )
    assert codec.decode_commands(codec.encode([new])) == [new]


def test_instruments_travel_whole() -> None:
    reply = entry.Instruments(1, [instruments.example()])
    assert codec.decode_replies(codec.encode([reply])) == [reply]


def test_a_heartbeat_batch_has_no_events() -> None:
    batch = events.EventBatch(incarnation=5, first_seq=11, last_seq=10, time_ns=0, events=[])
    assert codec.decode_events(codec.encode(batch)) == batch
