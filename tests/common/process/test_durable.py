"""The system calls that make bytes survive a loss of power, on each system."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from crossbook.common.process.durable import sync_all, sync_call, sync_data

FULL = 51
"""`F_FULLFSYNC` on macOS."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The system calls from here on. The system has only `fsync` until a test adds another call."""
    found: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _: found.append("fsync"))
    monkeypatch.delattr(os, "fdatasync", raising=False)
    monkeypatch.delattr(fcntl, "F_FULLFSYNC", raising=False)
    return found


def linux(monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> None:
    """The recorded calls on Linux."""
    monkeypatch.setattr(os, "fdatasync", lambda _: calls.append("fdatasync"), raising=False)


def macos(monkeypatch: pytest.MonkeyPatch, calls: list[str], fault: int = 0) -> None:
    """The recorded calls on macOS, where the full sync fails with `fault`."""

    def control(file: int, command: int) -> int:
        assert command == FULL
        calls.append("F_FULLFSYNC")
        if fault:
            raise OSError(fault, os.strerror(fault))
        return 0

    monkeypatch.setattr(fcntl, "F_FULLFSYNC", FULL, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)


@pytest.mark.parametrize(("sync", "expected"), [(sync_data, ["fdatasync"]), (sync_all, ["fsync"])])
def test_linux_has_a_call_for_the_bytes_and_one_for_all(
    monkeypatch: pytest.MonkeyPatch,
    calls: list[str],
    sync: Callable[[int], None],
    expected: list[str],
) -> None:
    linux(monkeypatch, calls)
    sync(0)
    assert calls == expected
    assert sync_call(0) == "fdatasync"


@pytest.mark.parametrize("sync", [sync_data, sync_all])
def test_macos_needs_more_than_its_fsync(
    monkeypatch: pytest.MonkeyPatch, calls: list[str], sync: Callable[[int], None]
) -> None:
    macos(monkeypatch, calls)
    sync(0)
    assert calls == ["F_FULLFSYNC"]
    assert sync_call(0) == "F_FULLFSYNC"


@pytest.mark.parametrize("fault", [errno.ENOTSUP, errno.ENOTTY, errno.EINVAL])
@pytest.mark.parametrize("sync", [sync_data, sync_all])
def test_a_file_system_without_the_full_call_is_synced_by_fsync(
    monkeypatch: pytest.MonkeyPatch, calls: list[str], sync: Callable[[int], None], fault: int
) -> None:
    macos(monkeypatch, calls, fault)
    sync(0)
    assert calls == ["F_FULLFSYNC", "fsync"]
    assert sync_call(0) == "fsync"


@pytest.mark.parametrize("sync", [sync_data, sync_all, sync_call])
def test_a_fault_of_the_disk_is_raised_and_not_retried(
    monkeypatch: pytest.MonkeyPatch, calls: list[str], sync: Callable[[int], object]
) -> None:
    macos(monkeypatch, calls, errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        sync(0)
    assert calls == ["F_FULLFSYNC"]


@pytest.mark.parametrize("sync", [sync_data, sync_all])
def test_a_system_with_neither_call_syncs_by_fsync(
    calls: list[str], sync: Callable[[int], None]
) -> None:
    sync(0)
    assert calls == ["fsync"]
    assert sync_call(0) == "fsync"


def test_files_and_directories_of_this_system_can_be_synced(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for path in (tmp_path, tmp_path / "file"):
        file = os.open(path, os.O_RDONLY)
        sync_data(file)
        sync_all(file)
        assert sync_call(file)
        os.close(file)
