"""The three pages of the ZeroMQ protocol agree with the code: every message, tag, field and
default, every enumeration, every limit, and the worked examples."""

import re
from collections.abc import Iterator
from enum import IntEnum
from types import ModuleType
from typing import Any
from zlib import crc32

import pytest
from msgspec import NODEFAULT, Struct, structs

from crossbook.common import instruments, types
from crossbook.common.following.depth import BookChecksum, Depth
from crossbook.common.messages import (
    admin,
    codec,
    commands,
    entry,
    events,
    faults,
    feed,
    history_queries,
    matcher_queries,
    process_metrics,
)
from crossbook.common.messages.codec import decode_requests
from crossbook.common.process import sockets
from crossbook.common.types import Side
from crossbook.gateway.orders import catch_up, matcher_link
from crossbook.publisher import feed as publisher_feed
from crossbook.publisher import snapshot_server, statistics
from crossbook.recorder import questions
from tests.reference.pages import page, rows, section

ORDER_ENTRY = page("order-entry")
MARKET_DATA = page("market-data")
INTERNAL = page("internal-protocol")
PAGES = (ORDER_ENTRY, MARKET_DATA, INTERNAL)
MODULES = {
    entry: ORDER_ENTRY,
    feed: MARKET_DATA,
    commands: INTERNAL,
    events: INTERNAL,
    matcher_queries: INTERNAL,
    admin: INTERNAL,
    faults: INTERNAL,
    history_queries: INTERNAL,
    process_metrics: INTERNAL,
}
ENUMS = (
    types.Side,
    types.OrderType,
    types.TimeInForce,
    types.Liquidity,
    types.OrderStatus,
    types.ExecutionKind,
    types.Prevention,
    types.InstrumentState,
)


def messages() -> Iterator[tuple[type[Struct], str]]:
    """Every message, and the page it is documented on."""
    for module, text in MODULES.items():
        for message in structs_of(module):
            yield message, MARKET_DATA if message is history_queries.Candle else text
    yield instruments.Instrument, ORDER_ENTRY


def structs_of(module: ModuleType) -> Iterator[type[Struct]]:
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and issubclass(value, Struct)
            and value.__module__ == module.__name__
        ):
            yield value


def differences(message: type[Struct], text: str) -> list[str]:
    """The lines where the page differs from the message's definition."""
    name = message.__name__
    text = section(text, name)
    tag = message.__struct_config__.tag
    found = []
    expected = [] if tag is None else [["0", "", f"tag {tag}", ""]]
    for index, field in enumerate(structs.fields(message), len(expected)):
        expected.append([str(index), f"`{field.encode_name}`", "", default_text(field)])
    listed = [[cells[0], cells[1], "", cells[4]] for cells in rows(text)]
    if tag is not None:
        listed[0][2] = rows(text)[0][3]
        if not text.strip().startswith(f"Tag {tag}."):
            found.append(f"{name}: the text does not begin with its tag {tag}")
    if listed != expected:
        found.append(f"{name}: the page has {listed}, the message {expected}")
    found += [f"{name}.{cells[1]}: no meaning" for cells in rows(text) if len(cells[3]) < 3]
    return found


def default_text(field: Any) -> str:
    if field.default_factory is not NODEFAULT:
        return f"`{field.default_factory()}`"
    if field.default is NODEFAULT:
        return ""
    if field.default is None:
        return "`nil`"
    if isinstance(field.default, str):
        return f'`"{field.default}"`'
    return f"`{str(field.default).lower()}`"


@pytest.mark.parametrize(("message", "text"), [
    pytest.param(message, text, id=message.__name__) for message, text in messages()
])  # fmt: skip
def test_a_message_is_documented_as_it_is(message: type[Struct], text: str) -> None:
    assert not differences(message, text)


def test_every_message_is_documented_once_and_no_other_one() -> None:
    names = [message.__name__ for message, _ in messages()]
    documented = [name for text in PAGES for name in re.findall(r"^### (\w+)$", text, re.MULTILINE)]
    assert sorted(documented) == sorted(names)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("| 4 | `quantity` |", "| 4 | `amount` |"),
        ("| 4 | `quantity` |", "| 3 | `quantity` |"),
        ("Tag 2. Enter an order", "Tag 9. Enter an order"),
        ("| `client_order_id` |", "| |"),
    ],
)
def test_a_difference_is_found(before: str, after: str) -> None:
    assert before in ORDER_ENTRY
    assert differences(entry.New, ORDER_ENTRY.replace(before, after))


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_an_enumeration_is_documented_as_it_is(enum: type[IntEnum]) -> None:
    values = ", ".join(f"{each.value} `{each.name}`" for each in enum)
    assert f"| {enum.__name__} | {values} |" in section(ORDER_ENTRY, "Enumerations")


def test_limits_are_documented_as_they_are() -> None:
    limits = section(ORDER_ENTRY, "Limits")
    assert f"{sockets.CLIENT_MESSAGE_MAX:,} bytes" in limits
    assert f"{codec.MAX_CLIENT_FRAME:,} bytes" in limits
    assert f"| requests in one frame | {codec.MAX_REQUESTS} |" in limits
    assert f"| `client_order_id` | {types.MAX_CLIENT_ORDER_ID} characters |" in limits
    assert f"| `symbol` | {types.MAX_SYMBOL} characters |" in limits
    assert f"| executions of one `CatchUp` | {catch_up.EXECUTIONS_MAX:,}," in limits
    assert f"1 for a session, {catch_up.CATCH_UPS_MAX} at a gateway" in limits
    limits = section(MARKET_DATA, "Limits")
    assert f"{snapshot_server.REQUEST_BYTES_MAX:,} bytes" in limits
    assert f"| {snapshot_server.RANGE_BYTES_MAX >> 20} MiB, at least one message |" in limits
    assert f"`FEED_HISTORY`, or {publisher_feed.RESEND_BYTES_MAX >> 20} MiB" in limits
    assert f"| candles in one `Candles` | {statistics.CANDLES_MAX} |" in limits
    limits = section(INTERNAL, "Limits")
    assert f"{matcher_link.CHUNK_COMMANDS:,} in a message" in limits
    assert f"{questions.QUESTION_BYTES_MAX:,} bytes" in limits


def test_the_frame_of_the_hex_dump_decodes_to_the_order_described() -> None:
    dump = ORDER_ENTRY.partition("```text\n")[2].partition("```")[0]
    frame = bytes.fromhex("".join(line[6:53] for line in dump.splitlines()))
    token, payload = frame[: entry.TOKEN_BYTES], frame[entry.TOKEN_BYTES :]
    assert int.from_bytes(token, "big") == 0x0123456789ABCDEF
    order = entry.New(
        request_seq=42,
        symbol="BTC-USDT",
        side=1,
        quantity="0.5",
        price=5_000_001,
        order_type=1,
        time_in_force=1,
        client_order_id="mine",
    )
    assert decode_requests(payload) == ((order,), [])
    assert codec.encode(order) == payload
    # One list element fewer, without the last trailing default, is the same order.
    assert decode_requests(bytes([payload[0] - 1]) + payload[1:-1]) == ((order,), [])


def test_the_checksum_of_the_worked_example_is_right() -> None:
    text = section(MARKET_DATA, "Book checksum")
    instrument = instruments.example()
    depth = Depth()
    for side, price, quantity, _ in rows(text):
        depth.set_level(
            Side.SELL if side == "ask" else Side.BUY,
            instrument.price_to_ticks(price),
            instrument.quantity_to_lots(quantity),
        )
    found = re.search(r"text is `(\d+)` and the checksum (\d+)\.", text)
    assert found
    assert crc32(found[1].encode()) == int(found[2])
    assert BookChecksum(instrument).of(depth) == int(found[2])
