"""`crossbook backup` of an exchange that trades: the copy starts and has every acked order."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from crossbook import Client
from crossbook.common.process.programs import VERIFY
from tests.system.exchange import RECORDED, REPOSITORY, Exchange
from tests.system.test_rest import ROLES, enter, look
from tests.worlds.rest_world import limit

SIMULATE = ("simulate", "--rate", "1500", "--duration", "600", "--json")


def crossbook(exchange: Exchange, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command line with the settings of an exchange."""
    return subprocess.run(
        [sys.executable, "-m", "crossbook", *arguments],
        cwd=REPOSITORY, env=exchange.environment, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def test_a_copy_made_while_it_trades_starts_with_every_acknowledged_order(
    tmp_path: Path,
) -> None:
    copies = [tmp_path / f"copy-{number}" for number in range(3)]
    with Exchange(order=RECORDED, GATEWAY_ROLES=ROLES, SNAPSHOT_EVERY="1000") as exchange:
        exchange.wait_http()
        simulator = subprocess.Popen(
            [sys.executable, "-m", "crossbook", *SIMULATE],
            cwd=REPOSITORY, env=exchange.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            acks: list[dict[str, Any]] = []
            for number, copy in enumerate(copies):
                exchange.wait_until("it trades", lambda: bool(look(exchange, 9001, "fills")["seq"]))
                acks.append(enter(exchange, 7, limit("buy", "0.1", f"{20_000 + number}")).json())
                done = crossbook(exchange, "backup", str(copy), "--json")
                assert done.returncode == 0, done.stderr + done.stdout
                (shard,) = json.loads(done.stdout)["shards"]
                assert shard["last_seq"] >= acks[-1]["seq"]
                assert shard["history"]
        finally:
            simulator.terminate()
            simulator.wait(20)
        again = crossbook(exchange, "backup", str(copies[0]))
        assert again.returncode == 2
        assert "not an empty folder" in again.stderr
    for number, copy in enumerate(copies):
        modes = {path.stat().st_mode & 0o077 for path in [copy, *copy.iterdir()]}
        assert modes == {0}
        checked = subprocess.run(
            [sys.executable, "-m", VERIFY, str(copy)],
            cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert checked.returncode == 0, checked.stdout
        with Exchange(order=RECORDED, GATEWAY_ROLES=ROLES, DATA_DIR=str(copy)) as restored:
            restored.wait_http()
            for ack in acks[: number + 1]:
                order = look(restored, 7, f"orders/{ack['order_id']}")
                assert (order["order_status"], order["seq"]) == ("NEW", ack["seq"])
            with Client(restored.orders, 7, 5.0) as client:
                assert len(client.open_orders()) == number + 1
            restored.wait_until(
                "the record is whole", lambda: look(restored, 7, "orders")["seq"] > 0
            )
            assert enter(restored, 7, limit("buy", "0.1", "19999")).status_code == 201


def test_a_folder_of_no_exchange_is_refused_by_name(tmp_path: Path) -> None:
    with Exchange(order=(), ready=False) as exchange:
        done = crossbook(exchange, "backup", str(tmp_path / "copy"), "--json")
        assert done.returncode == 2
        error = json.loads(done.stdout)["error"]
        assert str(exchange.data) in error["message"]
