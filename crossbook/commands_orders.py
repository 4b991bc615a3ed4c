"""`crossbook buy`, `sell`, `cancel`, `amend`, `orders`."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from common.config import Settings
from common.types import OrderType, Side
from crossbook.client import Client
from crossbook.console import CommandError, ExitStatus, Output
from crossbook.options import (
    DEFAULT_TIMEOUT_S,
    AccountOption,
    GatewayOption,
    JsonOption,
    SymbolArgument,
    TimeoutOption,
    client_settings,
)
from crossbook.rendering import order_facts, outcome_facts, outcome_text


class TimeInForceWord(StrEnum):
    """How long an order may work."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class SideWord(StrEnum):
    """Order side."""

    BUY = "buy"
    SELL = "sell"


QuantityArgument = Annotated[
    str | None,
    typer.Argument(metavar="[QUANTITY]", show_default=False, help="How much, in the base asset."),
]
PriceArgument = Annotated[
    str | None,
    typer.Argument(metavar="[PRICE]", show_default=False, help="Limit price, in the quote asset."),
]
MarketOption = Annotated[
    bool, typer.Option("--market", help="At the best prices there are; never rests.")
]
TimeInForceOption = Annotated[
    TimeInForceWord,
    typer.Option(
        "--tif",
        help="gtc rests, ioc expires what does not fill at once, fok fills whole or not at all.",
    ),
]
QuoteAmountOption = Annotated[
    str | None,
    typer.Option(
        "--quote-amount", metavar="AMOUNT", show_default=False,
        help="A market order for this much of the quote asset, instead of QUANTITY.",
    ),
]  # fmt: skip
NewIdOption = Annotated[
    str, typer.Option("--id", metavar="ID", show_default=False, help="Your own id for the order.")
]
OrderIdArgument = Annotated[
    int | None,
    typer.Argument(metavar="[ORDER_ID]", min=1, show_default=False, help="The exchange's id."),
]
OldIdOption = Annotated[
    str,
    typer.Option("--id", metavar="ID", show_default=False, help="Your own id, not ORDER_ID."),
]


def buy(
    symbol: SymbolArgument,
    quantity: QuantityArgument = None,
    price: PriceArgument = None,
    market: MarketOption = False,
    tif: TimeInForceOption = TimeInForceWord.GTC,
    quote_amount: QuoteAmountOption = None,
    client_order_id: NewIdOption = "",
    account: AccountOption = None,
    gateway: GatewayOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Enter a buy order and say what happened to it at once.

    \b
    Examples:
      crossbook buy BTC-USDT 0.5 60000
      crossbook buy BTC-USDT 0.5 60000 --tif ioc --id my-1
      crossbook buy BTC-USDT 0.5 --market
      crossbook buy BTC-USDT --quote-amount 1000
    """
    settings = client_settings(account=account, gateway=gateway)
    words = (symbol, quantity, price, market, tif, quote_amount, client_order_id)
    _enter(settings, timeout, Output(as_json), Side.BUY, *words)


def sell(
    symbol: SymbolArgument,
    quantity: QuantityArgument = None,
    price: PriceArgument = None,
    market: MarketOption = False,
    tif: TimeInForceOption = TimeInForceWord.GTC,
    quote_amount: QuoteAmountOption = None,
    client_order_id: NewIdOption = "",
    account: AccountOption = None,
    gateway: GatewayOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Enter a sell order and say what happened to it at once.

    \b
    Examples:
      crossbook sell BTC-USDT 0.5 61000
      crossbook sell BTC-USDT 0.5 --market --json
    """
    settings = client_settings(account=account, gateway=gateway)
    words = (symbol, quantity, price, market, tif, quote_amount, client_order_id)
    _enter(settings, timeout, Output(as_json), Side.SELL, *words)


def _enter(
    settings: Settings,
    timeout: float,
    output: Output,
    side: Side,
    symbol: str,
    quantity: str | None,
    price: str | None,
    market: bool,
    tif: TimeInForceWord,
    quote_amount: str | None,
    client_order_id: str,
) -> None:
    market = market or quote_amount is not None
    if quote_amount is not None and quantity is not None:
        raise usage("give QUANTITY or --quote-amount, not both", "quantity")
    if quote_amount is None and quantity is None:
        raise usage("give QUANTITY, or --quote-amount", "quantity")
    if market and price is not None:
        raise usage("a market order has no PRICE", "price")
    if not market and price is None:
        raise usage("give PRICE, or --market", "price")
    with Client(settings.gateway_orders, settings.account, timeout) as client:
        ack = client.submit(
            symbol.upper(),
            side,
            quantity or 0,
            price or 0,
            order_type=OrderType.MARKET if market else OrderType.LIMIT,
            time_in_force=tif.value,
            client_order_id=client_order_id,
            quote_amount=quote_amount or 0,
        )
        # A ping's answer overtakes nothing: the order's own reports have come before it.
        client.ping()
        executions = list(client.executions())
        instrument = client.instruments[symbol.upper()]
    facts = {**outcome_facts(instrument, ack, executions), "side": side.name.lower()}
    output.result(facts, outcome_text(instrument, facts, "accepted"))


def cancel(
    symbol: Annotated[
        str | None,
        typer.Argument(
            metavar="[SYMBOL]", show_default=False, help="Instrument; not needed with --all."
        ),
    ] = None,
    order_id: OrderIdArgument = None,
    client_order_id: OldIdOption = "",
    everything: Annotated[
        bool, typer.Option("--all", help="All open orders of the account (of SYMBOL, if given).")
    ] = False,
    side: Annotated[
        SideWord | None,
        typer.Option("--side", show_default=False, help="With --all: one side only."),
    ] = None,
    account: AccountOption = None,
    gateway: GatewayOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Cancel one open order, or all of them.

    \b
    Examples:
      crossbook cancel BTC-USDT 1234
      crossbook cancel BTC-USDT --id my-1
      crossbook cancel BTC-USDT --all --side buy
      crossbook cancel --all
    """
    named = (order_id is not None) + bool(client_order_id) + everything
    if named != 1:
        raise usage("give one of ORDER_ID, --id and --all", "order_id")
    if not everything and (symbol is None or side is not None):
        raise usage("give SYMBOL" if symbol is None else "--side goes with --all", "symbol")
    settings = client_settings(account=account, gateway=gateway)
    output = Output(as_json)
    with Client(settings.gateway_orders, settings.account, timeout) as client:
        if everything:
            ack = client.mass_cancel((symbol or "").upper(), side.value if side else 0)
            facts = {"canceled_orders": ack.count, "seq": ack.seq}
            output.result(facts, f"{ack.count} orders canceled")
            return
        assert symbol is not None
        ack = client.cancel(symbol.upper(), order_id or 0, client_order_id)
        instrument = client.instruments[symbol.upper()]
    facts = outcome_facts(instrument, ack, [])
    output.result(facts, f"order {ack.order_id} canceled")


def amend(
    symbol: SymbolArgument,
    order_id: OrderIdArgument = None,
    client_order_id: OldIdOption = "",
    quantity: Annotated[
        str | None,
        typer.Option(
            "--quantity",
            "-q",
            metavar="QUANTITY",
            show_default=False,
            help="New total quantity, filled part included.",
        ),
    ] = None,
    price: Annotated[
        str | None,
        typer.Option("--price", "-p", metavar="PRICE", show_default=False, help="New price."),
    ] = None,
    account: AccountOption = None,
    gateway: GatewayOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Change the quantity, the price or both of an open order; it keeps its id.

    A smaller quantity keeps the order's place in the queue; a larger one or another price does
    not, and may trade at once.

    \b
    Examples:
      crossbook amend BTC-USDT 1234 --quantity 0.3
      crossbook amend BTC-USDT --id my-1 --price 59900 --quantity 1
    """
    if (order_id is not None) == bool(client_order_id):
        raise usage("give one of ORDER_ID and --id", "order_id")
    if quantity is None and price is None:
        raise usage("give --quantity, --price or both", "quantity")
    settings = client_settings(account=account, gateway=gateway)
    with Client(settings.gateway_orders, settings.account, timeout) as client:
        ack = client.amend(
            symbol.upper(), order_id or 0, client_order_id, quantity=quantity or 0, price=price or 0
        )
        client.ping()
        executions = list(client.executions())
        instrument = client.instruments[symbol.upper()]
    facts = outcome_facts(instrument, ack, executions)
    Output(as_json).result(facts, outcome_text(instrument, facts, "amended"))


def orders(
    symbol: Annotated[
        str | None,
        typer.Argument(metavar="[SYMBOL]", show_default=False, help="One instrument only."),
    ] = None,
    account: AccountOption = None,
    gateway: GatewayOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """List the account's open orders, oldest first. With --json one order per line.

    \b
    Examples:
      crossbook orders
      crossbook orders BTC-USDT --account 7 --json
    """
    settings = client_settings(account=account, gateway=gateway)
    output = Output(as_json)
    with Client(settings.gateway_orders, settings.account, timeout) as client:
        found = client.open_orders((symbol or "").upper())
        instruments = client.instruments
    facts = [order_facts(instruments[order.symbol], order) for order in found]
    if output.as_json:
        for one in facts:
            output.result(one, "")
        return
    if not facts:
        output.console.print(f"account {settings.account} has no open orders")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("order", "symbol", "side", "price", "quantity", "filled", "open", "id", "entered"):
        table.add_column(name, justify="left" if name in ("symbol", "side", "id") else "right")
    for one in facts:
        table.add_row(
            str(one["order_id"]), one["symbol"], one["side"], one["price"], one["quantity"],
            one["filled_quantity"], one["remaining_quantity"], one["client_order_id"],
            one["timestamp"][11:19],
        )  # fmt: skip
    output.console.print(table)


def usage(text: str, field: str = "") -> CommandError:
    """The command line does not make sense."""
    return CommandError(text, ExitStatus.USAGE, "USAGE", field)
