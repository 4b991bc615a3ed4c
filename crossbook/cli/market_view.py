"""The market data of commands that show it: opened, loaded, and ended with Ctrl-C."""

from collections.abc import Callable, Sequence
from typing import Final

from crossbook.cli.console import CommandError, ExitStatus
from crossbook.client.market.updates import MarketUpdate
from crossbook.client.market_data import MarketData
from crossbook.common.process.config import Settings
from crossbook.common.types import RejectReason
from crossbook.errors import MarketDataError

FRAMES_PER_SECOND: Final = 10
"""How often a live view is drawn."""


def open_market(
    settings: Settings, symbols: Sequence[str], channels: tuple[str, ...]
) -> MarketData:
    """Market data of the instruments named, or of all where none is."""
    shards = settings.each_shard()
    return MarketData(
        [shard.publisher_feed for shard in shards],
        [shard.publisher_snapshots for shard in shards],
        symbols,
        channels,
        keys=settings.client_keyring(),
    )


def wait_ready(market: MarketData, symbols: Sequence[str], timeout: float) -> list[MarketUpdate]:
    """Wait until every instrument is loaded; an unknown one is refused by name."""
    try:
        return market.wait_ready(timeout)
    except MarketDataError as error:
        known = market.instruments
        unknown = [symbol for symbol in symbols if symbol not in known]
        if not known or not unknown:
            raise
        raise CommandError(
            f"{', '.join(unknown)} is not traded here, but {', '.join(known)}",
            ExitStatus.REFUSED,
            RejectReason.UNKNOWN_SYMBOL.name,
            "symbol",
        ) from error


def until_interrupt(step: Callable[[], None]) -> None:
    """Repeat `step` until Ctrl-C, which is no error here."""
    try:
        while True:
            step()
    except KeyboardInterrupt:
        return
