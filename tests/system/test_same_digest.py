"""Two exchanges with a manual clock and the same test in them have the same journal digest."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable

from crossbook.client.admin_client import AdminClient, new_transfer_id
from crossbook.client.client import Client
from crossbook.client.exchange_clock import ExchangeClock
from crossbook.common.messages.commands import AdjustBalance, SetInstrumentState
from crossbook.common.types import InstrumentState
from crossbook.matcher.journal.digest import JournalDigest, journal_digest
from crossbook.simulator.runner import Runner, SimulationPlan
from tests.system.exchange import RECORDED, Exchange
from tests.system.web import WEB
from tests.worlds.rest_world import limit

SYMBOL = "BTC-USDT"


class Scene:
    """A fresh exchange with a manual clock, on which no command was applied."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.admin = AdminClient(exchange.addresses["MATCHER_ADMIN"])
        self.clock = ExchangeClock([self.admin.address], [exchange.api])

    def enter(self, account: int, side: str, price: str, **more: str) -> None:
        """Enter an order over HTTP; where the matcher is away nothing happens, and it is entered
        later."""

        def is_entered() -> bool:
            answer = WEB.post(
                f"{self.exchange.api}/api/v1/orders",
                json=limit(side, "1", price, **more),
                headers={"X-Account": str(account)},
            )
            assert answer.status_code in (200, 201, 422, 503), answer.text
            return answer.status_code != 503

        self.exchange.wait_until("the order is entered", is_entered)

    def deposit(self, account: int, asset: str) -> None:
        """Pay in."""
        name = new_transfer_id(self.admin.view(), asset)
        self.admin.act(
            AdjustBalance(
                gateway=0,
                request_seq=0,
                account=account,
                instrument=0,
                asset=asset,
                amount=10**18,
                transfer_id=name,
            )
        )


def digest_after(test: Callable[[Scene], None]) -> JournalDigest:
    """The digest of a fresh exchange after a test."""
    with Exchange(
        order=RECORDED, ready=False, GATEWAY_ROLES="orders,api,streams", CLOCK="manual",
        ACCOUNTS="on",
    ) as exchange:  # fmt: skip
        for name in RECORDED:
            exchange.start(name)
        exchange.wait_http()
        scene = Scene(exchange)
        with scene.admin, scene.clock:
            test(scene)
        found = journal_digest(exchange.data)
        printed = subprocess.run(
            [sys.executable, "-m", "crossbook", "journal", "--digest"],
            env=exchange.environment, cwd=exchange.directory, capture_output=True, check=True,
        )  # fmt: skip
        assert json.loads(printed.stdout)["digest"] == found.digest
        return found


def everything(scene: Scene) -> None:
    """A test with accounts, every client, timers, restarts and a simulated market."""
    for account in (7, 8):
        for asset in ("BTC", "USDT"):
            scene.deposit(account, asset)
    scene.enter(7, "sell", "50000.00")
    scene.enter(8, "buy", "50000.00", time_in_force="day", client_order_id="day")
    scene.enter(8, "buy", "50000.00", client_order_id="day")
    with Client(scene.exchange.orders, 8) as client:
        client.submit(SYMBOL, "buy", "2", "40000.00", client_order_id="mine")
        client.cancel_after(3_600)
        scene.clock.advance("59m")
        client.amend(SYMBOL, client_order_id="mine", price="41000.00")
    until_ns = scene.clock.now_ns() + 10**9
    scene.admin.act(
        SetInstrumentState(
            gateway=0,
            request_seq=0,
            account=0,
            instrument=1,
            state=InstrumentState.HALTED,
            until_ns=until_ns,
        )
    )
    scene.enter(7, "sell", "50000.00")
    scene.clock.advance("2d")
    for process in ("gateway", "matcher"):
        scene.exchange.kill(process)
        scene.exchange.start(process)
        scene.exchange.wait_http()
    scene.enter(7, "sell", "50001.00")
    plan = SimulationPlan(
        address=scene.exchange.orders, first_account=9_001, agents=4, seed=7, symbols=(SYMBOL,),
        rate=20_000.0, duration_s=3.0, wait_s=10.0,
    )  # fmt: skip
    asyncio.run(Runner(plan, scene.clock).run(lambda runner, flow: None))
    scene.clock.advance("30d")


def test_the_same_test_has_the_same_digest() -> None:
    first, second = digest_after(everything), digest_after(everything)
    assert first == second
    assert first.commands > 50


def test_another_order_of_the_same_commands_has_another_digest() -> None:
    def one_way(scene: Scene) -> None:
        scene.enter(7, "sell", "50000.00")
        scene.enter(8, "sell", "50001.00")
        scene.clock.advance("1d")

    def other_way(scene: Scene) -> None:
        scene.enter(8, "sell", "50001.00")
        scene.enter(7, "sell", "50000.00")
        scene.clock.advance("1d")

    first, second = digest_after(one_way), digest_after(other_way)
    assert first.digest != second.digest
    assert (first.last_seq, first.time_ns) == (second.last_seq, second.time_ns)
