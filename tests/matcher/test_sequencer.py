"""The sequencer: dense numbers, one batch a drain, time that never steps back, resends."""

import errno

import pytest
from msgspec.structs import replace

from crossbook.common.instruments import example
from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.admin import AdminAct, AdminDone, AdminKeys, AdminListKeys
from crossbook.common.messages.codec import decode_commands, decode_events, encode
from crossbook.common.messages.commands import (
    AddInstrument,
    Administer,
    CancelOrder,
    Command,
    CreateKey,
    MassCancelOrders,
    NewOrder,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.events import (
    AuctionUncrossed,
    CommandRejected,
    InstrumentAdded,
    KeyChanged,
    OrderAccepted,
)
from crossbook.common.messages.matcher_queries import (
    Books,
    BooksRequest,
    GatewayRequest,
    GatewayState,
    KeyPage,
    KeysRequest,
    Orders,
    OrdersRequest,
    Resend,
    ResendRequest,
    ResendTooOld,
)
from crossbook.common.process.sockets import INTERNAL_MESSAGE_MAX
from crossbook.common.types import InstrumentState, RejectReason
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.journal import Journal, JournalFailed
from crossbook.matcher.resend_buffer import EventResendBuffer
from crossbook.matcher.sequencer import BATCH_BYTES_MAX, Sequencer
from tests.simulation.fake_disk import FakeDisk

INCARNATION = 77


def sequencer(resend_bytes: int = 1_000_000, disk: FakeDisk | None = None) -> Sequencer:
    journal = Journal.open(disk or FakeDisk(), INCARNATION, encode([example()]), 64 * 1024)
    return Sequencer(Engine([example()]), journal, EventResendBuffer(resend_bytes))


def order(request: int, gateway: int = 1) -> NewOrder:
    return NewOrder(
        gateway=gateway,
        request_seq=request,
        account=7,
        instrument=1,
        side=1,
        order_type=1,
        time_in_force=1,
        price_ticks=100 + request,
        quantity_lots=5,
    )


def payload(*commands: Command) -> bytes:
    return encode(list(commands))


def test_payloads_of_one_drain_become_one_batch_of_dense_numbers() -> None:
    made = sequencer().apply([payload(order(1), order(2)), payload(order(3))], now_ns=9)
    assert made is not None
    batch = decode_events(made)
    assert (batch.incarnation, batch.first_seq, batch.last_seq, batch.time_ns) == (
        INCARNATION,
        1,
        3,
        9,
    )
    assert [event.seq for event in batch.events] == [1, 2, 3]


def test_refused_commands_take_a_number_too() -> None:
    made = sequencer().apply(
        [
            payload(
                CancelOrder(gateway=1, request_seq=1, account=7, instrument=1, order_id=99),
                order(2),
            )
        ],
        9,
    )
    assert made is not None
    first, second = decode_events(made).events
    assert isinstance(first, CommandRejected)
    assert isinstance(second, OrderAccepted)
    assert (first.seq, second.seq) == (1, 2)


def test_repeated_requests_give_no_batch_and_take_no_number() -> None:
    made = sequencer()
    assert made.apply([payload(order(1))], 9) is not None
    assert made.apply([payload(order(1))], 10) is None
    assert made.seq == 1


def test_time_never_steps_back() -> None:
    made = sequencer()
    made.apply([payload(order(1))], 50)
    later = made.apply([payload(order(2))], 20)
    assert later is not None
    assert decode_events(later).time_ns == 50
    assert decode_events(made.heartbeat(20)).time_ns == 50


def test_no_command_has_an_earlier_time_than_a_heartbeat_before_it() -> None:
    made = sequencer()
    assert decode_events(made.heartbeat(50)).time_ns == 50
    later = made.apply([payload(order(1))], 20)
    assert later is not None
    assert decode_events(later).time_ns == 50


def test_malformed_payload_is_counted_and_the_others_applied() -> None:
    made = sequencer()
    batch = made.apply([b"\xc1", payload(order(1)), encode([[9, 1]])], 9)
    assert batch is not None
    assert decode_events(batch).last_seq == 1
    assert made.malformed == 2


def test_commands_and_events_are_counted_repeats_and_bad_bytes_are_not() -> None:
    made = sequencer()
    made.apply([payload(order(1), replace(order(2), side=2)), b"\xc1"], 9)
    made.apply([payload(order(1))], 9)
    assert (made.commands, made.events) == (2, 2)
    made.apply([payload(replace(order(3), price_ticks=101, side=2))], 9)
    assert made.commands == 3
    assert made.events > 3


def test_heartbeat_names_the_last_number_without_events() -> None:
    made = sequencer()
    made.apply([payload(order(1))], 9)
    beat = decode_events(made.heartbeat(12))
    assert (beat.first_seq, beat.last_seq, beat.events) == (2, 1, [])


def test_resend_gives_the_very_bytes_that_were_sent() -> None:
    made = sequencer()
    sent = [made.apply([payload(order(n))], n) for n in range(1, 6)]
    reply = made.answer(ResendRequest(request_id=3, incarnation=INCARNATION, from_seq=2, to_seq=4))
    assert isinstance(reply, Resend)
    assert [bytes(raw) for raw in reply.batches][:3] == sent[1:4]


def test_batches_no_longer_in_memory_are_resent_from_the_journal() -> None:
    made = sequencer(resend_bytes=200)
    sent = [made.apply([payload(order(n))], n) for n in range(1, 20)]
    reply = made.answer(ResendRequest(request_id=3, incarnation=INCARNATION, from_seq=1, to_seq=4))
    assert isinstance(reply, Resend)
    assert [bytes(raw) for raw in reply.batches] == sent[:4]


def test_nothing_is_returned_that_the_journal_does_not_hold() -> None:
    disk = FakeDisk()
    made = sequencer(disk=disk)
    assert made.apply([payload(order(1))], 9) is not None
    disk.fail("sync", errno.EIO)
    with pytest.raises(JournalFailed):
        made.apply([payload(order(2))], 10)
    with pytest.raises(JournalFailed):
        made.apply([payload(order(3))], 11)


def test_the_last_request_of_a_gateway_is_answered() -> None:
    made = sequencer()
    made.apply([payload(order(1), order(2))], 9)
    assert made.answer(GatewayRequest(5, 1)) == GatewayState(
        request_id=5,
        gateway=1,
        incarnation=INCARNATION,
        seq=2,
        last_request_seq=2,
        instruments=[example()],
        time_ns=9,
    )
    assert made.answer(GatewayRequest(6, 2)) == GatewayState(
        request_id=6,
        gateway=2,
        incarnation=INCARNATION,
        seq=2,
        last_request_seq=0,
        instruments=[example()],
        time_ns=9,
    )


def test_a_resend_beyond_the_end_or_of_another_incarnation_is_too_old() -> None:
    made = sequencer(resend_bytes=200)
    for n in range(1, 20):
        made.apply([payload(order(n))], n)
    for incarnation, seq in ((INCARNATION, 0), (INCARNATION + 1, 19), (INCARNATION, 20)):
        reply = made.answer(
            ResendRequest(request_id=3, incarnation=incarnation, from_seq=seq, to_seq=seq)
        )
        assert isinstance(reply, ResendTooOld)
        assert (reply.incarnation, reply.last_seq) == (INCARNATION, 19)


def test_books_and_orders_are_answered_as_of_the_last_number() -> None:
    made = sequencer()
    made.apply([payload(order(1), order(2))], 9)
    books = made.answer(BooksRequest(4))
    assert isinstance(books, Books)
    assert (books.incarnation, books.seq, books.time_ns) == (INCARNATION, 2, 9)
    assert [resting.order_id for resting in books.books[0].bids] == [2, 1]
    orders = made.answer(
        OrdersRequest(
            request_id=5,
            account=7,
            instrument=0,
            order_id=0,
            client_order_id="",
            after_order_id=1,
            limit=10,
        )
    )
    assert isinstance(orders, Orders)
    assert [state.order_id for state in orders.orders] == [2]


def test_an_uncross_of_more_lots_than_msgpack_counts_is_sent_and_journaled_exactly() -> None:
    lots = 2**62
    instrument = replace(
        example(), tick_size="1", lot_size="1", base_decimals=0, quote_decimals=0,
        max_quantity_lots=lots,
    )  # fmt: skip
    disk = FakeDisk()
    journal = Journal.open(disk, INCARNATION, encode([instrument]), 64 * 1024)
    made = Sequencer(Engine([instrument]), journal, EventResendBuffer(1))
    call = SetInstrumentState(
        gateway=0, request_seq=0, account=0, instrument=1, state=InstrumentState.AUCTION
    )
    orders = [
        NewOrder(
            gateway=1,
            request_seq=n,
            account=7 + n,
            instrument=1,
            side=1 + n % 2,
            order_type=1,
            time_in_force=1,
            price_ticks=1,
            quantity_lots=lots,
        )
        for n in range(1, 12)
    ]
    batch = made.apply(
        [payload(call, *orders, Uncross(gateway=0, request_seq=0, account=0, instrument=1))], 9
    )
    assert batch is not None
    (uncrossed,) = [e for e in decode_events(batch).events if isinstance(e, AuctionUncrossed)]
    assert (uncrossed.price_ticks, uncrossed.quantity_lots, uncrossed.surplus_lots) == (
        1,
        5 * lots,
        -lots,
    )
    (journaled,) = [record.events for _, record in journal.read(1)]
    assert journaled == batch


@pytest.mark.parametrize(("field", "name"), [("symbol", "A/B"), ("base", "-A"), ("quote", "1")])
def test_an_added_instrument_is_named_so_that_it_is_found_everywhere(field: str, name: str) -> None:
    disk = FakeDisk()
    made = sequencer(disk=disk)
    definition = replace(example(), id=9, symbol="A-B", base="A", quote="B")
    wrong = replace(definition, **{field: name})
    batch, answer = made.administer(
        AdminAct(
            5, AddInstrument(gateway=0, request_seq=0, account=0, instrument=9, definition=wrong)
        ),
        1,
    )
    assert batch is not None
    assert isinstance(answer, AdminDone)
    assert isinstance(answer.answer, CommandRejected)
    assert (answer.answer.reason, answer.answer.field) == (RejectReason.MALFORMED, field)
    _, answer = made.administer(
        AdminAct(
            6,
            AddInstrument(gateway=0, request_seq=0, account=0, instrument=9, definition=definition),
        ),
        1,
    )
    assert isinstance(answer, AdminDone)
    assert isinstance(answer.answer, InstrumentAdded)


def test_an_administrator_is_answered_with_the_first_event_and_how_many_followed() -> None:
    made = sequencer()
    made.apply([payload(order(1), order(2), order(3))], 9)
    batch, answer = made.administer(AdminAct(8, MassCancelOrders(0, 0, 0)), 10)
    assert batch is not None
    events = decode_events(batch).events
    assert answer == AdminDone(8, events[0], 3)
    assert len(events) == 4


@pytest.mark.parametrize(("limit", "found"), [(-5, 1), (0, 1), (1, 1), (999, 999), (5_000, 1_000)])
def test_one_answer_lists_a_thousand_orders_at_most(limit: int, found: int) -> None:
    made = sequencer()
    made.apply([payload(*(replace(order(n), price_ticks=100) for n in range(1, 1_003)))], 9)
    orders = made.answer(
        OrdersRequest(
            request_id=5,
            account=7,
            instrument=0,
            order_id=0,
            client_order_id="",
            after_order_id=0,
            limit=limit,
        )
    )
    assert isinstance(orders, Orders)
    assert (len(orders.orders), orders.more) == (found, True)


def test_one_resend_from_the_journal_is_bounded_and_holds_two_batches_at_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = sequencer(resend_bytes=1)
    sent = [made.apply([payload(order(n))], n) for n in range(1, 20)]
    assert sent[0] is not None
    for bound, count in ((1, 2), (3 * len(sent[0]) - 1, 2), (3 * len(sent[0]), 3)):
        monkeypatch.setattr("crossbook.matcher.sequencer.RESEND_BYTES", bound)
        reply = made.answer(
            ResendRequest(request_id=3, incarnation=INCARNATION, from_seq=1, to_seq=19)
        )
        assert isinstance(reply, Resend)
        assert [bytes(raw) for raw in reply.batches] == sent[:count]


def test_resends_are_counted_by_where_they_were_found() -> None:
    made = sequencer(resend_bytes=200)
    for n in range(1, 20):
        made.apply([payload(order(n))], n)
    for seq in (19, 1, 2, 25):
        made.answer(ResendRequest(request_id=3, incarnation=INCARNATION, from_seq=seq, to_seq=seq))
    assert made.resent == {"memory": 1, "journal": 2, "gone": 1}


def test_an_act_is_journaled_with_the_administrator_and_answered_without_a_secret() -> None:
    disk = FakeDisk()
    made = sequencer(disk=disk)
    key = Key(
        key_id="alice",
        scheme=KeyScheme.HMAC_SHA256,
        material=b"s" * 64,
        scopes=Scope.READ,
        account=7,
    )
    act = CreateKey(gateway=9, request_seq=9, account=7, instrument=0, key=key)
    batch, answer = made.administer(AdminAct(4, act, "root" * 20), 10)
    assert batch is not None
    (event,) = decode_events(batch).events
    created = replace(key, created_ns=10)
    assert event == KeyChanged(1, 0, 0, created)
    assert answer == AdminDone(4, KeyChanged(1, 0, 0, replace(created, material=b"")), 0)
    journal = Journal.open(disk, 0, b"", 0, read_only=True)
    ((_, record),) = journal.read(1)
    (command,) = decode_commands(record.payloads[0])
    expected = CreateKey(gateway=0, request_seq=0, account=7, instrument=0, key=key)
    assert command == Administer(
        gateway=0,
        request_seq=0,
        account=7,
        instrument=0,
        requested_by=("root" * 20)[:32],
        act=expected,
    )


def test_keys_are_listed_for_gateways_whole_and_for_administrators_without_secrets() -> None:
    made = sequencer()
    secret = Key(
        key_id="alice",
        scheme=KeyScheme.HMAC_SHA256,
        material=b"s" * 64,
        scopes=Scope.READ,
        account=7,
    )
    public = Key(
        key_id="desk", scheme=KeyScheme.CURVE, material=b"p" * 32, scopes=Scope.TRADE, account=7
    )
    for number, key in enumerate((public, secret), 1):
        made.administer(
            AdminAct(number, CreateKey(gateway=0, request_seq=0, account=7, instrument=0, key=key)),
            10,
        )
    listed = [replace(key, created_ns=10) for key in (secret, public)]
    assert made.answer(KeysRequest(5)) == KeyPage(5, INCARNATION, 2, listed, more=False)
    assert made.answer(KeysRequest(6, "alice")) == KeyPage(
        6, INCARNATION, 2, listed[1:], more=False
    )
    batch, answer = made.administer(AdminListKeys(7), 11)
    assert batch is None
    shown = [replace(listed[0], material=b""), listed[1]]
    assert answer == AdminKeys(7, 2, shown, more=False)


@pytest.mark.parametrize("resend_bytes", [1, 10**6])
def test_a_batch_that_no_socket_carries_is_named_and_skipped(
    monkeypatch: pytest.MonkeyPatch, resend_bytes: int
) -> None:
    """Only a journal of before batches were bounded can hold one."""
    made = sequencer(resend_bytes)
    made.apply([payload(order(1))], 1)
    large = made.apply([payload(*(order(n) for n in range(2, 40)))], 2)
    made.apply([payload(order(40))], 3)
    assert large is not None
    monkeypatch.setattr("crossbook.matcher.sequencer.BATCH_BYTES_MAX", len(large) - 1)
    for from_seq in (1, 2, 20, 39):
        reply = made.answer(
            ResendRequest(request_id=3, incarnation=INCARNATION, from_seq=from_seq, to_seq=40)
        )
        assert reply == ResendTooOld(
            request_id=3, incarnation=INCARNATION, first_seq=40, last_seq=40,
            unsendable_bytes=len(large),
        )  # fmt: skip
    behind = made.answer(
        ResendRequest(request_id=3, incarnation=INCARNATION, from_seq=40, to_seq=40)
    )
    assert isinstance(behind, Resend)
    assert BATCH_BYTES_MAX < INTERNAL_MESSAGE_MAX
