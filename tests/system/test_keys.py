"""Keys of a running exchange: two gateways follow every change, also after kill -9."""

import hmac
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from msgspec import Struct

from crossbook.client.admin_client import AdminClient
from crossbook.matcher.recovery import verify as journal_verify
from tests.system.exchange import Exchange

pytestmark = pytest.mark.slow

TARGET = "/api/v1/account"


class Gateway(Struct):
    """One of the two gateways."""

    name: str
    port: int

    def status(self, key_id: str, secret: str) -> int:
        """The status of a signed request for balances."""
        timestamp = str(time.time_ns())
        text = "\n".join((key_id, timestamp, "", "GET", TARGET, ""))
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{TARGET}")
        request.add_header("CROSSBOOK-KEY", key_id)
        request.add_header("CROSSBOOK-TIMESTAMP", timestamp)
        signature = hmac.digest(secret.encode(), text.encode(), "sha256").hex()
        request.add_header("CROSSBOOK-SIGNATURE", signature)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


class KeyedExchange:
    """A matcher and two gateways that request signatures."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            second = free.getsockname()[1]
        self.gateways = [Gateway("gateway", exchange.api_port), Gateway("gateway-2", second)]

    def start(self, gateway: Gateway) -> None:
        number = self.gateways.index(gateway) + 1
        self.exchange.start(
            gateway.name, SHARD="0", API_PORT=str(gateway.port), GATEWAY_ID=str(number)
        )

    def wait(self, key_id: str, secret: str, status: int) -> None:
        """Return once both gateways give a signed request this status."""
        for gateway in self.gateways:
            self.exchange.wait_until(
                f"{gateway.name} answers {status} to {key_id}",
                lambda one=gateway: one.status(key_id, secret) == status,  # type: ignore[misc]
                30,
            )

    @contextmanager
    def admin(self) -> Iterator[AdminClient]:
        """An administrator on the matcher's own socket."""
        with AdminClient(f"ipc://{self.exchange.data}/admin.sock", timeout_s=20) as client:
            yield client


@pytest.fixture
def keyed() -> Iterator[KeyedExchange]:
    inside = {
        name: f"ipc://data/{file}.sock"
        for name, file in (
            ("MATCHER_COMMANDS", "commands"),
            ("MATCHER_EVENTS", "events"),
            ("MATCHER_SYNC", "sync"),
            ("MATCHER_ADMIN", "admin"),
            ("RECORDER_HISTORY", "history"),
        )
    }
    with Exchange(ready=False, AUTH="on", GATEWAY_ROLES="api", **inside) as exchange:
        made = KeyedExchange(exchange)
        exchange.start("matcher")
        for gateway in made.gateways:
            made.start(gateway)
        yield made


def test_two_gateways_agree_about_every_change_also_after_kill_9(keyed: KeyedExchange) -> None:
    exchange, (first, second) = keyed.exchange, keyed.gateways
    with keyed.admin() as admin:
        made = admin.api_keys.create(7, key_id="alice")
        keyed.wait("alice", made.secret, 200)
        assert [each.status("alice", "wrong" * 10) for each in keyed.gateways] == [401, 401]
        exchange.kill("matcher")
        exchange.start("matcher")
        admin.api_keys.disable("alice")
        keyed.wait("alice", made.secret, 403)
        exchange.kill(first.name)
        keyed.start(first)
        keyed.wait("alice", made.secret, 403)
        admin.api_keys.enable("alice")
        keyed.wait("alice", made.secret, 200)
        rotated = admin.api_keys.rotate("alice", overlap="1h")
        keyed.wait("alice", rotated.secret, 200)
        keyed.wait("alice", made.secret, 200)
        exchange.kill("matcher")
        exchange.start("matcher")
        exchange.kill(second.name)
        keyed.start(second)
        keyed.wait("alice", made.secret, 200)
        admin.api_keys.rotate("alice")
        keyed.wait("alice", rotated.secret, 401)
        admin.api_keys.delete("alice")
        other = admin.api_keys.create(8, key_id="bob")
        keyed.wait("bob", other.secret, 200)
        keyed.wait("alice", rotated.secret, 401)
        secrets = [each.secret for each in (made, rotated, other)]
    exchange.stop("matcher")
    assert journal_verify.main([str(exchange.data)]) == 0
    logs = exchange.logs(10**9)
    assert not [secret for secret in secrets if secret in logs]
