"""The state hash: equal for equal markets, different for any difference that can matter. The
snapshot: everything the engine holds, and no other bytes pass for one."""

from collections.abc import Callable
from random import Random

import msgspec
import pytest
from msgspec.structs import replace

from crossbook.common.instruments import example
from crossbook.common.messages.codec import encode
from crossbook.common.messages.commands import Command, NewOrder
from crossbook.matcher.engine.dedupe import RetryWindow
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.recovery.snapshot import SavedEngine, capture, restore, state_hash
from tests.worlds.invariants import check
from tests.worlds.venue import (
    ALICE,
    BOB,
    BTC,
    BUY,
    ETH,
    SELL,
    amend,
    cancel,
    limit,
    market,
    mass_cancel,
    venue,
)

BASE: list[Command] = [
    limit(ALICE, BUY, 100, 5, name="a"),
    limit(BOB, BUY, 100, 5),
    limit(BOB, SELL, 110, 5),
    limit(ALICE, SELL, 110, 2),
    market(ALICE, BUY, 1),
]


def run(commands: list[Command], time_ns: int = 0) -> Engine:
    engine = venue()
    for command in commands:
        engine.apply(command, time_ns)
    return engine


def test_the_same_commands_give_the_same_hash() -> None:
    assert state_hash(run(BASE)) == state_hash(run(BASE))


def test_the_hash_is_hex_sha256() -> None:
    assert len(bytes.fromhex(state_hash(venue()))) == 32


@pytest.mark.parametrize(
    "command",
    [
        limit(ALICE, BUY, 90, 1),
        limit(ALICE, BUY, 90, 5, instrument=ETH),
        market(ALICE, BUY, 1),
        market(ALICE, BUY, quote_amount=1_100),
        cancel(ALICE, 1),
        amend(ALICE, 1, lots=4),
        amend(ALICE, 1, lots=6),
        amend(ALICE, 1, price_ticks=101),
        mass_cancel(BOB),
    ],
)
def test_every_change_of_the_market_changes_the_hash(command: Command) -> None:
    engine = run(BASE)
    before = state_hash(engine)
    engine.apply(command)
    assert state_hash(engine) != before


def _other_owner(commands: list[Command]) -> None:
    commands[1] = limit(ALICE, BUY, 100, 5)


def _other_name(commands: list[Command]) -> None:
    commands[0] = limit(ALICE, BUY, 100, 5, name="b")


def _other_place(commands: list[Command]) -> None:
    commands[0], commands[1] = commands[1], commands[0]


def _other_price(commands: list[Command]) -> None:
    commands[3] = limit(ALICE, SELL, 111, 2)


@pytest.mark.parametrize("change", [_other_owner, _other_name, _other_place, _other_price])
def test_markets_that_differ_in_one_thing_have_different_hashes(
    change: Callable[[list[Command]], None],
) -> None:
    commands = list(BASE)
    change(commands)
    assert state_hash(run(commands)) != state_hash(run(BASE))


def test_filled_and_open_lots_are_distinguished() -> None:
    less, more = (run([limit(ALICE, SELL, 100, 8), limit(BOB, BUY, 100, lots)]) for lots in (2, 3))
    assert less.book_state(1).last_trade_id == more.book_state(1).last_trade_id
    assert state_hash(less) != state_hash(more)
    total = run([limit(ALICE, SELL, 100, 7), limit(BOB, BUY, 100, 2)])
    assert total.book_state(1) == more.book_state(1)
    assert state_hash(total) != state_hash(more)


def test_a_bid_and_an_ask_have_different_hashes() -> None:
    bid, ask = run([limit(ALICE, BUY, 100, 5)]), run([limit(ALICE, SELL, 100, 5)])
    assert state_hash(bid) != state_hash(ask)


def test_entry_time_is_part_of_the_state() -> None:
    assert state_hash(run(BASE, time_ns=1)) != state_hash(run(BASE, time_ns=2))


def test_numbers_and_seen_requests_are_not_part_of_the_state() -> None:
    engine = run(BASE)
    before = state_hash(engine)
    for _ in range(3):
        engine.apply(cancel(ALICE, 99))
        engine.apply(limit(9, BUY, -5, 1))
    assert state_hash(engine) == before


# Snapshots

_EngineRecord = msgspec.msgpack.Decoder(SavedEngine)


def _lived_in() -> Engine:
    """Both books, two gateways, and remembered orders of every status."""
    engine = run(BASE, time_ns=1_700_000_000_000_000_000)
    for request, order in enumerate(
        (
            limit(ALICE, BUY, 101, 4, name="partly"),
            limit(ALICE, BUY, 102, 4, name="filled"),
            limit(BOB, BUY, 90, 4, name="canceled"),
            replace(market(BOB, SELL, quote_amount=99_999), client_order_id="expired"),
            limit(BOB, SELL, 700, 40, name="eth", instrument=ETH),
        ),
        1,
    ):
        engine.apply(replace(order, gateway=3, request_seq=request), time_ns=request)
        if request == 3:
            engine.apply(cancel(BOB, name="canceled"))
            engine.apply(market(BOB, SELL, 5))
    engine.apply(
        replace(limit(ALICE, SELL, 120, 7, name="a2"), gateway=200, request_seq=(9 << 30) + 1)
    )
    engine.apply(amend(ALICE, name="a2", lots=6))
    return engine


def test_a_restored_engine_is_the_captured_one() -> None:
    engine = _lived_in()
    again = restore(capture(engine))
    check(again)
    assert capture(again) == capture(engine)
    assert state_hash(again) == state_hash(engine)
    assert (again.seq, again.last_request) == (engine.seq, {3: 5, 200: (9 << 30) + 1})
    assert again.instruments == [BTC, ETH]
    for account in (ALICE, BOB):
        assert again.open_orders(account) == engine.open_orders(account)
    for instrument in (BTC, ETH):
        assert again.book_state(instrument.id) == engine.book_state(instrument.id)
    assert capture(restore(capture(venue()))) == capture(venue())


def test_a_restored_engine_keeps_the_open_orders_themselves() -> None:
    again = restore(capture(run(BASE[:1])))
    retry = BASE[0]
    assert isinstance(retry, NewOrder)
    again.apply(market(BOB, SELL, 2))
    assert again.retries.find(retry, 0) is again.accounts[ALICE].orders[1]


def _next_number(engine: Engine) -> None:
    engine.apply(cancel(ALICE, 99))


def _next_request(engine: Engine) -> None:
    engine.last_request[3] += 1


def _other_gateway(engine: Engine) -> None:
    engine.last_request[4] = 1


def _other_fee(engine: Engine) -> None:
    engine.configure([replace(BTC, taker_fee_rate=2_001), ETH])


def _forgotten_retry(engine: Engine) -> None:
    entries = engine.retries.entries()
    engine.retries = RetryWindow()
    for entry in entries[1:]:
        engine.retries.put(entry.body, entry.order)


@pytest.mark.parametrize(
    "change",
    [
        _next_number,
        _next_request,
        _other_gateway,
        _other_fee,
        _forgotten_retry,
    ],
)
def test_state_outside_the_state_hash_is_in_the_snapshot(
    change: Callable[[Engine], None],
) -> None:
    engine, changed = _lived_in(), _lived_in()
    change(changed)
    assert state_hash(changed) == state_hash(engine)
    assert capture(changed) != capture(engine)
    assert capture(restore(capture(changed))) == capture(changed)


def test_the_order_in_which_gateways_sent_does_not_show() -> None:
    first, second = venue(), venue()
    for engine, gateways in ((first, (1, 2)), (second, (2, 1))):
        for gateway in gateways:
            engine.apply(replace(cancel(ALICE, 9), gateway=gateway, request_seq=1))
    assert capture(first) == capture(second)


def test_a_truncated_snapshot_is_refused_at_every_length() -> None:
    snapshot = capture(_lived_in())
    assert len(snapshot) > 300
    for length in range(len(snapshot)):
        with pytest.raises(msgspec.MsgspecError):
            restore(snapshot[:length])
    with pytest.raises(msgspec.MsgspecError):
        restore(snapshot + b"\0")


def test_an_altered_snapshot_is_refused_or_is_of_another_engine() -> None:
    snapshot = capture(_lived_in())
    random = Random(3)
    refused = 0
    for place in range(len(snapshot)):
        bits = [1 << bit for bit in range(8)]
        for mask in (*bits, *(snapshot[place] ^ byte for byte in (0xCF, 0xD3, 0xDB, 0xDD, 0xC0))):
            altered = bytearray(snapshot)
            altered[place] ^= mask
            if altered == snapshot:
                continue
            try:
                other = restore(bytes(altered))
            except msgspec.MsgspecError:
                refused += 1
            else:
                # A number can be written in two ways; only then is it the same engine.
                same = _EngineRecord.decode(bytes(altered)) == _EngineRecord.decode(snapshot)
                assert (capture(other) == snapshot) == same, f"byte {place} ^ {mask}"
    assert refused > len(snapshot)
    for _ in range(2_000):
        noise = random.randbytes(random.randint(0, 60))
        with pytest.raises(msgspec.MsgspecError):
            restore(snapshot[: random.randint(0, len(snapshot) - 1)] + noise)


@pytest.mark.parametrize(
    "decimals", [{"base_decimals": 10**9}, {"quote_decimals": 2**62}, {"quote_decimals": -1}]
)
def test_a_snapshot_cannot_contain_endless_decimals(decimals: dict[str, int]) -> None:
    record = _EngineRecord.decode(capture(_lived_in()))
    record.instruments[0] = replace(record.instruments[0], **decimals)
    with pytest.raises(msgspec.MsgspecError, match="decimals"):
        restore(encode(record))


def test_records_that_contradict_each_other_are_refused() -> None:
    snapshot = capture(_lived_in())

    def unknown_book(record: SavedEngine) -> None:
        record.books[0].instrument = 9

    def remembered_but_gone(record: SavedEngine) -> None:
        record.retries[0].order_id = 999

    def remembered_of_nobody(record: SavedEngine) -> None:
        record.retries[0].account = 999

    def grid_finer_than_money(record: SavedEngine) -> None:
        record.instruments[0] = replace(record.instruments[0], quote_decimals=0)

    def lots_of_nothing(record: SavedEngine) -> None:
        record.instruments[0] = replace(record.instruments[0], lot_size="x")

    for spoil in (
        unknown_book,
        remembered_but_gone,
        remembered_of_nobody,
        grid_finer_than_money,
        lots_of_nothing,
    ):
        record = _EngineRecord.decode(snapshot)
        spoil(record)
        with pytest.raises(msgspec.MsgspecError):
            restore(encode(record))


@pytest.mark.parametrize("field", ["base_decimals", "quote_decimals"])
@pytest.mark.parametrize(("decimals", "sound"), [(-1, False), (0, True), (18, True), (19, False)])
def test_decimals_are_restored_to_their_bound(field: str, decimals: int, sound: bool) -> None:
    record = msgspec.msgpack.decode(capture(Engine([example()])), type=SavedEngine)
    changed = replace(
        record.instruments[0], tick_size="1", lot_size="1",
        **{"base_decimals": 0, "quote_decimals": 0, field: decimals},
    )  # fmt: skip
    data = encode(replace(record, instruments=[changed], configured=None))
    if sound:
        assert getattr(restore(data).instruments[0], field) == decimals
    else:
        with pytest.raises(msgspec.ValidationError):
            restore(data)
