"""Options that commands share, and the settings they override."""

from collections.abc import Callable
from enum import IntEnum
from typing import Annotated, Any, Final

import typer

from crossbook.common.errors import ConfigError
from crossbook.common.process.address import at_home, check_address
from crossbook.common.process.config import Settings, load_settings, names_found
from crossbook.common.types import MAX_ACCOUNT

_PANEL: Final = "Connection"

AccountOption = Annotated[
    int | None,
    typer.Option(
        "--account", "-a", min=1, max=MAX_ACCOUNT, show_default=False, rich_help_panel=_PANEL,
        help="Account to act for (setting ACCOUNT, 1 by default).",
    ),
]  # fmt: skip
GatewayOption = Annotated[
    str | None,
    typer.Option(
        "--gateway", metavar="ADDRESS", show_default=False, rich_help_panel=_PANEL,
        help="The gateway's order entry (setting GATEWAY_ORDERS).",
    ),
]  # fmt: skip
FeedOption = Annotated[
    str | None,
    typer.Option(
        "--feed", metavar="ADDRESS", show_default=False, rich_help_panel=_PANEL,
        help="The publisher's feed (setting PUBLISHER_FEED).",
    ),
]  # fmt: skip
SnapshotsOption = Annotated[
    str | None,
    typer.Option(
        "--snapshots", metavar="ADDRESS", show_default=False, rich_help_panel=_PANEL,
        help="The publisher's snapshots and resends (setting PUBLISHER_SNAPSHOTS).",
    ),
]  # fmt: skip
AdminOption = Annotated[
    str | None,
    typer.Option(
        "--admin", metavar="ADDRESS", show_default=False, rich_help_panel=_PANEL,
        help="The matcher's administrator socket (setting MATCHER_ADMIN).",
    ),
]  # fmt: skip
TimeoutOption = Annotated[
    float,
    typer.Option(
        "--timeout", min=0.1, max=600, metavar="SECONDS", rich_help_panel=_PANEL,
        help="How long to wait for an answer.",
    ),
]  # fmt: skip
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print JSON, one object per line; decimals are strings."),
]
SymbolArgument = Annotated[
    str,
    typer.Argument(metavar="SYMBOL", show_default=False, help="Instrument, such as BTC-USDT."),
]

DEFAULT_TIMEOUT_S: Final = 5.0
SECONDS_MAX: Final = 1_000_000_000
"""Longest time an option accepts: some thirty years, so that an end fits 64 bits."""


def word_parser(kinds: type[IntEnum]) -> Callable[[str], str]:
    """Parses the name of an enumeration's member, in lower case."""
    words = _words(kinds)

    def parse(word: str) -> str:
        if word not in words:
            names = ", ".join(map(repr, words))
            raise typer.BadParameter(f"{word!r} is not one of {names}.")
        return word

    return parse


def word_option(name: str, kinds: type[IntEnum], text: str, metavar: str = "") -> Any:
    """An option whose value is the name of an enumeration's member, in lower case."""
    choices = f"<{'|'.join(_words(kinds))}>"
    return typer.Option(name, parser=word_parser(kinds), metavar=metavar or choices, help=text)


def _words(kinds: type[IntEnum]) -> list[str]:
    return [each.name.lower() for each in kinds]


def client_settings(
    *,
    account: int | None = None,
    gateway: str | None = None,
    feed: str | None = None,
    snapshots: str | None = None,
    admin: str | None = None,
) -> Settings:
    """Settings from the environment and `.env`, overridden by options of the command line.

    Raises `ConfigError` for an address that is none.
    """
    settings = load_settings("client")
    for remark in names_found().remarks:
        typer.echo(remark, err=True)
    given: dict[str, int | str] = {} if account is None else {"account": account}
    for option, name, address in (
        ("--gateway", "gateway_orders", gateway),
        ("--feed", "publisher_feed", feed),
        ("--snapshots", "publisher_snapshots", snapshots),
        ("--admin", "matcher_admin", admin),
    ):
        if address is not None:
            each = [_checked(option, one.strip()) for one in address.split(",")]
            given[name] = ",".join(each)
    return settings.model_copy(update=given)


def _checked(option: str, address: str) -> str:
    try:
        address = at_home(address)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from None
    check_address(option, address, bind=False, insecure=False)
    return address
