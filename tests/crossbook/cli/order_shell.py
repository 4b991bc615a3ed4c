"""The commands of order entry, run by their command lines against a gateway with scripted
answers."""

import json
from typing import Any

from msgspec.structs import replace
from typer.testing import CliRunner

from crossbook.cli.main import app
from crossbook.common.instruments import example
from crossbook.common.messages.entry import (
    Ack,
    Balance,
    Balances,
    Execution,
    ListInstruments,
    Logon,
    OpenOrders,
    OrderState,
    Ping,
    Pong,
    Query,
    QueryBalances,
    Reply,
    Request,
)
from crossbook.common.types import (
    ExecutionKind,
    Liquidity,
    OrderStatus,
)
from tests.worlds.fake_gateway import FakeGateway

BTC = example()
SOL = replace(
    BTC, id=2, symbol="SOL-EUR", base="SOL", quote="EUR", tick_size="0.5", base_decimals=6,
    quote_decimals=2,
)  # fmt: skip
BEGAN_NS = 1_761_481_996_789_123_456
SECOND_NS = 10**9


class Session:
    """A gateway that answers a command with `scripted`, and the command line in front of it."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.scripted: list[Reply] = []
        self.balances: list[Balance] = []
        self.orders: list[OrderState] = []
        self._gateway = gateway
        gateway.behave = self._behave
        gateway.instruments = [BTC, SOL]

    def run(self, *words: str, account: str = "7") -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        self._gateway.requests.clear()
        options = ["--gateway", self._gateway.address, "--account", account, "--timeout", "5"]
        result = CliRunner().invoke(app, [*words, *options], env={"COLUMNS": "150"})
        assert result.exception is None or isinstance(result.exception, SystemExit)
        lines = [each.rstrip() for each in result.stdout.splitlines()]
        return result.exit_code, "\n".join(lines), result.stderr.strip()

    def run_json(self, *words: str) -> list[dict[str, Any]]:
        """The printed objects, one a line."""
        status, out, err = self.run(*words, "--json")
        assert (status, err) == (0, "")
        return [json.loads(each) for each in out.splitlines()]

    @property
    def commands(self) -> list[Request]:
        """The commands sent, their numbers left out."""
        beside = (Logon, Ping, ListInstruments)
        return [
            replace(each, request_seq=0)
            for each in self._gateway.requests
            if not isinstance(each, beside)
        ]

    @property
    def account(self) -> int:
        """The account that logged on."""
        [logon] = [each for each in self._gateway.requests if isinstance(each, Logon)]
        return logon.account

    def _behave(self, request: Request) -> list[Reply]:
        number = request.request_seq
        if isinstance(request, Ping):
            return [Pong(number, 5, 0)]
        if isinstance(request, Query):
            return [OpenOrders(number, 5, self.orders)]
        if isinstance(request, QueryBalances):
            return [Balances(number, 5, self.balances)]
        return [replace(each, request_seq=number) for each in self.scripted]


def ack(status: OrderStatus = OrderStatus.NEW, name: str = "", remaining_lots: int = 30) -> Ack:
    return Ack(
        request_seq=0, seq=41, order_id=40, status=status, client_order_id=name,
        remaining_lots=remaining_lots, time_ns=BEGAN_NS,
    )  # fmt: skip


def fill(trade_id: int, price: int, lots: int, filled_lots: int, side: int = 1) -> Execution:
    left = 30 - filled_lots
    status = OrderStatus.PARTIALLY_FILLED if left else OrderStatus.FILLED
    return Execution(
        request_seq=0, seq=41, symbol="BTC-USDT", order_id=40, client_order_id="mine",
        kind=ExecutionKind.FILL, status=status, side=side, price_ticks=price, quantity_lots=lots,
        filled_lots=filled_lots, remaining_lots=left, time_ns=BEGAN_NS, trade_id=trade_id,
        liquidity=Liquidity.TAKER, fee_units=1_234,
    )  # fmt: skip


PARTLY = [fill(5, 100, 10, 10), fill(6, 101, 15, 25)]
PARTLY_FACTS: dict[str, Any] = {
    "symbol": "BTC-USDT",
    "order_id": 40,
    "client_order_id": "mine",
    "repeated": False,
    "order_status": "PARTIALLY_FILLED",
    "filled_quantity": "0.00025",
    "remaining_quantity": "0.00005",
    "average_price": "1.0060",
    "seq": 41,
    "timestamp": "2025-10-26T12:33:16.789Z",
    "fills": [
        {
            "trade_id": trade_id,
            "price": price,
            "quantity": quantity,
            "fee": "0.00001234",
            "fee_asset": "BTC",
            "liquidity": "taker",
        }
        for trade_id, price, quantity in ((5, "1.00", "0.00010"), (6, "1.01", "0.00015"))
    ],
}
