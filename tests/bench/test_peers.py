"""Each installed peer makes the trades that Crossbook makes, and the comparison can fail."""

import importlib
import json
import shutil
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import drivers, node_peer, peers, workload
from bench.peers import PEERS, PeerEngine
from crossbook.common.messages.commands import AmendOrder, CancelOrder, Command, NewOrder
from crossbook.common.types import Side, TimeInForce

MESSAGES = 4_000


def here(peer: PeerEngine) -> PeerEngine:
    if not peer.is_available:
        pytest.skip(f"{peer.name}, an optional peer of the core bench: {peer.version}")
    return peer


def named(name: str) -> PeerEngine:
    return here(next(peer for peer in PEERS if peer.name == name))


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: str(peer.name))
def test_a_peer_makes_the_same_trades_and_is_timed(peer: PeerEngine) -> None:
    here(peer)
    for scenario in workload.SCENARIOS:
        commands = workload.generate(scenario, MESSAGES // 2)
        assert peer.differs(commands) == "", scenario
    assert 0 < peer.elapsed_ns(commands[:400], False) < 60 * 10**9


def forgets_amends(commands: Sequence[Command]) -> list[Command]:
    return [
        CancelOrder(gateway=0, request_seq=0, account=1, instrument=1, order_id=0)
        if isinstance(command, AmendOrder)
        else command
        for command in commands
    ]


def test_a_peer_that_reports_other_trades_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = named("pyorderbook")
    commands = workload.generate("normal", MESSAGES // 2)
    match: Any = importlib.import_module("pyorderbook").Book.match

    def smaller(book: Any, order: Any) -> Any:
        if order.price % 2:
            order.quantity = 1
        return match(book, order)

    monkeypatch.setattr("pyorderbook.Book.match", smaller)
    assert "ours" in peer.differs(commands)


def test_a_peer_with_another_book_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = named("limit-order-book")
    commands = workload.generate("normal", MESSAGES // 2)
    drive = drivers.drive_limit_order_book

    def forgetful(commands: Any, on_event: drivers.OnEvent, book: Any = None) -> None:
        drive((c for c in commands if not isinstance(c, AmendOrder)), on_event, book)

    monkeypatch.setattr(drivers, "drive_limit_order_book", forgetful)
    assert peer.differs(commands).startswith("after message ")


def test_node_with_other_trades_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = named(node_peer.NAME)
    commands = workload.generate("normal", MESSAGES // 2)
    as_messages = node_peer.as_messages
    monkeypatch.setattr(node_peer, "as_messages", lambda c: as_messages(forgets_amends(c)))
    assert "ours" in peer.differs(commands)


def test_messages_for_node_are_six_integers_each() -> None:
    commands: list[Command] = [
        NewOrder(
            gateway=0,
            request_seq=0,
            account=7,
            instrument=1,
            side=int(Side.BUY),
            order_type=1,
            time_in_force=int(TimeInForce.GTC),
            price_ticks=100,
            quantity_lots=5,
        ),
        NewOrder(
            gateway=0,
            request_seq=0,
            account=7,
            instrument=1,
            side=int(Side.SELL),
            order_type=1,
            time_in_force=int(TimeInForce.IOC),
            price_ticks=101,
            quantity_lots=6,
        ),
        AmendOrder(
            gateway=0,
            request_seq=0,
            account=7,
            instrument=1,
            order_id=1,
            price_ticks=0,
            quantity_lots=9,
        ),
        CancelOrder(gateway=0, request_seq=0, account=7, instrument=1, order_id=1),
    ]
    assert node_peer.as_messages(commands) == array(
        "i",
        [1, 1, 1, 100, 5, 0, 2, 2, 2, 101, 6, 0, 4, 1, 0, 0, 9, 0, 3, 1, 0, 0, 0, 0],
    )


def test_an_absent_node_or_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(node_peer, "PACKAGE", tmp_path / "none")
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert node_peer.version() == "not installed: `make bench-core` does, with npm"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert node_peer.version() == "not run: there is no node on this machine"
    assert node_peer.NAME not in {peer.name for peer in peers.available()}


def test_the_error_of_a_failing_script_has_its_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no node here")
    monkeypatch.setattr(node_peer, "PACKAGE", tmp_path / "none")
    with pytest.raises(RuntimeError, match="Cannot find module"):
        node_peer.differs([])


def test_the_version_that_npm_installs_is_pinned() -> None:
    listed = json.loads((Path(node_peer.__file__).parent / "package.json").read_text())
    assert listed["dependencies"].keys() == {node_peer.NAME}
    assert listed["dependencies"][node_peer.NAME][0].isdigit()
