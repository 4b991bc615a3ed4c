"""The processes where Linux's own calls are missing, as on macOS: they start, trade, recover."""

import errno
import json
import os
from pathlib import Path

import pytest

from crossbook.common.messages import entry
from crossbook.launch.process import start
from tests.system.exchange import RECORDED, REPOSITORY, Exchange
from tests.system.session import RawSession

ELSEWHERE = """
import fcntl, os, resource, select, socket, sys

for module, start in (
    (os, ("fdatasync", "sched_", "SCHED_BATCH", "SCHED_IDLE", "posix_fa", "pipe2", "eventfd",
          "memfd_", "splice", "copy_file_range", "pidfd_", "getrandom", "O_TMPFILE", "O_PATH")),
    (select, ("epoll", "EPOLL")),
    (socket, ("TCP_QUICKACK", "TCP_USER_TIMEOUT", "SO_BINDTODEVICE", "SO_PRIORITY", "AF_PACKET")),
    (resource, ("prlimit", "RLIMIT_RTPRIO", "RLIMIT_NICE")),
):
    for name in dir(module):
        if name.startswith(start):
            delattr(module, name)

FULL = 51
real = fcntl.fcntl


def control(file, command, *arguments):
    if command != FULL:
        return real(file, command, *arguments)
    with open(os.environ["FULL_SYNCS"], "a") as log:
        log.write("x")
    if os.environ["FULL_SYNC_FAULT"] != "0":
        raise OSError(int(os.environ["FULL_SYNC_FAULT"]), "no such call")
    os.fsync(file)
    return 0


fcntl.F_FULLFSYNC = FULL
fcntl.fcntl = control
"""
"""A program that runs first in each process. macOS has one call more as well."""


@pytest.mark.parametrize(("fault", "sync_call"), [(0, "F_FULLFSYNC"), (errno.ENOTSUP, "fsync")])
def test_an_exchange_without_the_calls_of_linux_trades_and_recovers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: int, sync_call: str
) -> None:
    monkeypatch.setattr(Exchange, "starter", staticmethod(start))
    (tmp_path / "sitecustomize.py").write_text(ELSEWHERE)
    syncs = tmp_path / "syncs"
    with Exchange(
        order=RECORDED,
        PYTHONPATH=os.pathsep.join((str(tmp_path), str(REPOSITORY))),
        FULL_SYNCS=str(syncs),
        FULL_SYNC_FAULT=str(fault),
    ) as exchange:
        with RawSession(exchange.orders, account=7) as session:
            before = syncs.stat().st_size
            rests = session.reply_to(
                entry.New(
                    request_seq=session.next_seq(),
                    symbol="BTC-USDT",
                    side=1,
                    quantity="0.5",
                    price="50000",
                )
            )
            assert isinstance(rests, entry.Ack)
            assert syncs.stat().st_size > before
        exchange.wait_until(
            "every process logs what it leaves out",
            lambda: all('"scheduling_is_normal"' in exchange.log(name) for name in RECORDED),
        )
        ready = [line for line in exchange.log("matcher").splitlines() if "matcher_ready" in line]
        assert json.loads(ready[0])["sync_call"] == sync_call
        exchange.kill("matcher")
        exchange.start("matcher")
        exchange.wait_ready()
        with RawSession(exchange.orders, account=7) as session:
            cancel = entry.Cancel(session.next_seq(), "BTC-USDT", rests.order_id)
            assert isinstance(session.reply_to(cancel), entry.Ack)
