"""The commands that enter orders, whole: the requests and the whole output."""

import json
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from crossbook.common.messages.entry import (
    Execution,
    New,
    Reject,
)
from crossbook.common.process.clock import SystemClock
from crossbook.common.types import (
    ExecutionKind,
    OrderStatus,
    OrderType,
    Prevention,
    RejectReason,
    TimeInForce,
)
from tests.crossbook.cli.order_shell import (
    BEGAN_NS,
    PARTLY,
    PARTLY_FACTS,
    SECOND_NS,
    Session,
    ack,
    fill,
)
from tests.worlds.fake_gateway import FakeGateway


@pytest.fixture
def session() -> Iterator[Session]:
    with FakeGateway() as gateway:
        yield Session(gateway)


def test_a_resting_order_is_printed_with_its_remaining_lots(session: Session) -> None:
    session.scripted = [ack()]

    status, out, err = session.run("buy", "btc-usdt", "0.0003", "1.00")

    assert (status, err) == (0, "")
    assert out == "order 40 accepted: NEW\n  open   0.00030 BTC"
    assert session.commands == [
        New(request_seq=0, symbol="BTC-USDT", side=1, quantity="0.0003", price="1.00")
    ]  # fmt: skip
    assert session.account == 7


def test_an_order_that_trades_is_printed_with_each_of_its_fills(session: Session) -> None:
    session.scripted = [ack(name="mine"), *PARTLY]
    words = ["buy", "BTC-USDT", "0.0003", "1.01", "--id", "mine"]

    assert session.run(*words)[1] == (
        "order 40 (mine) accepted: PARTIALLY_FILLED\n"
        "  filled 0.00025 BTC at 1.0060 USDT on average\n"
        "  trade 5: 0.00010 at 1.00, fee 0.00001234 BTC (taker)\n"
        "  trade 6: 0.00015 at 1.01, fee 0.00001234 BTC (taker)\n"
        "  open   0.00005 BTC"
    )
    assert session.commands == [
        New(
            request_seq=0, symbol="BTC-USDT", side=1, quantity="0.0003", price="1.01",
            client_order_id="mine",
        )
    ]  # fmt: skip
    assert session.run_json(*words) == [{**PARTLY_FACTS, "side": "buy"}]


def test_a_sale_pays_its_fee_in_the_quote_asset_and_leaves_nothing_open(session: Session) -> None:
    session.scripted = [ack(), fill(5, 100, 30, 30, side=2)]

    status, out, _ = session.run("sell", "BTC-USDT", "0.0003", "--market")

    assert status == 0
    assert out == (
        "order 40 accepted: FILLED\n"
        "  filled 0.00030 BTC at 1.0000 USDT on average\n"
        "  trade 5: 0.00030 at 1.00, fee 0.00001234 USDT (taker)"
    )
    assert session.commands == [New(0, "BTC-USDT", 2, "0.0003", order_type=OrderType.MARKET)]
    assert session.run_json("sell", "BTC-USDT", "0.0003", "1")[0]["side"] == "sell"


def test_an_order_entered_before_is_marked_as_repeated(session: Session) -> None:
    session.scripted = [replace(ack(OrderStatus.PARTIALLY_FILLED, "a", 5), repeated=True)]

    assert session.run("buy", "BTC-USDT", "0.0003", "1", "--id", "a")[1] == (
        "order 40 (a) accepted: PARTIALLY_FILLED (it had been entered before under this id; "
        "nothing was done again)\n"
        "  open   0.00005 BTC"
    )
    session.scripted = [replace(ack(), repeated=True, filled_lots=25, remaining_lots=5)]
    [facts] = session.run_json("buy", "BTC-USDT", "0.0003", "1")
    assert facts == {
        "symbol": "BTC-USDT", "order_id": 40, "client_order_id": "", "repeated": True,
        "order_status": "NEW", "filled_quantity": "0.00025", "remaining_quantity": "0.00005",
        "average_price": None, "seq": 41, "timestamp": "2025-10-26T12:33:16.789Z", "fills": [],
        "side": "buy",
    }  # fmt: skip


def test_the_reason_of_an_end_is_printed_and_a_newer_code_as_its_number(session: Session) -> None:
    expired = Execution(
        request_seq=0, seq=41, symbol="BTC-USDT", order_id=40, client_order_id="",
        kind=ExecutionKind.EXPIRED, status=OrderStatus.EXPIRED, side=1, price_ticks=0,
        quantity_lots=20, filled_lots=10, remaining_lots=0, time_ns=0,
        reason=RejectReason.FILL_OR_KILL,
    )  # fmt: skip
    session.scripted = [ack(), expired]
    words = ["buy", "BTC-USDT", "0.0003", "1"]
    assert session.run(*words)[1] == "order 40 accepted: EXPIRED, FILL_OR_KILL"
    assert session.run_json(*words)[0]["reason"] == "FILL_OR_KILL"

    session.scripted = [ack(), replace(expired, reason=999, status=77)]
    assert session.run(*words)[1] == "order 40 accepted: 77, 999"


DEFAULTS = New(request_seq=0, symbol="BTC-USDT", side=1, quantity="1", price="2")
ORDERS: list[tuple[list[str], New]] = [
    (["1", "2"], DEFAULTS),
    (["1", "2", "--tif", "ioc"], replace(DEFAULTS, time_in_force=TimeInForce.IOC)),
    (["1", "2", "--tif", "day"], replace(DEFAULTS, time_in_force=TimeInForce.DAY)),
    (["1", "2", "--post-only"], replace(DEFAULTS, post_only=True)),
    (["1", "2", "--show", "0.5"], replace(DEFAULTS, display_quantity="0.5")),
    (
        ["1", "2", "--self-trade", "decrement"],
        replace(DEFAULTS, prevention=Prevention.DECREMENT),
    ),
    (["1", "--market"], replace(DEFAULTS, price=0, order_type=OrderType.MARKET)),
    (
        ["--quote-amount", "50"],
        replace(DEFAULTS, quantity=0, price=0, order_type=OrderType.MARKET, quote_amount="50"),
    ),
    (
        ["1", "--stop", "3"],
        replace(DEFAULTS, price=0, order_type=OrderType.STOP, stop_price="3"),
    ),
    (["1", "2", "--stop", "3"], replace(DEFAULTS, order_type=OrderType.STOP_LIMIT, stop_price="3")),
    (
        ["1", "--take-profit", "4"],
        replace(DEFAULTS, price=0, order_type=OrderType.TAKE_PROFIT, stop_price="4"),
    ),
    (
        ["1", "2", "--take-profit", "4"],
        replace(DEFAULTS, order_type=OrderType.TAKE_PROFIT_LIMIT, stop_price="4"),
    ),
]


@pytest.mark.parametrize(("words", "request_sent"), ORDERS)
def test_every_option_is_a_term_of_the_order(
    session: Session, words: list[str], request_sent: New
) -> None:
    session.scripted = [ack()]

    status, out, err = session.run("buy", "BTC-USDT", *words)

    assert (status, err) == (0, "")
    assert session.commands == [request_sent]
    waits = request_sent.order_type > OrderType.MARKET
    assert out.startswith("order 40 waits: NEW" if waits else "order 40 accepted: NEW")


def test_an_expiry_is_a_number_of_seconds_from_now(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.scripted = [ack()]
    monkeypatch.setattr(SystemClock, "now_ns", lambda self: BEGAN_NS)

    assert session.run("buy", "BTC-USDT", "1", "2", "--tif", "gtd", "--expire-in", "1.5")[0] == 0

    expire = BEGAN_NS + 3 * SECOND_NS // 2
    assert session.commands == [
        replace(DEFAULTS, time_in_force=TimeInForce.GTD, expire_time=expire)
    ]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["1", "2", "--tif", "gtd"], "--tif gtd and --expire-in go together"),
        (["1", "2", "--expire-in", "5"], "--tif gtd and --expire-in go together"),
        (["1", "--stop", "2", "--take-profit", "3"], "give --stop or --take-profit, not both"),
    ],
)
def test_contradictory_terms_are_not_sent(session: Session, words: list[str], text: str) -> None:
    status, out, err = session.run("sell", "BTC-USDT", *words)

    assert (status, out) == (2, "")
    assert err.startswith("USAGE (")
    assert err.endswith(f"): {text}")
    assert session.commands == []


def test_a_refusal_names_reason_and_field(session: Session) -> None:
    session.scripted = [
        Reject(
            request_seq=0, reason=RejectReason.BAD_TICK, field="price",
            text="not a multiple of 0.01", client_order_id="", seq=9,
        )
    ]  # fmt: skip
    words = ["buy", "BTC-USDT", "1", "2.001"]

    assert session.run(*words) == (1, "", "BAD_TICK (price): not a multiple of 0.01")
    status, out, err = session.run(*words, "--json")
    assert (status, err) == (1, "")
    assert json.loads(out) == {
        "error": {"code": "BAD_TICK", "message": "not a multiple of 0.01", "field": "price"}
    }
