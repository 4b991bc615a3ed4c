"""Order entry beside idle sessions: does a crowd that does nothing cost anybody anything?

    python -m bench idle --sessions 5000

Starts an exchange and a crowd of logged-on ZeroMQ sessions that send heartbeats every four seconds,
as the clients of Crossbook do, and nothing else. One client measures the answer of an order, every
few milliseconds, without the crowd and beside it.
"""

import os
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import psutil
import typer
from msgspec import Struct

from bench.machine import write_json
from crossbook.common.messages import codec, entry
from crossbook.common.open_files import allow_open_files
from crossbook.common.types import Side
from tests.fuzz import zmtp
from tests.system.exchange import Exchange
from tests.system.session import RawSession

BEAT_S: Final = 4.0
ORDER_EVERY_S: Final = 0.004
CONNECTING_S: Final = 120.0
PING: Final = zmtp.frame(4, b"\x04PING\x00\x00")
_LOGON: Final = bytes(entry.TOKEN_BYTES) + codec.encode(entry.Logon(1, 1))


class IdleReport(Struct):
    """The result; times in milliseconds, processor time in cores."""

    sessions: int
    alone_p50_ms: float
    alone_p99_ms: float
    alone_max_ms: float
    beside_p50_ms: float
    beside_p99_ms: float
    beside_max_ms: float
    gateway_cores_alone: float
    gateway_cores_beside: float
    gateway_mb_of_crowd: float
    lost: int
    """Sessions that were disconnected while idle."""


def run(sessions: int, seconds: float) -> IdleReport:
    """Measure without the crowd, then beside it."""
    with (
        Exchange(MAX_ORDER_SESSIONS=str(sessions + 10), MAX_PERCENT_PER_ADDRESS="100") as exchange,
        RawSession(exchange.orders, 2) as trader,
    ):
        gateway = psutil.Process(exchange.pid("gateway"))
        alone, cores_alone = _orders(trader, gateway, seconds)
        before = gateway.memory_info().rss
        port = exchange.orders.rpartition(":")[2]
        with subprocess.Popen(
            [sys.executable, "-m", __name__, port, str(sessions)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as crowd:  # fmt: skip
            assert crowd.stdout is not None, "no pipe"
            if crowd.stdout.readline() != "ready\n":
                raise SystemExit("the crowd did not log on")
            grown = gateway.memory_info().rss - before
            beside, cores_beside = _orders(trader, gateway, seconds)
            out, _ = crowd.communicate("")
    return IdleReport(
        sessions,
        *_percentiles(alone),
        *_percentiles(beside),
        cores_alone,
        cores_beside,
        grown / 2**20,
        int(out),
    )


def show(report: IdleReport) -> None:
    """Print the method and the result."""
    print(
        f"an order every {ORDER_EVERY_S * 1_000:.0f} ms, without and beside {report.sessions:,} "
        f"idle sessions with heartbeats every {BEAT_S:.0f} s, on {os.cpu_count()} processors\n"
        f"alone:  p50 {report.alone_p50_ms:.2f} ms, p99 {report.alone_p99_ms:.2f}, "
        f"max {report.alone_max_ms:.1f}; gateway {report.gateway_cores_alone:.2f} cores\n"
        f"beside: p50 {report.beside_p50_ms:.2f} ms, p99 {report.beside_p99_ms:.2f}, "
        f"max {report.beside_max_ms:.1f}; gateway {report.gateway_cores_beside:.2f} cores, "
        f"{report.gateway_mb_of_crowd:.0f} MB more; {report.lost} sessions lost"
    )


def idle(
    sessions: Annotated[int, typer.Option(min=1, help="Idle sessions.")] = 5_000,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of each turn.")] = 8.0,
    json: Annotated[Path | None, typer.Option(help="Store the report here.")] = None,
) -> None:
    """Orders beside idle sessions; their latency, and the gateway's processor time and memory."""
    report = run(sessions, seconds)
    show(report)
    if json is not None:
        write_json(json, report)


def _orders(
    trader: RawSession, gateway: psutil.Process, seconds: float
) -> tuple[list[float], float]:
    """The answer times of orders in milliseconds, and the gateway's processor time in cores."""
    times: list[float] = []
    began, used = time.monotonic(), sum(gateway.cpu_times()[:2])
    while time.monotonic() - began < seconds:
        sent = time.monotonic()
        reply = trader.reply_to(
            entry.New(trader.next_seq(), "BTC-USDT", Side.BUY, "0.001", price="10000")
        )
        assert isinstance(reply, entry.Ack), reply
        cancel = entry.Cancel(trader.next_seq(), "BTC-USDT", reply.order_id)
        times.append((time.monotonic() - sent) * 1_000)
        trader.reply_to(cancel)
        time.sleep(ORDER_EVERY_S)
    lasted = time.monotonic() - began
    return times, (sum(gateway.cpu_times()[:2]) - used) / lasted


def _percentiles(times: list[float]) -> tuple[float, float, float]:
    ordered = sorted(times)
    return statistics.median(ordered), ordered[len(ordered) * 99 // 100], ordered[-1]


def crowd(port: int, count: int) -> None:
    """Hold the sessions until the input ends; print how many were lost."""
    allow_open_files(count + 100)
    held: dict[int, socket.socket] = {}
    poll = select.epoll()
    hello = zmtp.GREETING + zmtp.ready(b"DEALER", b"")
    began = time.monotonic()
    for number in range(count):
        # One address has some 28,000 ports.
        source = (f"127.0.0.{2 + number // 15_000}", 0)
        made = socket.create_connection(("127.0.0.1", port), 30, source)
        made.sendall(hello)
        zmtp.shake_hands(made)
        made.sendall(zmtp.frame(0, _LOGON))
        made.setblocking(False)
        held[made.fileno()] = made
        poll.register(made.fileno(), select.EPOLLIN)
        if time.monotonic() - began > CONNECTING_S:
            raise SystemExit("connecting took too long")
    welcomed = _serve(poll, held, lambda seen: seen >= count)
    print("ready" if welcomed >= count else "failed", flush=True)
    poll.register(sys.stdin.fileno(), select.EPOLLIN)
    _serve(poll, held, lambda seen: False)
    print(count - len(held), flush=True)


def _serve(
    poll: select.epoll, held: dict[int, socket.socket], is_done: Callable[[int], bool]
) -> int:
    """Send heartbeats and read answers until done or the input ends; returns connections that were
    sent something."""
    heard: set[int] = set()
    turn = list(held)
    began, beats = time.monotonic(), 0
    while not is_done(len(heard)):
        due = int((time.monotonic() - began) / BEAT_S * len(turn))
        for place in range(beats, due):
            connection = held.get(turn[place % len(turn)])
            if connection is not None:
                connection.send(PING)
        beats = due
        for descriptor, _ in poll.poll(0.02):
            if descriptor == sys.stdin.fileno():
                return len(heard)
            try:
                data = held[descriptor].recv(65_536)
            except OSError:
                data = b""
            heard.add(descriptor)
            if not data:
                poll.unregister(descriptor)
                held.pop(descriptor).close()
    return len(heard)


if __name__ == "__main__":
    crowd(int(sys.argv[1]), int(sys.argv[2]))
