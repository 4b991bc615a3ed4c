"""The messages that a service manager receives by the protocol of systemd."""

import os
import socket
from pathlib import Path

import pytest

from crossbook.common.process import notify


@pytest.mark.parametrize("name", ["{folder}/manager", "@crossbook-test-{pid}"])
def test_a_manager_receives_the_assignments_as_one_datagram(tmp_path: Path, name: str) -> None:
    name = name.format(folder=tmp_path, pid=os.getpid())
    if name.startswith("@") and not Path("/proc/net/unix").exists():
        pytest.skip("only Linux has names outside of the file system")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if name.startswith("@") else name)
        manager.settimeout(5)
        notify.notify("READY=1", "STATUS=serving", environment={"NOTIFY_SOCKET": name})
        assert manager.recv(100) == b"READY=1\nSTATUS=serving"


def test_a_process_that_serves_names_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "manager"))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "manager"))
        notify.notify_ready()
        assert manager.recv(100) == b"READY=1\nMAINPID=%d" % os.getpid()


@pytest.mark.parametrize("value", [None, "", "relative", "/nowhere/at/all"])
def test_without_a_manager_nothing_happens(value: str | None) -> None:
    notify.notify("READY=1", environment={} if value is None else {"NOTIFY_SOCKET": value})
