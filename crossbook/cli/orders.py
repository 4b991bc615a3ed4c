"""`crossbook buy`, `sell`, `cancel`, `amend`, `orders`, `balances`."""

from collections.abc import Callable
from typing import Annotated, Final

import typer
from rich.table import Table

from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.options import (
    DEFAULT_TIMEOUT_S,
    SECONDS_MAX,
    AccountOption,
    GatewayOption,
    JsonOption,
    SymbolArgument,
    TimeoutOption,
    client_settings,
    word_option,
)
from crossbook.cli.order_client import order_client
from crossbook.cli.rendering import balance_facts, order_facts, outcome_facts, outcome_text
from crossbook.client.request import OrderTerms
from crossbook.common.process.clock import SystemClock
from crossbook.common.types import OrderType, Prevention, Side, TimeInForce

_GTC: Final = TimeInForce.GTC.name.lower()
_EXPIRE_TAKER: Final = Prevention.EXPIRE_TAKER.name.lower()


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
    str,
    word_option(
        "--tif",
        TimeInForce,
        "gtc rests, ioc expires what does not fill at once, fok fills whole or not at all, "
        "gtd rests for --expire-in, day until midnight UTC.",
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
StopOption = Annotated[
    str | None,
    typer.Option(
        "--stop", metavar="PRICE", show_default=False,
        help="Wait until the last trade is at this price or beyond it; then PRICE, or market.",
    ),
]  # fmt: skip
TakeProfitOption = Annotated[
    str | None,
    typer.Option(
        "--take-profit", metavar="PRICE", show_default=False,
        help="As --stop, from the other side.",
    ),
]  # fmt: skip
ShowOption = Annotated[
    str | None,
    typer.Option(
        "--show", metavar="QUANTITY", show_default=False,
        help="An iceberg: show this much at a time.",
    ),
]  # fmt: skip
PostOnlyOption = Annotated[
    bool, typer.Option("--post-only", help="Be refused rather than trade at once.")
]
ExpireOption = Annotated[
    float | None,
    typer.Option(
        "--expire-in",
        metavar="SECONDS",
        min=0.001,
        max=SECONDS_MAX,
        show_default=False,
        help="With --tif gtd.",
    ),
]
PreventionOption = Annotated[
    str,
    word_option(
        "--self-trade",
        Prevention,
        "Which order gives way where it meets one of its own account.",
    ),
]
OrderIdArgument = Annotated[
    int | None,
    typer.Argument(metavar="[ORDER_ID]", min=1, show_default=False, help="The exchange's id."),
]
OldIdOption = Annotated[
    str,
    typer.Option("--id", metavar="ID", show_default=False, help="Your own id, not ORDER_ID."),
]


def _entry(side: Side, text: str) -> Callable[..., None]:
    """The command that enters an order of one side; `text` is its help."""

    def enter(
        symbol: SymbolArgument,
        quantity: QuantityArgument = None,
        price: PriceArgument = None,
        market: MarketOption = False,
        tif: TimeInForceOption = _GTC,
        quote_amount: QuoteAmountOption = None,
        client_order_id: NewIdOption = "",
        stop: StopOption = None,
        take_profit: TakeProfitOption = None,
        show: ShowOption = None,
        post_only: PostOnlyOption = False,
        expire_in: ExpireOption = None,
        prevention: PreventionOption = _EXPIRE_TAKER,
        account: AccountOption = None,
        gateway: GatewayOption = None,
        timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
        as_json: JsonOption = False,
    ) -> None:
        settings = client_settings(account=account, gateway=gateway)
        order_type = _order_type(
            symbol, quantity, price, market or quote_amount is not None, quote_amount, stop,
            take_profit,
        )  # fmt: skip
        terms: OrderTerms = {
            "order_type": order_type,
            "time_in_force": tif,
            "client_order_id": client_order_id,
            "quote_amount": quote_amount,
            "stop_price": take_profit if stop is None else stop,
            "display_quantity": show,
            "expire_time": _expire_time(tif, expire_in),
            "post_only": post_only,
            "prevention": prevention,
        }
        with order_client(settings, timeout) as client:
            ack = client.submit(symbol.upper(), side, quantity, price, **terms)
            # A ping's answer overtakes nothing: the order's reports have arrived before it.
            client.ping()
            executions = list(client.executions())
            instrument = client.instruments[symbol.upper()]
        facts = {**outcome_facts(instrument, ack, executions), "side": side.name.lower()}
        waits = order_type > OrderType.MARKET
        text = outcome_text(instrument, facts, "waits" if waits else "accepted")
        Output(as_json).result(facts, text)

    enter.__doc__ = text
    return enter


buy = _entry(
    Side.BUY,
    """Enter a buy order and show what happened to it at once.

    \b
    Examples:
      crossbook buy BTC-USDT 0.5 60000
      crossbook buy BTC-USDT 0.5 60000 --tif ioc --id my-1
      crossbook buy BTC-USDT 0.5 --market
      crossbook buy BTC-USDT --quote-amount 1000
    """,
)

sell = _entry(
    Side.SELL,
    """Enter a sell order and show what happened to it at once.

    \b
    Examples:
      crossbook sell BTC-USDT 0.5 61000
      crossbook sell BTC-USDT 0.5 --market --json
    """,
)


def _order_type(
    symbol: str,
    quantity: str | None,
    price: str | None,
    market: bool,
    quote_amount: str | None,
    stop: str | None,
    take_profit: str | None,
) -> OrderType:
    """The type of the order; raises a usage error for options that do not go together."""
    if quote_amount is not None and quantity is not None:
        raise usage("give QUANTITY or --quote-amount, not both", "quantity")
    if quote_amount is None and quantity is None:
        raise usage(f"give QUANTITY, or --quote-amount{_perhaps(symbol)}", "quantity")
    if stop is not None and take_profit is not None:
        raise usage("give --stop or --take-profit, not both", "stop")
    if market and price is not None:
        raise usage("a market order has no PRICE", "price")
    if stop is not None:
        return OrderType.STOP if price is None else OrderType.STOP_LIMIT
    if take_profit is not None:
        return OrderType.TAKE_PROFIT if price is None else OrderType.TAKE_PROFIT_LIMIT
    if not market and price is None:
        raise usage(f"give PRICE, or --market{_perhaps(symbol)}", "price")
    return OrderType.MARKET if market else OrderType.LIMIT


def _expire_time(tif: str, expire_in: float | None) -> int | None:
    """When an order with --expire-in ends, in nanoseconds; only one with --tif gtd has such an
    end."""
    if (expire_in is not None) != (tif == "gtd"):
        raise usage("--tif gtd and --expire-in go together", "expire_in")
    return None if expire_in is None else SystemClock().now_ns() + int(expire_in * 1e9)


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
        str | None,
        word_option("--side", Side, "With --all: one side only."),
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
        if symbol is not None and is_number(symbol):
            raise usage(f"give SYMBOL before the order id, as in BTC-USDT {symbol}", "symbol")
        raise usage("give one of ORDER_ID, --id and --all", "order_id")
    if not everything and (symbol is None or side is not None):
        raise usage("give SYMBOL" if symbol is None else "--side needs --all", "symbol")
    settings = client_settings(account=account, gateway=gateway)
    output = Output(as_json)
    with order_client(settings, timeout) as client:
        if everything:
            of_symbol = None if symbol is None else symbol.upper()
            ack = client.mass_cancel(of_symbol, side)
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
    stop: Annotated[
        str | None,
        typer.Option(
            "--stop",
            metavar="PRICE",
            show_default=False,
            help="New stop price, of a stop or take-profit.",
        ),
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
        if order_id is None and is_number(symbol):
            raise usage(f"give SYMBOL before the order id, as in BTC-USDT {symbol}", "symbol")
        raise usage("give one of ORDER_ID and --id", "order_id")
    if quantity is None and price is None and stop is None:
        raise usage("give --quantity, --price or --stop", "quantity")
    settings = client_settings(account=account, gateway=gateway)
    with order_client(settings, timeout) as client:
        ack = client.amend(
            symbol.upper(), order_id or 0, client_order_id, quantity=quantity,
            price=price, stop_price=stop,
        )  # fmt: skip
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
    with order_client(settings, timeout) as client:
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
    columns = (
        "order", "symbol", "side", "type", "price", "stop", "quantity", "filled", "open", "id",
        "entered",
    )  # fmt: skip
    for name in columns:
        left = name in ("symbol", "side", "type", "id")
        table.add_column(name, justify="left" if left else "right")
    for one in facts:
        table.add_row(
            str(one["order_id"]), one["symbol"], one["side"], one["order_type"], one["price"],
            one["stop_price"] or "", one["quantity"],
            one["filled_quantity"], one["remaining_quantity"], one["client_order_id"],
            one["timestamp"][11:19],
        )  # fmt: skip
    output.console.print(table)


def balances(
    account: AccountOption = None,
    gateway: GatewayOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Show the account's balance of each asset, and how much of it open orders hold.

    \b
    Examples:
      crossbook balances
      crossbook balances --account 7 --json
    """
    settings = client_settings(account=account, gateway=gateway)
    output = Output(as_json)
    with order_client(settings, timeout) as client:
        found = client.balances()
        instruments = client.instruments.values()
    decimals = {each.base: each.base_decimals for each in instruments}
    decimals |= {each.quote: each.quote_decimals for each in instruments}
    facts = [balance_facts(each, decimals[each.asset]) for each in found]
    if output.as_json:
        for one in facts:
            output.result(one, "")
        return
    if not facts:
        output.console.print(f"no balances are kept of account {settings.account}")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("asset", "total", "held", "available"):
        table.add_column(name, justify="left" if name == "asset" else "right")
    for one in facts:
        table.add_row(one["asset"], one["total"], one["held"], one["available"])
    output.console.print(table)


def is_number(text: str) -> bool:
    """Whether a word looks like a number rather than an instrument."""
    return bool(text) and not text.strip("0123456789.")


def _perhaps(symbol: str) -> str:
    """A further hint for a missing word, where the first one is a number."""
    return f"; SYMBOL comes first, and {symbol} is none" if is_number(symbol) else ""


def usage(text: str, field: str = "") -> CommandError:
    """The error of a wrong command line."""
    return CommandError(text, ExitStatus.USAGE, "USAGE", field)
