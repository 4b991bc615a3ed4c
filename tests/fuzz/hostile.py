"""Bytes that no client may send, from a seed: the same seed gives the same bytes."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from crossbook.common.messages import codec, entry
from crossbook.common.types import MAX_INT, Side

SYMBOL = "ETH-USDT"
"""The instrument of hostile frames that are sound by accident."""

SOUND: Sequence[entry.Request] = (
    entry.New(
        request_seq=11,
        symbol=SYMBOL,
        side=Side.BUY,
        quantity="0.5",
        price="1500.25",
        client_order_id="abc",
    ),
    entry.New(
        request_seq=12,
        symbol=SYMBOL,
        side=Side.SELL,
        quantity=5_000,
        price=200_000,
        order_type=1,
        time_in_force=2,
    ),
    entry.New(
        request_seq=13,
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=0,
        price=0,
        order_type=2,
        time_in_force=1,
        client_order_id="",
        quote_amount="100.5",
    ),
    entry.Cancel(14, SYMBOL, 77),
    entry.Cancel(request_seq=15, symbol=SYMBOL, order_id=0, client_order_id="abc"),
    entry.Amend(
        request_seq=16,
        symbol=SYMBOL,
        order_id=77,
        client_order_id="",
        quantity="0.25",
        price="1500",
    ),
    entry.MassCancel(17, SYMBOL, Side.BUY),
    entry.Ping(18),
    entry.Query(19, SYMBOL, limit=1),
)

VALUES: Sequence[Any] = (
    -1, -(2**63), MAX_INT, 2**63, 2**64 - 1, 0, 3, 1.5, -0.0, float("nan"), float("inf"), 1e300,
    None, True, False, b"", b"\x00\xff", "", "x" * 1_000, "\x00", "\ud7ff", "NO-SUCH", "eth-usdt",
    "ETH-USDT|", "1500.001", "0.00001", "1e5", "-1", "+1", "nan", "0x10", "9" * 39, "9" * 41,
    ".5", "5.", "1,5", " 1", "\u0661", [], {}, [[]], {"a": 1}, [1] * 50,
    msgspec.msgpack.Ext(5, b"abc"),
)  # fmt: skip


def nested(depth: int) -> bytes:
    """Arrays within arrays: cheap to send, deep to decode."""
    return b"\x91" * depth + b"\x00"


def random_bytes(chance: random.Random) -> bytes:
    """Bytes without any structure."""
    return chance.randbytes(chance.randrange(0, 120))


def sound_body(chance: random.Random) -> bytes:
    """One sound request, or a list of them."""
    count = chance.choice((0, 0, 0, 1, 3))
    if not count:
        return codec.encode(chance.choice(SOUND))
    return codec.encode(chance.choices(SOUND, k=count))


def truncated(chance: random.Random) -> bytes:
    """A sound body cut short, or a sound body with another one behind it."""
    body = sound_body(chance)
    if chance.random() < 0.2:
        return body + chance.randbytes(chance.randrange(1, 9))
    return body[: chance.randrange(len(body))]


def bit_flipped(chance: random.Random) -> bytes:
    """A sound body with a few bits turned: invalid UTF-8, other tags, other lengths."""
    body = bytearray(sound_body(chance))
    for _ in range(chance.randrange(1, 4)):
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    return bytes(body)


def wrong_values(chance: random.Random) -> bytes:
    """A request with one or two fields of wrong type, range or meaning, with too few fields or too
    many."""
    fields = msgspec.msgpack.decode(codec.encode(chance.choice(SOUND)))
    for _ in range(chance.randrange(1, 3)):
        fields[chance.randrange(len(fields))] = chance.choice(VALUES)
    if chance.random() < 0.2:
        del fields[chance.randrange(1, len(fields) + 1) :]
    if chance.random() < 0.1:
        fields.append(chance.choice(VALUES))
    sound = msgspec.msgpack.decode(codec.encode(chance.choice(SOUND)))
    whole = fields if chance.random() < 0.6 else [fields, sound, fields]
    return msgspec.msgpack.encode(whole)


def other_values(chance: random.Random) -> bytes:
    """Sound msgpack that is no request."""
    if chance.random() < 0.3:
        return nested(chance.choice((1, 10, 400, 3_000)))
    return msgspec.msgpack.encode(chance.choices(VALUES, k=chance.randrange(0, 6)))


MAKERS: Sequence[Callable[[random.Random], bytes]] = (
    random_bytes,
    truncated,
    bit_flipped,
    bit_flipped,
    wrong_values,
    wrong_values,
    wrong_values,
    other_values,
)


def body(chance: random.Random) -> bytes:
    """The next hostile body."""
    return chance.choice(MAKERS)(chance)


def mutated(chance: random.Random, message: bytes) -> bytes:
    """Any encoded message cut, flipped or extended."""
    made = bytearray(message)
    for _ in range(chance.randrange(1, 5)):
        kind = chance.random()
        if kind < 0.6 and made:
            made[chance.randrange(len(made))] = chance.randrange(256)
        elif kind < 0.8:
            del made[chance.randrange(len(made) + 1) :]
        else:
            made += chance.randbytes(chance.randrange(1, 6))
    return bytes(made)
