"""The commands that change and list open orders, whole: the requests and the whole output."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from crossbook.common.messages.entry import (
    Amend,
    Balance,
    Cancel,
    MassCancel,
    OrderState,
    Query,
)
from crossbook.common.types import (
    OrderStatus,
    OrderType,
    TimeInForce,
)
from tests.crossbook.cli.order_shell import BEGAN_NS, PARTLY, PARTLY_FACTS, SECOND_NS, Session, ack
from tests.worlds.fake_gateway import FakeGateway


@pytest.fixture
def session() -> Iterator[Session]:
    with FakeGateway() as gateway:
        yield Session(gateway)


@pytest.mark.parametrize(
    ("words", "request_sent"),
    [
        (["BTC-USDT", "40"], Cancel(0, "BTC-USDT", 40)),
        (["btc-usdt", "--id", "mine"], Cancel(0, "BTC-USDT", 0, "mine")),
    ],
)
def test_a_cancel_names_one_order(session: Session, words: list[str], request_sent: Cancel) -> None:
    session.scripted = [replace(ack(OrderStatus.CANCELED, "mine", 0), filled_lots=10)]

    assert session.run("cancel", *words) == (0, "order 40 canceled", "")
    assert session.commands == [request_sent]
    assert session.run_json("cancel", *words) == [
        {
            "symbol": "BTC-USDT", "order_id": 40, "client_order_id": "mine", "repeated": False,
            "order_status": "CANCELED", "filled_quantity": "0.00010",
            "remaining_quantity": "0.00000", "average_price": None, "seq": 41,
            "timestamp": "2025-10-26T12:33:16.789Z", "fills": [],
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "request_sent"),
    [
        (["--all"], MassCancel(0)),
        (["btc-usdt", "--all"], MassCancel(0, "BTC-USDT")),
        (["--all", "--side", "buy"], MassCancel(0, "", 1)),
        (["BTC-USDT", "--all", "--side", "sell"], MassCancel(0, "BTC-USDT", 2)),
    ],
)
def test_a_cancel_of_all_prints_the_number_of_orders(
    session: Session, words: list[str], request_sent: MassCancel
) -> None:
    session.scripted = [replace(ack(), count=3)]

    assert session.run("cancel", *words) == (0, "3 orders canceled", "")
    assert session.commands == [request_sent]
    assert session.run_json("cancel", *words) == [{"canceled_orders": 3, "seq": 41}]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["cancel", "BTC-USDT"], "USAGE (order_id): give one of ORDER_ID, --id and --all"),
        (
            ["cancel", "BTC-USDT", "4", "--id", "a"],
            "USAGE (order_id): give one of ORDER_ID, --id and --all",
        ),
        (
            ["cancel", "12"],
            "USAGE (symbol): give SYMBOL before the order id, as in BTC-USDT 12",
        ),
        (["cancel", "--id", "a"], "USAGE (symbol): give SYMBOL"),
        (["cancel", "BTC-USDT", "4", "--side", "buy"], "USAGE (symbol): --side needs --all"),
        (["amend", "BTC-USDT", "-p", "1"], "USAGE (order_id): give one of ORDER_ID and --id"),
        (
            ["amend", "BTC-USDT", "4", "--id", "a", "-p", "1"],
            "USAGE (order_id): give one of ORDER_ID and --id",
        ),
        (
            ["amend", "1", "4", "--id", "a", "-p", "1"],
            "USAGE (order_id): give one of ORDER_ID and --id",
        ),
        (
            ["amend", "12", "-p", "1"],
            "USAGE (symbol): give SYMBOL before the order id, as in BTC-USDT 12",
        ),
        (["amend", "BTC-USDT", "4"], "USAGE (quantity): give --quantity, --price or --stop"),
    ],
)
def test_a_command_that_names_no_order_or_two_is_not_sent(
    session: Session, words: list[str], text: str
) -> None:
    assert session.run(*words) == (2, "", text)
    assert session.commands == []


@pytest.mark.parametrize(
    ("words", "request_sent"),
    [
        (
            ["BTC-USDT", "40", "-q", "0.0003"],
            Amend(
                request_seq=0, symbol="BTC-USDT", order_id=40, client_order_id="", quantity="0.0003"
            ),
        ),
        (
            ["btc-usdt", "--id", "mine", "-p", "9"],
            Amend(
                request_seq=0,
                symbol="BTC-USDT",
                order_id=0,
                client_order_id="mine",
                quantity=0,
                price="9",
            ),
        ),
        (
            ["BTC-USDT", "40", "--stop", "8"],
            Amend(
                request_seq=0,
                symbol="BTC-USDT",
                order_id=40,
                client_order_id="",
                quantity=0,
                price=0,
                stop_price="8",
            ),
        ),
    ],
)
def test_an_amend_changes_the_terms_it_names(
    session: Session, words: list[str], request_sent: Amend
) -> None:
    session.scripted = [ack(name="mine"), *PARTLY]

    status, out, err = session.run("amend", *words)

    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "order 40 (mine) amended: PARTIALLY_FILLED",
        "  filled 0.00025 BTC at 1.0060 USDT on average",
        "  trade 5: 0.00010 at 1.00, fee 0.00001234 BTC (taker)",
        "  trade 6: 0.00015 at 1.01, fee 0.00001234 BTC (taker)",
        "  open   0.00005 BTC",
    ]
    assert session.commands == [request_sent]
    assert session.run_json("amend", *words) == [PARTLY_FACTS]


LISTED = [
    OrderState(
        symbol="BTC-USDT", order_id=40, client_order_id="mine", side=1, price_ticks=5_000_000,
        quantity_lots=30, filled_lots=10, remaining_lots=20, status=OrderStatus.PARTIALLY_FILLED,
        time_ns=BEGAN_NS,
    ),
    OrderState(
        symbol="SOL-EUR", order_id=1_041, client_order_id="", side=2, price_ticks=301,
        quantity_lots=5, filled_lots=0, remaining_lots=5, status=OrderStatus.NEW,
        time_ns=BEGAN_NS + SECOND_NS, order_type=OrderType.STOP_LIMIT,
        time_in_force=TimeInForce.GTD, trigger_ticks=299, display_lots=2,
        expire_ns=BEGAN_NS + 60 * SECOND_NS, post_only=True, prevention=2, working=False,
    ),
]  # fmt: skip


TABLE = """\
order  symbol    side  type           price   stop  quantity   filled     open  id     entered
   40  BTC-USDT  buy   limit       50000.00          0.00030  0.00010  0.00020  mine  12:33:16
 1041  SOL-EUR   sell  stop_limit     150.5  149.5   0.00005  0.00000  0.00005        12:33:17
"""


def test_open_orders_are_a_table(session: Session) -> None:
    session.orders = LISTED

    status, out, err = session.run("orders")

    assert (status, err) == (0, "")
    assert f"{out}\n" == TABLE
    assert session.commands == [Query(0)]
    session.run("orders", "btc-usdt")
    assert session.commands == [Query(0, "BTC-USDT")]


def test_open_orders_are_objects_with_every_term(session: Session) -> None:
    session.orders = LISTED

    assert session.run_json("orders") == [
        {
            "symbol": "BTC-USDT", "order_id": 40, "client_order_id": "mine", "side": "buy",
            "price": "50000.00", "quantity": "0.00030", "filled_quantity": "0.00010",
            "remaining_quantity": "0.00020", "order_status": "PARTIALLY_FILLED",
            "timestamp": "2025-10-26T12:33:16.789Z", "order_type": "limit",
            "time_in_force": "gtc", "stop_price": None, "display_quantity": None,
            "expire_time": None, "post_only": False, "working": True,
        },
        {
            "symbol": "SOL-EUR", "order_id": 1041, "client_order_id": "", "side": "sell",
            "price": "150.5", "quantity": "0.00005", "filled_quantity": "0.00000",
            "remaining_quantity": "0.00005", "order_status": "NEW",
            "timestamp": "2025-10-26T12:33:17.789Z", "order_type": "stop_limit",
            "time_in_force": "gtd", "stop_price": "149.5", "display_quantity": "0.00002",
            "expire_time": "2025-10-26T12:34:16.789Z", "post_only": True, "working": False,
        },
    ]  # fmt: skip


def test_without_open_orders_there_is_a_line(session: Session) -> None:
    assert session.run("orders") == (0, "account 7 has no open orders", "")
    assert session.run_json("orders") == []


def test_balances_are_printed_in_the_decimals_of_their_assets(session: Session) -> None:
    session.balances = [
        Balance("BTC", 150_000_000, 50_000_000),
        Balance("EUR", 12_345, 0),
        Balance("SOL", 2_500_000, 2_500_000),
    ]

    status, out, err = session.run("balances")

    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "asset       total        held   available",
        "BTC    1.50000000  0.50000000  1.00000000",
        "EUR        123.45        0.00      123.45",
        "SOL      2.500000    2.500000    0.000000",
    ]
    assert session.run_json("balances") == [
        {"asset": "BTC", "total": "1.50000000", "held": "0.50000000", "available": "1.00000000"},
        {"asset": "EUR", "total": "123.45", "held": "0.00", "available": "123.45"},
        {"asset": "SOL", "total": "2.500000", "held": "2.500000", "available": "0.000000"},
    ]


def test_without_balances_there_is_a_line(session: Session) -> None:
    assert session.run("balances") == (0, "no balances are kept of account 7", "")
    assert session.run_json("balances") == []
