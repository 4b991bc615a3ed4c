"""With FAULTS=off nothing of faults is loaded; with FAULTS=on handshakes meet the rules."""

import subprocess
import sys
from typing import Any, cast

import pytest

from crossbook.common.faults.order_entry import NoAnswer, Refuse
from crossbook.common.process.clock import SystemClock
from crossbook.gateway.auth.access import AnyAccount
from crossbook.gateway.faults.assembly import GatewayFaults
from crossbook.gateway.faults.market_stream import FaultyMarketStream
from crossbook.gateway.faults.order_stream import FaultyOrderStream
from crossbook.gateway.operations.readiness import FaultsInForce
from crossbook.gateway.web.channel import Channel, Handshake, HandshakeRefusal

LOADED = """
import sys
import crossbook.{process}.__main__
print(*sorted(name for name in sys.modules if "fault" in name and name.startswith("crossbook.")))
"""


@pytest.mark.parametrize("process", ["gateway", "matcher", "publisher", "recorder"])
def test_without_the_setting_no_module_of_faults_is_loaded(process: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED.format(process=process)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ran.stdout.split() == []


CHANNEL: Channel = cast(Channel, object())
"""A channel of market data; only its identity counts."""


def route(rule: Refuse | NoAnswer | None, handshake: Handshake) -> Channel | HandshakeRefusal:
    """The result of a handshake under a rule."""
    faults = GatewayFaults({}, SystemClock())
    if rule is not None:
        faults.table.add(rule)
    found = faults.router(lambda _: CHANNEL, AnyAccount(1))(handshake)
    return found.inner if isinstance(found, FaultyMarketStream | FaultyOrderStream) else found


TRADES = Handshake("/ws/trades/BTC-USDT")
ORDERS = Handshake("/ws/orders", "account=7", ((b"host", b"localhost"),))


@pytest.mark.parametrize(
    ("selectors", "handshake", "is_refused"),
    [
        ({}, TRADES, True),
        ({"path": "/ws/trades/*"}, TRADES, True),
        ({"path": "/ws/orders"}, TRADES, False),
        ({"account": 7}, ORDERS, True),
        ({"account": 1}, ORDERS, False),
        ({"account": 1}, TRADES, True),
        ({"account": 7}, Handshake("/ws/orders", "", ((b"x-account", b"7"),)), True),
        ({}, Handshake("/ws/orders", "account=7&account=8"), False),
    ],
)
def test_a_handshake_is_refused_by_a_rule_that_names_the_interface(
    selectors: dict[str, Any], handshake: Handshake, is_refused: bool
) -> None:
    rule = Refuse(status=503, code="MAINTENANCE", interface="handshake", **selectors)
    found = route(rule, handshake)
    assert found == (
        HandshakeRefusal(503, "MAINTENANCE: refused by fault rule 1") if is_refused else CHANNEL
    )


@pytest.mark.parametrize("rule", [None, Refuse(status=503), NoAnswer()])
def test_other_rules_leave_a_handshake_alone(rule: Refuse | NoAnswer | None) -> None:
    assert route(rule, TRADES) is CHANNEL


def test_the_rules_in_force_are_counted() -> None:
    faults = GatewayFaults({}, SystemClock())
    faults.table.add(Refuse(status=503, interface="handshake"))
    assert faults.in_force() == FaultsInForce(1, 0)
    faults.router(lambda _: CHANNEL, AnyAccount(1))(TRADES)
    assert faults.in_force() == FaultsInForce(1, 1)
