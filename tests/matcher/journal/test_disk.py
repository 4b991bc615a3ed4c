"""The real directory: whole files under their names, one owner, leftovers removed."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crossbook.matcher.journal.disk import DirectoryInUse, FileDisk
from tests.worlds.disk_calls import DiskCalls

SIZE = 3 * 1024 * 1024 + 5


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FileDisk]:
    made = FileDisk(tmp_path / "data")
    yield made
    made.close()


@pytest.mark.parametrize("prepared", [0, SIZE, SIZE // 2])
def test_a_taken_file_is_its_head_and_real_zeros(
    disk: FileDisk, tmp_path: Path, prepared: int
) -> None:
    if prepared:
        disk.prepare(prepared)
    disk.claim("one", SIZE, b"head")
    path = tmp_path / "data" / "one"
    assert path.read_bytes() == b"head" + bytes(SIZE - 4)
    assert path.stat().st_blocks * 512 >= SIZE
    assert disk.names() == ["one"]


def test_written_bytes_are_read_back_and_change_no_size(disk: FileDisk, tmp_path: Path) -> None:
    disk.claim("one", SIZE, b"head")
    disk.write("one", 10, b"abc")
    disk.sync("one")
    disk.release("one")
    disk.write("one", 13, b"def")
    assert disk.read("one", 8, 10) == b"\0\0abcdef\0\0"
    assert len(disk.read("one")) == (tmp_path / "data" / "one").stat().st_size == SIZE


def test_a_taken_name_that_was_there_holds_the_new_file(disk: FileDisk) -> None:
    disk.claim("one", 100, b"old")
    disk.write("one", 50, b"old")
    disk.claim("one", 100, b"new")
    disk.write("one", 50, b"n")
    assert disk.read("one").rstrip(b"\0") == b"new" + bytes(47) + b"n"


def test_replace_and_remove(disk: FileDisk) -> None:
    disk.replace("snapshot", b"one")
    disk.replace("snapshot", b"two")
    assert disk.read("snapshot") == b"two"
    disk.remove("snapshot")
    disk.remove("snapshot")
    assert disk.names() == []


def test_leftovers_of_a_crash_are_removed_and_the_lock_is_no_file(tmp_path: Path) -> None:
    for name in ("next.tmp", "7.snapshot.123.tmp", "7.snapshot"):
        (tmp_path / name).write_bytes(b"x")
    disk = FileDisk(tmp_path)
    assert disk.names() == ["7.snapshot"]
    assert sorted(os.listdir(tmp_path)) == ["7.snapshot", "lock"]
    disk.close()


def test_a_directory_has_one_owner_at_a_time(disk: FileDisk, tmp_path: Path) -> None:
    source = """
import sys; from pathlib import Path
from crossbook.matcher.journal.disk import DirectoryInUse, FileDisk
from tests.worlds.disk_calls import DiskCalls
try: FileDisk(Path(sys.argv[1]))
except DirectoryInUse as error: print(error)
"""
    command = [sys.executable, "-c", source, str(tmp_path / "data")]
    output = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert f"is in use by process {os.getpid()}" in output
    assert "DATA_DIR" in output
    disk.close()
    output = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert not output


def test_another_of_the_same_process_is_refused_as_well(disk: FileDisk, tmp_path: Path) -> None:
    with pytest.raises(DirectoryInUse, match=f"in use by process {os.getpid()}"):
        FileDisk(tmp_path / "data")
    disk.close()
    FileDisk(tmp_path / "data").close()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_directory_and_files_are_the_owners_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        disk = FileDisk(tmp_path / "data")
        disk.claim("1.journal", 10, b"head")
        disk.replace("1.snapshot", b"state")
        disk.prepare(10)
        disk._join()
    finally:
        os.umask(before)
    found = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
    assert found == dict.fromkeys(("1.journal", "1.snapshot", "lock", "next.tmp"), 0o600)
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert not disk.folder_remark
    disk.close()


def test_an_exchanges_directory_of_before_is_closed_to_others(tmp_path: Path) -> None:
    names = ("1.journal", "1.snapshot", "lock", "history.db", "admin.sock.lock")
    for name in names:
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
    (tmp_path / "shard-1").mkdir()
    tmp_path.chmod(0o755)
    disk = FileDisk(tmp_path)
    assert "had mode 0755 and has 0700 now" in disk.folder_remark
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in names[:3]} == {0o600}
    disk.close()


def test_a_directory_with_other_things_in_it_keeps_its_mode_and_theirs(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch(0o644)
    tmp_path.chmod(0o755)
    disk = FileDisk(tmp_path)
    disk.claim("1.journal", 10, b"head")
    assert "keeps mode 0755" in disk.folder_remark
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"letter.txt": 0o644, "lock": 0o600, "1.journal": 0o600}
    disk.close()


def test_a_child_does_not_keep_the_directory_of_a_killed_parent(tmp_path: Path) -> None:
    source = """
import os, sys, time; from pathlib import Path
from crossbook.matcher.journal.disk import FileDisk
disk = FileDisk(Path(sys.argv[1]))
child = os.fork()
if child:
    print(child, flush=True)
    os.kill(os.getpid(), 9)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", source, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            assert parent.wait(30) == -signal.SIGKILL
            os.kill(child, 0)
            FileDisk(tmp_path).close()
        finally:
            os.kill(child, signal.SIGKILL)


def test_the_error_names_the_owner(tmp_path: Path) -> None:
    assert "process unknown" in str(DirectoryInUse(tmp_path, ""))


def test_a_read_only_disk_looks_at_files_in_use_and_changes_none(
    disk: FileDisk, tmp_path: Path
) -> None:
    disk.claim("one", 100, b"head")
    (tmp_path / "data" / "next.tmp").write_bytes(b"in the making")
    other = FileDisk(tmp_path / "data", read_only=True)
    assert other.read("one", 0, 4) == b"head"
    changes: list[Callable[[], None]] = [
        lambda: other.write("one", 0, b"x"),
        lambda: other.claim("two", 10, b""),
        lambda: other.prepare(10),
        lambda: other.replace("one", b"x"),
        lambda: other.remove("one"),
    ]
    for change in changes:
        with pytest.raises(OSError, match="Read-only") as caught:
            change()
        assert caught.value.errno == errno.EROFS
    other.close()
    assert (tmp_path / "data" / "next.tmp").exists()


def test_a_read_only_disk_makes_no_directory(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileDisk(tmp_path / "none", read_only=True)


def test_close_ends_a_preparation_and_leaves_nothing_of_it(tmp_path: Path) -> None:
    disk = FileDisk(tmp_path)
    disk.prepare(64 * 1024 * 1024)
    disk.close()
    assert os.listdir(tmp_path) == ["lock"]


def test_a_process_that_fails_does_not_wait_for_a_preparation(tmp_path: Path) -> None:
    program = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from crossbook.matcher.journal.disk import FileDisk\n"
        "FileDisk._fill = lambda disk, size: threading.Event().wait()\n"
        "FileDisk(Path(sys.argv[1])).prepare(1)\n"
        "sys.exit(3)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=60, check=False)
    assert ended.returncode == 3


MADE = ["make next.tmp", "write next.tmp", "sync next.tmp"]
"""How a file of zeros becomes one that needs no more than one sync a write."""

NAMED = ["write next.tmp", "sync next.tmp", "rename next.tmp to one", "sync the directory"]
"""A head is durable before the file has its name, and the name before anything is in the file."""

Patch = pytest.MonkeyPatch


def noted(tmp_path: Path, patch: Patch) -> tuple[FileDisk, DiskCalls]:
    disk = FileDisk(tmp_path)
    return disk, DiskCalls(tmp_path, patch)


FULL = 51
"""`F_FULLFSYNC` on macOS."""


def without_fdatasync(patch: Patch) -> None:
    patch.delattr(os, "fdatasync")


def with_full_sync(patch: Patch) -> None:
    """As macOS is: a sync of any other kind is none."""
    real = os.fsync

    def control(file: int, command: int, *_: object) -> int:
        assert command == FULL
        real(file)
        return 0

    patch.setattr(fcntl, "F_FULLFSYNC", FULL, raising=False)
    patch.setattr(fcntl, "fcntl", control)
    for function in ("fsync", "fdatasync"):
        patch.setattr(os, function, lambda _: pytest.fail("this does not reach the disk"))


@pytest.mark.parametrize("system", [without_fdatasync, with_full_sync])
def test_every_system_makes_durable_in_the_same_order(
    tmp_path: Path, monkeypatch: Patch, system: Callable[[Patch], None]
) -> None:
    found = []
    for name in ("linux", "other"):
        with monkeypatch.context() as patch:
            if name == "other":
                system(patch)
            disk, calls = noted(tmp_path / name, patch)
            disk.claim("one", 600 * 1024, b"head")
            disk.write("one", 4, b"a")
            disk.sync("one")
            disk.replace("two", b"content")
            disk.remove("two")
            found.append(calls.lines())
            disk.close()
    assert found[0] == found[1]
    assert found[0].count("sync the directory") == 3


@pytest.mark.parametrize("prepared", [0, 50, 100])
def test_a_taken_file_is_durable_before_its_name_is(
    tmp_path: Path, monkeypatch: Patch, prepared: int
) -> None:
    disk, calls = noted(tmp_path, monkeypatch)
    if prepared:
        disk.prepare(prepared)
    disk.claim("one", 100, b"head")
    made = [*MADE, *MADE[1:]] if prepared == 50 else MADE
    assert calls.lines() == [*made, *NAMED]
    disk.close()
    assert calls.lines() == [*made, *NAMED]


def test_zeros_are_synced_a_piece_at_a_time(tmp_path: Path, monkeypatch: Patch) -> None:
    disk, calls = noted(tmp_path, monkeypatch)
    disk.claim("one", 600 * 1024, b"head")
    assert calls.lines() == [MADE[0], *MADE[1:], *MADE[1:], *MADE[1:], *NAMED]
    disk.close()


def test_a_disk_that_is_not_durable_syncs_nothing(tmp_path: Path, monkeypatch: Patch) -> None:
    for function in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, function, lambda _: pytest.fail("this reaches the disk"))
    disk = FileDisk(tmp_path / "data", durable=False)
    disk.claim("one", SIZE, b"head")
    disk.write("one", 4, b"a")
    disk.sync("one")
    disk.replace("two", b"content")
    disk.remove("two")
    assert disk.read("one", 0, 5) == b"heada"
    assert disk.sync_call() == "none"
    disk.close()


def test_written_bytes_are_durable_after_one_sync(tmp_path: Path, monkeypatch: Patch) -> None:
    disk = FileDisk(tmp_path)
    disk.claim("one", 100, b"head")
    calls = DiskCalls(tmp_path, monkeypatch)
    disk.write("one", 4, b"a")
    disk.write("one", 5, b"b")
    assert calls.lines() == ["write one"]
    disk.sync("one")
    assert calls.lines() == ["write one", "sync one"]
    disk.release("one")
    disk.sync("one")
    assert len(calls.calls) == 4
    disk.close()


def test_a_replaced_file_is_durable_before_and_after_its_name_is(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    disk, calls = noted(tmp_path, monkeypatch)
    disk.replace("one", b"content")
    new = f"one.{os.getpid()}.tmp"
    assert calls.lines() == [
        f"make {new}", f"write {new}", f"sync {new}", f"rename {new} to one", "sync the directory",
    ]  # fmt: skip
    disk.close()


def test_a_removed_file_stays_away(tmp_path: Path, monkeypatch: Patch) -> None:
    (tmp_path / "one").write_bytes(b"x")
    disk, calls = noted(tmp_path, monkeypatch)
    disk.remove("one")
    assert calls.lines() == ["remove one", "sync the directory"]
    disk.close()


def test_leftovers_stay_away(tmp_path: Path, monkeypatch: Patch) -> None:
    (tmp_path / "next.tmp").write_bytes(b"x")
    calls = DiskCalls(tmp_path, monkeypatch)
    FileDisk(tmp_path).close()
    assert calls.lines()[-2:] == ["remove next.tmp", "sync the directory"]


def test_a_directory_that_was_made_is_durable_in_all_it_lies_in(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    outer = DiskCalls(tmp_path, monkeypatch)
    FileDisk(tmp_path / "a").close()
    assert outer.lines() == ["make a", "sync the directory"]
    inner = DiskCalls(tmp_path / "a", monkeypatch)
    FileDisk(tmp_path / "a" / "b" / "c").close()
    assert inner.lines()[-2:] == ["make b", "sync the directory"]
    FileDisk(tmp_path / "a" / "b" / "c").close()
    assert len(outer.calls) == 2


def test_a_directory_that_another_process_made_is_durable(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    (tmp_path / "a").mkdir()
    calls = DiskCalls(tmp_path, monkeypatch)
    FileDisk(tmp_path / "a").close()
    assert calls.lines() == ["sync the directory"]


@pytest.mark.parametrize("function", ["crossbook.matcher.journal.disk.sync_all", "os.rename"])
def test_a_replacement_that_fails_leaves_the_file_and_nothing_else(
    tmp_path: Path, monkeypatch: Patch, function: str
) -> None:
    disk = FileDisk(tmp_path)
    disk.replace("one", b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(function, fail)
        with pytest.raises(OSError, match="Input/output"):
            disk.replace("one", b"new")
    assert disk.read("one") == b"old"
    assert sorted(os.listdir(tmp_path)) == ["lock", "one"]
    disk.close()


def test_free_bytes_are_those_an_ordinary_user_may_have(disk: FileDisk, tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    # Other programs write to the file system meanwhile.
    assert abs(disk.free_bytes() - found.f_bavail * found.f_frsize) < 2**30


def test_the_call_that_syncs_is_that_of_the_directory(
    disk: FileDisk, tmp_path: Path, monkeypatch: Patch
) -> None:
    synced: list[tuple[int, int]] = []

    def call(file: int) -> str:
        synced.append((os.fstat(file).st_ino, file))
        return "the call"

    monkeypatch.setattr("crossbook.matcher.journal.disk.sync_call", call)
    assert disk.sync_call() == "the call"
    ((node, file),) = synced
    assert node == (tmp_path / "data").stat().st_ino
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


def test_every_sync_is_timed(disk: FileDisk) -> None:
    disk.claim("one", 100, b"head")
    assert sum(disk.syncs.counts) == 0
    disk.sync("one")
    disk.sync("one")
    assert sum(disk.syncs.counts) == 2
