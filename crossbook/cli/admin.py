"""`crossbook admin`: acts on the venue, over the matcher's own socket."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from crossbook.cli.admin_shards import NO_SHARD, admin_shards
from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.options import (
    DEFAULT_TIMEOUT_S,
    SECONDS_MAX,
    AdminOption,
    JsonOption,
    SymbolArgument,
    TimeoutOption,
    word_option,
    word_parser,
)
from crossbook.client.admin_client import new_transfer_id
from crossbook.common.errors import DecimalError
from crossbook.common.grid import format_decimal, parse_decimal
from crossbook.common.instruments import FEE_RATE_MAX, Instrument
from crossbook.common.instruments_file import instrument_of, read_file, shard_of_entry
from crossbook.common.messages.admin import AdminView, InstrumentStatus
from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    MassCancelOrders,
    SetFees,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.events import (
    AuctionUncrossed,
    BalanceAdjusted,
    Event,
    OrdersMassCanceled,
)
from crossbook.common.rules import FEE_ACCOUNT
from crossbook.common.times import time_text
from crossbook.common.types import MAX_ACCOUNT, InstrumentState, Side

_PERCENT_DECIMALS: Final = 4
_OPEN: Final = InstrumentState.OPEN.name.lower()

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Act on the venue: states, auctions, fees, balances, instruments. Each act is journaled.",
)


AmountArgument = Annotated[str, typer.Argument(metavar="AMOUNT", help="Decimal, of the asset.")]
AssetArgument = Annotated[str, typer.Argument(metavar="ASSET", help="Such as USDT.")]
AccountArgument = Annotated[
    int, typer.Argument(metavar="ACCOUNT", min=0, max=MAX_ACCOUNT, help="0 is the venue's own.")
]
OfAccountOption = Annotated[
    int | None,
    typer.Option(
        "--of", metavar="ACCOUNT", min=1, max=MAX_ACCOUNT, show_default=False,
        help="One account only.",
    ),
]  # fmt: skip
ShardOption = Annotated[
    int,
    typer.Option(
        "--shard", metavar="NUMBER", show_default=False,
        help="The shard whose ledger it is, where there are several.",
    ),
]  # fmt: skip
TransferOption = Annotated[
    str,
    typer.Option(
        "--transfer-id", metavar="ID", show_default=False,
        help="Name of the transfer: repeated under this name it is made once.",
    ),
]  # fmt: skip


@app.command()
def status(
    of: Annotated[
        int,
        typer.Option("--of", metavar="ACCOUNT", min=0, help="Whose balances; 0: the venue's own."),
    ] = FEE_ACCOUNT,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Show instruments, their states, and the balances of an account, of every shard.

    \b
    Examples:
      crossbook admin status
      crossbook admin status --of 7 --json
    """
    with admin_shards(admin, timeout) as shards:
        views = [client.view(of) for client in shards.clients]
    facts = [_status_facts(each) for view in views for each in view.instruments]
    balances: list[dict[str, Any]] = []
    decimals = _decimals(views)
    for shard, view in enumerate(views):
        where = {"shard": shard} if len(views) > 1 else {}
        balances += [
            {
                "asset": each.asset,
                "total": format_decimal(each.total_units, decimals[each.asset]),
                "held": format_decimal(each.held_units, decimals[each.asset]),
                **where,
            }
            for each in view.balances
        ]
    output = Output(as_json)
    table = Table(box=None, pad_edge=False)
    for name in ("id", "symbol", "state", "until", "last price", "maker fee", "taker fee"):
        table.add_column(name)
    for one in facts:
        table.add_row(
            str(one["id"]), one["symbol"], one["state"], one["until"] or "",
            one["last_price"] or "", one["maker_fee_percent"], one["taker_fee_percent"],
        )  # fmt: skip
    for each in balances:
        where_text = f" on shard {each['shard']}" if "shard" in each else ""
        text = f"has {each['total']}, holds {each['held']}{where_text}"
        table.add_row(str(of), each["asset"], text)
    for shard, view in enumerate(views):
        if remark := _clock_remark(view):
            table.add_row("clock", str(shard), remark)
    summary: dict[str, Any] = {
        "seq": views[0].seq,
        "time": time_text(views[0].time_ns),
        "clock": time_text(views[0].clock_ns),
        "clock_refused": any(view.clock_refused for view in views),
        "clock_manual": any(view.is_manual for view in views),
    }
    if len(views) > 1:
        summary["seqs"] = [view.seq for view in views]
    output.result({**summary, "instruments": facts, "account": of, "balances": balances}, table)


@app.command()
def state(
    symbol: SymbolArgument,
    to: Annotated[
        str,
        typer.Argument(
            metavar="STATE", parser=word_parser(InstrumentState), help="The state to put it into."
        ),
    ],
    seconds: Annotated[
        float | None,
        typer.Option(
            "--for",
            metavar="SECONDS",
            min=0.001,
            max=SECONDS_MAX,
            show_default=False,
            help="Open it again after so long; without it the state stays until the next act.",
        ),
    ] = None,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Put an instrument into a state: open, post_only, cancel_only, halted or auction.

    \b
    Examples:
      crossbook admin state BTC-USDT halted
      crossbook admin state BTC-USDT halted --for 300
      crossbook admin state BTC-USDT auction
    """
    with admin_shards(admin, timeout) as shards:
        client, found = shards.trading(symbol)
        # The venue's time, which need not be that of this machine.
        until_ns = 0 if seconds is None else client.view().time_ns + int(seconds * 1e9)
        instrument = found.definition
        new_state = InstrumentState[to.upper()]
        event = client.act(SetInstrumentState(0, 0, 0, instrument.id, new_state, until_ns))
    facts = {"symbol": instrument.symbol, "state": to, "seq": event.seq}
    Output(as_json).result(facts, f"{instrument.symbol} is {to} from number {event.seq} on")


@app.command()
def uncross(
    symbol: SymbolArgument,
    to: Annotated[
        str, word_option("--then", InstrumentState, "The state to go on in.", "STATE")
    ] = _OPEN,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """End a call phase: trade all that can at one price.

    \b
    Examples:
      crossbook admin uncross BTC-USDT
      crossbook admin uncross BTC-USDT --then halted
    """
    with admin_shards(admin, timeout) as shards:
        client, found = shards.trading(symbol)
        instrument = found.definition
        event = client.act(Uncross(0, 0, 0, instrument.id, InstrumentState[to.upper()]))
    assert isinstance(event, AuctionUncrossed), event
    price = instrument.price_text(event.price_ticks) if event.price_ticks else None
    facts = {
        "symbol": instrument.symbol,
        "price": price,
        "quantity": instrument.quantity_text(event.quantity_lots),
        "surplus": instrument.quantity_text(event.surplus_lots),
        "state": to,
        "seq": event.seq,
    }
    text = f"{instrument.symbol}: nothing to trade"
    if price is not None:
        text = f"{instrument.symbol}: {facts['quantity']} traded at {price}"
    Output(as_json).result(facts, text)


@app.command()
def fees(
    symbol: SymbolArgument,
    maker: Annotated[str, typer.Argument(metavar="MAKER", help="Percent; -0.01 is a rebate.")],
    taker: Annotated[str, typer.Argument(metavar="TAKER", help="Percent.")],
    of: OfAccountOption = None,
    inherit: Annotated[
        bool, typer.Option("--inherit", help="With --of: remove the account's own rates.")
    ] = False,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Change the fees of an instrument, or of one account in it.

    \b
    Examples:
      crossbook admin fees BTC-USDT 0.05 0.10
      crossbook admin fees --of 7 BTC-USDT -- -0.01 0.05
    """
    if inherit and of is None:
        raise CommandError("--inherit needs --of ACCOUNT", ExitStatus.USAGE, "USAGE", "of")
    rates = [_rate(field, text) for field, text in (("maker", maker), ("taker", taker))]
    account = of or 0
    with admin_shards(admin, timeout) as shards:
        client, found = shards.trading(symbol)
        instrument = found.definition
        event = client.act(SetFees(0, 0, account, instrument.id, rates[0], rates[1], inherit))
    facts = {
        "symbol": instrument.symbol, "account": account, "maker_fee_percent": maker,
        "taker_fee_percent": taker, "inherited": inherit, "seq": event.seq,
    }  # fmt: skip
    whose = f"account {of} in {instrument.symbol}" if of else instrument.symbol
    what = "the instrument's own" if inherit else f"maker {maker} %, taker {taker} %"
    Output(as_json).result(facts, f"fees of {whose}: {what}")


@app.command()
def deposit(
    account: AccountArgument,
    asset: AssetArgument,
    amount: AmountArgument,
    transfer_id: TransferOption = "",
    shard: ShardOption = NO_SHARD,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Pay into an account.

    \b
    Examples:
      crossbook admin deposit 7 USDT 1000
      crossbook admin deposit 7 BTC 0.5 --transfer-id wire-4711
    """
    _adjust(account, asset, amount, 1, transfer_id, shard, admin, timeout, as_json)


@app.command()
def withdraw(
    account: AccountArgument,
    asset: AssetArgument,
    amount: AmountArgument,
    transfer_id: TransferOption = "",
    shard: ShardOption = NO_SHARD,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Pay out of an account. Amounts that its open orders hold cannot be paid out.

    \b
    Examples:
      crossbook admin withdraw 7 USDT 1000
      crossbook admin withdraw 0 USDT 12.5
    """
    _adjust(account, asset, amount, -1, transfer_id, shard, admin, timeout, as_json)


@app.command("cancel-all")
def cancel_all(
    everything: Annotated[
        bool, typer.Option("--all", help="The orders of all accounts in all instruments.")
    ] = False,
    of: OfAccountOption = None,
    symbol: Annotated[
        str | None,
        typer.Option("--symbol", metavar="SYMBOL", show_default=False, help="One instrument only."),
    ] = None,
    side: Annotated[str | None, word_option("--side", Side, "One side only.")] = None,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Cancel open orders: of one account, of one instrument, of both together, or all of them.

    \b
    Examples:
      crossbook admin cancel-all --symbol BTC-USDT
      crossbook admin cancel-all --of 7 --side buy
      crossbook admin cancel-all --all
    """
    if everything == (of is not None or symbol is not None):
        text = (
            "give --of ACCOUNT, --symbol SYMBOL or both, or else --all for the orders of all "
            "accounts in all instruments"
        )
        raise CommandError(text, ExitStatus.USAGE, "USAGE", "all")
    of_side = 0 if side is None else Side[side.upper()]
    events: list[Event] = []
    account = of or 0
    with admin_shards(admin, timeout) as shards:
        if symbol is not None:
            client, found = shards.trading(symbol)
            events.append(client.act(MassCancelOrders(0, 0, account, found.definition.id, of_side)))
        else:
            events += [
                client.act(MassCancelOrders(0, 0, account, 0, of_side)) for client in shards.clients
            ]
    count = sum(event.count for event in events if isinstance(event, OrdersMassCanceled))
    facts = {"canceled_orders": count, "seq": events[-1].seq}
    Output(as_json).result(facts, f"{count} orders canceled")


@app.command("add-instrument")
def add_instrument(
    symbol: SymbolArgument,
    file: Annotated[
        Path, typer.Option("--file", help="An instruments file that describes it.", exists=True)
    ],
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Trade another instrument from now on, without a restart, on the shard its entry names.

    \b
    Examples:
      crossbook admin add-instrument DOGE-USDT --file more-instruments.toml
    """
    document = read_file(file)
    entries = [entry for entry in document.instrument if entry.symbol == symbol.upper()]
    if not entries:
        text = f"{file} describes no {symbol.upper()}"
        raise CommandError(text, ExitStatus.USAGE, "UNKNOWN_SYMBOL", "symbol")
    instrument = instrument_of(entries[0], document.assets)
    with admin_shards(admin, timeout) as shards:
        client = shards.named(shard_of_entry(entries[0], len(shards.clients)))
        event = client.act(AddInstrument(0, 0, 0, instrument.id, instrument))
    facts = {"symbol": instrument.symbol, "id": instrument.id, "seq": event.seq}
    Output(as_json).result(facts, f"{instrument.symbol} is traded from number {event.seq} on")


def _adjust(
    account: int,
    asset: str,
    amount: str,
    sign: int,
    transfer_id: str,
    shard: int,
    admin: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    asset = asset.upper()
    with admin_shards(admin, timeout) as shards:
        client = shards.named(shard)
        view = client.view()
        decimals = _decimals([view])
        if asset not in decimals:
            text = f"no instrument here has the asset {asset!r}, but {', '.join(decimals)}"
            raise CommandError(text, ExitStatus.USAGE, "UNKNOWN_ASSET", "asset")
        units = _parsed("amount", amount, decimals[asset])
        if not units:
            text = f"{amount!r} is not above zero"
            raise CommandError(text, ExitStatus.USAGE, "USAGE", "amount")
        transfer_id = transfer_id or new_transfer_id(view, asset)
        command = AdjustBalance(0, 0, account, 0, asset, sign * units, transfer_id)
        event = client.act(command)
    assert isinstance(event, BalanceAdjusted), event
    balance = format_decimal(event.balance, decimals[asset])
    facts = {
        "account": account, "asset": asset, "amount": format_decimal(event.amount, decimals[asset]),
        "balance": balance, "transfer_id": transfer_id, "seq": event.seq,
    }  # fmt: skip
    Output(as_json).result(facts, f"account {account} has {balance} {asset}")


def _clock_remark(view: AdminView) -> str:
    """What is special about a matcher's clock; empty where it follows that of its machine."""
    time = time_text(view.time_ns)
    if view.clock_refused:
        return f"refused: it shows {time_text(view.clock_ns)}, commands are stamped {time}"
    return f"manual: stands at {time}" if view.is_manual else ""


def _parsed(field: str, text: str, decimals: int) -> int:
    """Units of decimal text; raises a usage error naming `field` and the text."""
    try:
        return parse_decimal(text, decimals)
    except DecimalError as error:
        raise CommandError(f"{text!r} is {error}", ExitStatus.USAGE, "USAGE", field) from error


def _status_facts(status: InstrumentStatus) -> dict[str, Any]:
    instrument = status.definition
    last = status.last_price_ticks
    return {
        "id": instrument.id,
        "symbol": instrument.symbol,
        "state": InstrumentState(status.state).name.lower(),
        "until": time_text(status.until_ns) if status.until_ns else None,
        "last_price": instrument.price_text(last) if last else None,
        "last_trade_id": status.last_trade_id,
        "maker_fee_percent": format_decimal(instrument.maker_fee_rate, _PERCENT_DECIMALS),
        "taker_fee_percent": format_decimal(instrument.taker_fee_rate, _PERCENT_DECIMALS),
    }


def _decimals(views: Iterable[AdminView]) -> dict[str, int]:
    found: dict[str, int] = {}
    for status in (each for view in views for each in view.instruments):
        instrument: Instrument = status.definition
        found[instrument.base] = instrument.base_decimals
        found[instrument.quote] = instrument.quote_decimals
    return found


def _rate(field: str, percent: str) -> int:
    rate = _parsed(field, percent.removeprefix("-"), _PERCENT_DECIMALS)
    if rate > FEE_RATE_MAX:
        limit = format_decimal(FEE_RATE_MAX, _PERCENT_DECIMALS)
        text = f"{percent} percent is more than {limit}"
        raise CommandError(text, ExitStatus.USAGE, "USAGE", field)
    return -rate if percent.startswith("-") else rate
