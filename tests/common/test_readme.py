"""common/README.md tells the truth: every message, tag, field and default, every reason, every
limit, and the worked examples."""

import re
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
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
    feed,
    history_queries,
    matcher_queries,
    process_metrics,
)
from crossbook.common.messages.codec import decode_requests
from crossbook.common.process import sockets
from crossbook.common.types import RejectReason, Side
from crossbook.gateway.orders import catch_up, matcher_link

PAGE = (Path(__file__).resolve().parents[2] / "common" / "README.md").read_text()
MODULES = (entry, feed, commands, events, matcher_queries, admin, history_queries, process_metrics)
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


def messages() -> Iterator[type[Struct]]:
    for module in MODULES:
        yield from structs_of(module)
    yield instruments.Instrument


def structs_of(module: ModuleType) -> Iterator[type[Struct]]:
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and issubclass(value, Struct)
            and value.__module__ == module.__name__
        ):
            yield value


def section(name: str, page: str) -> str:
    """The part of the page under the heading `### name`."""
    found = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", page, re.DOTALL | re.MULTILINE)
    assert found, f"common/README.md has no section {name}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row below the header."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def differences(message: type[Struct], page: str) -> list[str]:
    """What the page says otherwise than the message's definition."""
    name = message.__name__
    text = section(name, page)
    tag = message.__struct_config__.tag
    found = []
    wanted = [] if tag is None else [["0", "", f"tag {tag}", ""]]
    for index, field in enumerate(structs.fields(message), len(wanted)):
        wanted.append([str(index), f"`{field.encode_name}`", "", default_text(field)])
    listed = [[cells[0], cells[1], "", cells[4]] for cells in rows(text)]
    if tag is not None:
        listed[0][2] = rows(text)[0][3]
        if not text.strip().startswith(f"Tag {tag}."):
            found.append(f"{name}: the text does not begin with its tag {tag}")
    if listed != wanted:
        found.append(f"{name}: the page has {listed}, the message {wanted}")
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


@pytest.mark.parametrize("message", list(messages()), ids=lambda message: message.__name__)
def test_message_is_documented_as_it_is(message: type[Struct]) -> None:
    assert not differences(message, PAGE)


def test_no_message_is_documented_that_does_not_exist() -> None:
    names = {message.__name__ for message in messages()}
    documented = {
        name for name in re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) if rows(section(name, PAGE))
    }
    prose = {"Framing", "Sessions"}
    assert documented - prose == names


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
    assert before in PAGE
    assert differences(entry.New, PAGE.replace(before, after))


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_enumeration_is_documented_as_it_is(enum: type[IntEnum]) -> None:
    values = ", ".join(f"{each.value} `{each.name}`" for each in enum)
    assert f"| {enum.__name__} | {values} |" in PAGE


def test_reject_reasons_are_documented_with_their_fix_codes() -> None:
    text = PAGE.partition("## Reject reasons")[2].partition("\n## ")[0]
    listed = {cells[1].strip("`"): (int(cells[0]), int(cells[2])) for cells in rows(text)}
    assert {name: code for name, (code, _) in listed.items()} == {
        each.name: each.value for each in RejectReason
    }
    by_rules = {"UNKNOWN_SYMBOL": 1, "MARKET_HALTED": 2, "EXCEEDS_LIMIT": 3, "UNKNOWN_ORDER": 5,
                "DUPLICATE_CLIENT_ORDER_ID": 6, "STALE_REQUEST": 8, "UNSUPPORTED_COMBINATION": 11,
                "BAD_TICK": 13, "BAD_LOT": 13, "MIN_NOTIONAL": 13, "BUSY": 0}  # fmt: skip
    assert {name: listed[name][1] for name in by_rules} == by_rules


def test_limits_are_documented_as_they_are() -> None:
    assert f"{sockets.CLIENT_MESSAGE_MAX:,} bytes" in PAGE
    assert f"{codec.MAX_CLIENT_FRAME:,} bytes" in PAGE
    assert f"| requests in one frame | {codec.MAX_REQUESTS} |" in PAGE
    assert f"| `client_order_id` | {types.MAX_CLIENT_ORDER_ID} characters |" in PAGE
    assert f"| `symbol` | {types.MAX_SYMBOL} characters |" in PAGE
    assert f"| executions of one `CatchUp` | {catch_up.EXECUTIONS_MAX:,}," in PAGE
    assert f"1 for a session, {catch_up.CATCH_UPS_MAX} at a gateway" in PAGE
    assert f"{matcher_link.CHUNK_COMMANDS:,} in a message" in PAGE


def test_frame_of_the_hex_dump_decodes_to_the_order_described() -> None:
    dump = PAGE.partition("```text\n")[2].partition("```")[0]
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


def test_checksum_of_the_worked_example_is_right() -> None:
    text = PAGE.partition("### Book checksum")[2]
    instrument = instruments.example()
    depth = Depth()
    for side, price, quantity, _ in rows(text.partition("\n## ")[0]):
        depth.set_level(
            Side.SELL if side == "ask" else Side.BUY,
            instrument.price_to_ticks(price),
            instrument.quantity_to_lots(quantity),
        )
    found = re.search(r"text is `(\d+)` and the checksum (\d+)\.", text)
    assert found
    assert crc32(found[1].encode()) == int(found[2])
    assert BookChecksum(instrument).of(depth) == int(found[2])
