"""Where a client connects when its caller names nothing: the settings of the command line.

They come from the environment and `.env` (docs/reference/configuration.md). An argument beats
them, and with all arguments given nothing is read.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from crossbook.common.process.keyring import Keyring

Addresses = str | Sequence[str]
"""One address, several with commas between them, or a list."""

Keys = str | PathLike[str] | Keyring
"""The path of a client's key file, or the keys themselves."""


def order_entry(
    address: str | None, account: int | None, keys: Keys | None = None
) -> tuple[str, int, Keyring | None]:
    """Address, account and keys of an order-entry client: `GATEWAY_ORDERS` and `ACCOUNT` where they
    are None, and then `CLIENT_KEY_FILE` too. Raises `ConfigError` for a wrong setting."""
    if address is not None and account is not None:
        return address, account, keyring_of(keys)
    # Imported here: it takes longer than the rest of a client that needs no settings.
    from crossbook.common.process.config import load_settings

    settings = load_settings("client")
    return (
        settings.gateway_orders if address is None else address,
        settings.account if account is None else account,
        settings.client_keyring() if keys is None else keyring_of(keys),
    )


def market_data(
    feed: Addresses | None, snapshots: Addresses | None, keys: Keys | None = None
) -> tuple[list[str], list[str], Keyring | None]:
    """Addresses of the feeds and of the snapshots of every shard, in one order, and the keys:
    `PUBLISHER_FEED` and `PUBLISHER_SNAPSHOTS` where they are None, and then `CLIENT_KEY_FILE` too.

    Raises `ConfigError` for a wrong setting, `ValueError` where the numbers differ.
    """
    keyring = keyring_of(keys)
    if feed is None or snapshots is None:
        from crossbook.common.process.config import load_settings

        settings = load_settings("client")
        shards = settings.each_shard()
        keyring = settings.client_keyring() if keys is None else keyring
        feed = [each.publisher_feed for each in shards] if feed is None else feed
        if snapshots is None:
            snapshots = [each.publisher_snapshots for each in shards]
    feeds, askable = _listed(feed), _listed(snapshots)
    if len(feeds) != len(askable):
        raise ValueError(f"snapshots: {len(askable)} addresses for {len(feeds)} feeds")
    return feeds, askable, keyring


def keyring_of(keys: Keys | None) -> Keyring | None:
    """The keys of a file, or those given; raises `ConfigError` for a file that is none."""
    if keys is None or isinstance(keys, Keyring):
        return keys
    return Keyring.of_client(Path(keys), "keys")


def _listed(addresses: Addresses) -> list[str]:
    """Addresses one by one; text may name several with commas."""
    if isinstance(addresses, str):
        return [address.strip() for address in addresses.split(",")]
    return list(addresses)
