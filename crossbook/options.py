"""Options that commands share, and the settings they override."""

from typing import Annotated, Final

import typer

from common.address import check_address
from common.config import Settings, load_settings

_PANEL: Final = "Connection"

AccountOption = Annotated[
    int | None,
    typer.Option(
        "--account", "-a", min=1, max=2**31 - 1, show_default=False, rich_help_panel=_PANEL,
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


def client_settings(
    *,
    account: int | None = None,
    gateway: str | None = None,
    feed: str | None = None,
    snapshots: str | None = None,
    admin: str | None = None,
) -> Settings:
    """Settings from the environment and `.env`, with what was given on the command line.

    Raises `ConfigError` for an address that is none.
    """
    settings = load_settings("client")
    given = {
        "account": account,
        "gateway_orders": gateway,
        "publisher_feed": feed,
        "publisher_snapshots": snapshots,
        "matcher_admin": admin,
    }
    for option, address in (
        ("--gateway", gateway), ("--feed", feed), ("--snapshots", snapshots), ("--admin", admin)
    ):  # fmt: skip
        for each in address.split(",") if address is not None else ():
            check_address(option, each.strip(), bind=False, insecure=False)
    return settings.model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
