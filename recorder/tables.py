"""The tables of the database: docs/reference/history-database.md describes each table.

Only numbers and short text, in the units of the events. A row is written in the order of its
columns here, so columns are appended, never moved, and every change raises `SCHEMA_VERSION`. A
column with an older name in the database has the present word as its `key`.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    literal_column,
    text,
)

from crossbook.common.types import MAX_CLIENT_ORDER_ID, OrderStatus

SCHEMA_VERSION: Final = 6
"""Tables of version 5 had no amendments, those of version 4 not what takers bought either, those of
version 3 no instruments, those of version 2 one column for a sum: they get what is missing when
they are opened. Any other version is refused."""

PART: Final = 10**18
"""Upper bound of a sum's lower column; the rest is in the one named `*_high`. Two lower parts and
their carry fit in a column."""

_OPEN = f"{int(OrderStatus.NEW)}, {int(OrderStatus.PARTIALLY_FILLED)}"
IS_OPEN: Final = text(f"status IN ({_OPEN})")
IS_ENDED: Final = text(f"status NOT IN ({_OPEN})")
IS_NAMED: Final = text("client_order_id <> ''")
"""Conditions of the partial indexes, and the opposite of one: a query needs the same text to use an
index."""

OWNER: ColumnElement[int] = literal_column("(account + 0)", BigInteger)
"""The account as an expression that only its own index fits: SQLite would else prefer any index
that begins with the account to the small one."""

METADATA: Final = MetaData()


def _key(name: str) -> "Column[int]":
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _number(name: str, key: str = "") -> "Column[int]":
    return Column(name, BigInteger, nullable=False, key=key or name)


def _small(name: str, key: str = "") -> "Column[int]":
    return Column(name, SmallInteger, nullable=False, key=key or name)


def _name() -> "Column[str]":
    return Column("client_order_id", String(MAX_CLIENT_ORDER_ID), nullable=False)


def _text(name: str) -> "Column[str]":
    return Column(name, Text, nullable=False)


POSITION: Final = Table(
    "position",
    METADATA,
    _key("id"),
    _number("schema_version"),
    _number("stream", key="incarnation"),
    _number("seq"),
    _number("time_ns"),
    _number("first_seq"),
    _number("last_fill_id"),
)
"""One row: the last command of the record, and its first."""

INSTRUMENTS: Final = Table(
    "instruments",
    METADATA,
    _key("id"),
    _text("symbol"),
    _text("base"),
    _text("quote"),
    _text("tick_size"),
    _text("lot_size"),
    _small("base_decimals"),
    _small("quote_decimals"),
)
"""What never changes of an instrument, and gives the numbers of the other tables their units."""

ORDERS: Final = Table(
    "orders",
    METADATA,
    _key("order_id"),
    _number("account"),
    _number("instrument"),
    _name(),
    _small("side"),
    _small("order_type"),
    _small("time_in_force"),
    _number("price_ticks"),
    _number("quantity_lots"),
    _number("quote_amount"),
    _small("status"),
    _number("filled_lots"),
    _number("open_lots", key="remaining_lots"),
    _number("filled_notional"),
    _small("reason"),
    _number("created_ns"),
    _number("updated_ns"),
    _number("updated_seq"),
    _number("trigger_ticks"),
    _number("display_lots"),
    _number("expire_ns"),
    _small("post_only"),
    _small("self_trade", key="prevention"),
    _small("working"),
    _number("filled_notional_high"),
)

FILLS: Final = Table(
    "fills",
    METADATA,
    _key("fill_id"),
    _number("seq"),
    _number("trade_id"),
    _number("instrument"),
    _number("account"),
    _number("order_id"),
    _name(),
    _small("side"),
    _number("price_ticks"),
    _number("quantity_lots"),
    _number("fee"),
    _small("liquidity"),
    _number("time_ns"),
)

TRADES: Final = Table(
    "trades",
    METADATA,
    _key("instrument"),
    _key("trade_id"),
    _number("seq"),
    _number("price_ticks"),
    _number("quantity_lots"),
    _small("aggressor_side"),
    _number("maker_order_id"),
    _number("taker_order_id"),
    _number("time_ns"),
    sqlite_with_rowid=False,
)

CANDLES: Final = Table(
    "candles",
    METADATA,
    _key("instrument"),
    _key("interval_s"),
    _key("open_ns"),
    _number("open_ticks"),
    _number("high_ticks"),
    _number("low_ticks"),
    _number("close_ticks"),
    _number("volume_lots"),
    _number("quote_volume"),
    _number("trades"),
    _number("first_trade_id"),
    _number("last_trade_id"),
    _number("seq"),
    _number("volume_high"),
    _number("quote_volume_high"),
    _number("taker_buy_lots"),
    _number("taker_buy_quote_volume"),
    _number("taker_buy_high"),
    _number("taker_buy_quote_volume_high"),
    sqlite_with_rowid=False,
)

AMENDMENTS: Final = Table(
    "amendments",
    METADATA,
    _key("order_id"),
    _key("seq"),
    _number("before_lots"),
    _number("quantity_lots"),
    _number("time_ns"),
    sqlite_with_rowid=False,
)

# Every index costs a write for each order or fill, so only questions have one. Ended orders leave
# the index of open ones, which stays as small as the books.
_ORDER: Final = ORDERS.c
Index("orders_of_account", _ORDER.account, _ORDER.order_id)
Index("orders_of_instrument", _ORDER.account, _ORDER.instrument, _ORDER.order_id)
Index("orders_open", OWNER, _ORDER.order_id, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN)
Index(
    "orders_by_name",
    _ORDER.account,
    _ORDER.client_order_id,
    _ORDER.order_id,
    sqlite_where=IS_NAMED,
    postgresql_where=IS_NAMED,
)
Index("fills_of_account", FILLS.c.account, FILLS.c.fill_id)
Index("fills_of_instrument", FILLS.c.account, FILLS.c.instrument, FILLS.c.fill_id)
Index("fills_of_order", FILLS.c.order_id, FILLS.c.fill_id)
