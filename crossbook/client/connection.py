"""Where a client connects when its caller names nothing: the settings of the command line.

They come from the environment and `.env` (docs/reference/configuration.md). An argument beats
them, and with all arguments given nothing is read.
"""

from collections.abc import Sequence

Addresses = str | Sequence[str]
"""One address, several with commas between them, or a list."""


def order_entry(address: str | None, account: int | None) -> tuple[str, int]:
    """Address and account of an order-entry client: `GATEWAY_ORDERS` and `ACCOUNT` where they are
    None. Raises `ConfigError` for a wrong setting."""
    if address is not None and account is not None:
        return address, account
    # Imported here: it takes longer than the rest of a client that needs no settings.
    from crossbook.common.process.config import load_settings

    settings = load_settings("client")
    return (
        settings.gateway_orders if address is None else address,
        settings.account if account is None else account,
    )


def market_data(feed: Addresses | None, snapshots: Addresses | None) -> tuple[list[str], list[str]]:
    """Addresses of the feeds and of the snapshots of every shard, in one order: `PUBLISHER_FEED`
    and `PUBLISHER_SNAPSHOTS` where they are None.

    Raises `ConfigError` for a wrong setting, `ValueError` where the numbers differ.
    """
    if feed is None or snapshots is None:
        from crossbook.common.process.config import load_settings

        shards = load_settings("client").each_shard()
        feed = [each.publisher_feed for each in shards] if feed is None else feed
        if snapshots is None:
            snapshots = [each.publisher_snapshots for each in shards]
    feeds, askable = _listed(feed), _listed(snapshots)
    if len(feeds) != len(askable):
        raise ValueError(f"snapshots: {len(askable)} addresses for {len(feeds)} feeds")
    return feeds, askable


def _listed(addresses: Addresses) -> list[str]:
    """Addresses one by one; text may name several with commas."""
    if isinstance(addresses, str):
        return [address.strip() for address in addresses.split(",")]
    return list(addresses)
