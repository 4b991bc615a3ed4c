"""The gateway process: its end, exit code and log when another gateway takes its place."""

import os
import subprocess
import sys
from pathlib import Path

import zmq

from crossbook.common.messages.codec import decode_replies, encode
from crossbook.common.messages.entry import TOKEN_BYTES, Logon, MassCancel, Reply
from crossbook.common.process import sockets
from crossbook.common.process.programs import MODULES
from tests.system.exchange import free_ports

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 30


def start(program: str, folder: Path, settings: dict[str, str]) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {"PYTHONPATH": str(REPOSITORY), **settings}
    return subprocess.Popen(
        [sys.executable, "-m", MODULES[program]], cwd=folder, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def request(socket: "zmq.Socket[bytes]", frame: bytes) -> list[Reply]:
    socket.send(frame)
    assert socket.poll(SECONDS * 1_000), "no answer in time"
    return decode_replies(socket.recv())


def trade(context: "zmq.Context[zmq.Socket[bytes]]", address: str) -> None:
    """Send mass cancels until the matcher answers one."""
    with sockets.orders_dealer(context, address) as socket:
        welcome = request(socket, bytes(TOKEN_BYTES) + encode(Logon(1, 7)))[0]
        token = getattr(welcome, "token").to_bytes(TOKEN_BYTES, "big")  # noqa: B009
        answers = (request(socket, token + encode(MassCancel(2)))[0] for _ in range(100_000))
        assert any(getattr(answer, "seq", 0) for answer in answers)


def test_a_gateway_replaced_by_another_of_its_id_exits_1_and_logs_the_reason(
    tmp_path: Path,
) -> None:
    names = ("MATCHER_COMMANDS", "MATCHER_EVENTS", "MATCHER_SYNC")
    settings = {name: f"tcp://127.0.0.1:{free_ports(1)[0]}" for name in names}
    settings["INSTRUMENTS_FILE"] = str(REPOSITORY / "instruments.toml")
    settings["JOURNAL_SEGMENT_MB"] = "1"
    settings["GATEWAY_ROLES"] = "orders"
    addresses = [f"tcp://127.0.0.1:{free_ports(1)[0]}" for _ in range(2)]
    running = [start("matcher", tmp_path, settings)]
    try:
        with zmq.Context() as context:
            first = start("gateway", tmp_path, {**settings, "GATEWAY_ORDERS": addresses[0]})
            running.append(first)
            trade(context, addresses[0])
            second = start("gateway", tmp_path, {**settings, "GATEWAY_ORDERS": addresses[1]})
            running.append(second)
            trade(context, addresses[1])
            _, log = first.communicate(timeout=SECONDS)
            assert first.returncode == 1
            assert b"gateway_fenced" in log
            trade(context, addresses[1])
            assert second.poll() is None
    finally:
        for process in running:
            process.kill()
            process.wait(SECONDS)
            if process.stderr is not None:
                process.stderr.close()
