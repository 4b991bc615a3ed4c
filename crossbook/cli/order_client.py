"""The order-entry client of commands that trade."""

from crossbook.client.client import Client
from crossbook.common.process.config import Settings


def order_client(settings: Settings, timeout: float, account: int | None = None) -> Client:
    """A client of the gateway of the settings, for their account where none is given."""
    return Client(
        settings.gateway_orders,
        settings.account if account is None else account,
        timeout,
        keys=settings.client_keyring(),
    )
