"""The tables of an export: their columns, in order, with kind and meaning.

A value of a row is text, an integer, a boolean, decimal text, or nanoseconds since the Unix epoch;
None where the column has no value. Decimal text has exactly the digits behind the point of its
instrument.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from crossbook.common.instruments import Instrument

Kind: TypeAlias = Literal[
    "text", "integer", "boolean", "time", "price", "quantity", "quote", "money"
]
"""`price`, `quantity`, `quote` (money in the quote asset) and `money` (in either asset) are
decimals."""

DECIMALS: Final = ("price", "quantity", "quote", "money")

Row: TypeAlias = tuple[Any, ...]


class Column(Struct, frozen=True):
    """One column; `optional` ones have rows without a value."""

    name: str
    kind: Kind
    meaning: str
    optional: bool = False


class Table(Struct, frozen=True):
    """One table of an export."""

    name: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns, in order."""
        return tuple(column.name for column in self.columns)

    def scales(self, instruments: Iterable[Instrument]) -> Mapping[str, int]:
        """Digits behind the point of each decimal column: the most of any of the instruments."""
        most = dict.fromkeys(DECIMALS, 0)
        for grid in (each.grid for each in instruments):
            for kind in DECIMALS:
                axes = (grid.base, grid.quote) if kind == "money" else (getattr(grid, kind),)
                most[kind] = max(most[kind], *(axis.decimals for axis in axes))
        return {c.name: most[c.kind] for c in self.columns if c.kind in DECIMALS}


TRADES: Final = Table(
    "trades",
    (
        Column("symbol", "text", "the instrument"),
        Column("trade_id", "integer", "dense from 1 for each instrument"),
        Column("seq", "integer", "the matcher's number of the command that traded"),
        Column("time", "time", "the matcher's time of it"),
        Column("price", "price", "the maker's price"),
        Column("quantity", "quantity", "what changed hands"),
        Column("notional", "quote", "price times quantity"),
        Column("aggressor_side", "text", "the taker's side: `buy` or `sell`"),
        Column("maker_order_id", "integer", "the resting order"),
        Column("taker_order_id", "integer", "the incoming order"),
    ),
)

CANDLES: Final = Table(
    "candles",
    (
        Column("symbol", "text", "the instrument"),
        Column("interval", "text", "the length: `1s`, `1m`, `5m`, `15m`, `1h`, `4h`, `1d`"),
        Column("open_time", "time", "its beginning, a multiple of its length; no trade, no row"),
        Column("open", "price", "the first price"),
        Column("high", "price", "the highest price"),
        Column("low", "price", "the lowest price"),
        Column("close", "price", "the last price"),
        Column("volume", "quantity", "the sum of quantities"),
        Column("quote_volume", "quote", "the sum of notionals"),
        Column("trades", "integer", "the number of trades"),
        Column("first_trade_id", "integer", "its first trade"),
        Column("last_trade_id", "integer", "its last trade"),
        Column("seq", "integer", "the matcher's number of its last trade"),
    ),
)

ORDERS: Final = Table(
    "orders",
    (
        Column("order_id", "integer", "the matcher's number of the command that entered it"),
        Column("symbol", "text", "the instrument"),
        Column("account", "integer", "its owner"),
        Column("client_order_id", "text", "the name its owner gave it", optional=True),
        Column("side", "text", "`buy` or `sell`"),
        Column("type", "text", "`limit`, `market`, `stop`, `stop_limit`, `take_profit`, "
               "`take_profit_limit`"),
        Column("time_in_force", "text", "`gtc`, `ioc`, `fok`, `gtd`, `day`"),
        Column("price", "price", "the limit, as last amended", optional=True),
        Column("quantity", "quantity", "the total, as last amended; none of an order by quote "
               "amount", optional=True),
        Column("quote_quantity", "quote", "the amount a market order may spend", optional=True),
        Column("status", "text", "`NEW`, `PARTIALLY_FILLED`, `FILLED`, `CANCELED`, `EXPIRED`, "
               "`EXPIRED_IN_MATCH`"),
        Column("filled_quantity", "quantity", "traded so far"),
        Column("remaining_quantity", "quantity", "not traded yet; zero of an ended order"),
        Column("filled_notional", "quote", "the sum of its fills' notionals"),
        Column("reason", "text", "the reason of its end, where it had any", optional=True),
        Column("created_time", "time", "its entry"),
        Column("updated_time", "time", "its last change"),
        Column("updated_seq", "integer", "the matcher's number of its last change"),
        Column("trigger_price", "price", "of a stop or take-profit", optional=True),
        Column("display_quantity", "quantity", "what an iceberg shows", optional=True),
        Column("expire_time", "time", "the end of a GTD or DAY order", optional=True),
        Column("post_only", "boolean", "whether it may not take"),
        Column("prevention", "text", "its mode of self-trade prevention"),
        Column("working", "boolean", "false while it waits for its trigger"),
    ),
)  # fmt: skip

FILLS: Final = Table(
    "fills",
    (
        Column("symbol", "text", "the instrument"),
        Column("trade_id", "integer", "the trade: it has two fills, the taker's first"),
        Column("seq", "integer", "the matcher's number of the command that traded"),
        Column("time", "time", "the matcher's time of it"),
        Column("account", "integer", "the owner of the order"),
        Column("order_id", "integer", "the order"),
        Column("client_order_id", "text", "the name its owner gave it", optional=True),
        Column("side", "text", "`buy` or `sell`"),
        Column("price", "price", "the maker's price"),
        Column("quantity", "quantity", "what changed hands"),
        Column("notional", "quote", "price times quantity"),
        Column("fee", "money", "what the account paid; negative is a rebate"),
        Column("fee_asset", "text", "the asset received, in which the fee is"),
        Column("liquidity", "text", "`maker` or `taker`"),
    ),
)

L3: Final = Table(
    "l3",
    (
        Column("symbol", "text", "the instrument"),
        Column("seq", "integer", "the matcher's number of the command; rows of one number are in "
               "the order they happened"),
        Column("time", "time", "the matcher's time of it"),
        Column("event", "text", "`add`: an order joins the back of its level; `execute`: it "
               "trades; `modify`: it shows another quantity and keeps its place; `delete`: it "
               "leaves"),
        Column("order_id", "integer", "the resting order"),
        Column("side", "text", "`buy` or `sell`"),
        Column("price", "price", "the price it rests at"),
        Column("quantity", "quantity", "added, traded or taken away; of `modify` the new one"),
        Column("remaining", "quantity", "what it shows from now on"),
        Column("trade_id", "integer", "of `execute`", optional=True),
        Column("other_order_id", "integer", "of `execute`: the order it trades with",
               optional=True),
    ),
)  # fmt: skip

TABLES: Final[Mapping[str, Table]] = {
    each.name: each for each in (TRADES, CANDLES, ORDERS, FILLS, L3)
}
