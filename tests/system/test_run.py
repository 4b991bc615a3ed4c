"""`crossbook run` from an empty folder: its options, its addresses, and the end."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from crossbook import Client
from crossbook.common.errors import CrossbookError
from tests.system.exchange import REPOSITORY
from tests.system.web import WEB

SECONDS = 60.0


def environment(**more: str) -> dict[str, str]:
    """An environment with no setting in it but these."""
    names = ("PATH", "HOME", "MATCHER_BUILD")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {**kept, "PYTHONPATH": str(REPOSITORY), **more}


@pytest.fixture
def short() -> Iterator[Path]:
    """An empty folder with a path that leaves room for those of sockets."""
    with tempfile.TemporaryDirectory(prefix="cb-") as folder:
        yield Path(folder)


@contextmanager
def running(
    folder: Path, options: Sequence[str], **more: str
) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """`crossbook run --json` in an empty folder below `folder`, and the line that it prints."""
    place = folder / "empty"
    place.mkdir()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "crossbook", "run", "--json", *options],
            cwd=place, env=environment(**more), stdout=subprocess.PIPE, stderr=log,
            text=True,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()
        yield process, json.loads(line)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=SECONDS)


def refusal(folder: Path, *options: str, **more: str) -> str:
    """The output of `crossbook run` that ends with status 2."""
    ran = subprocess.run(
        [sys.executable, "-m", "crossbook", "run", *options],
        cwd=folder, env=environment(**more), capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip
    assert ran.returncode == 2, ran.stderr
    assert "started" not in ran.stdout
    return " ".join(ran.stderr.split())


def test_a_temporary_exchange_trades_at_free_ports_and_leaves_nothing(
    tmp_path: Path, short: Path
) -> None:
    options = ["--port", "0", "--temporary", "--shards", "2"]
    with running(tmp_path, options, TMPDIR=str(short)) as (process, found):
        assert Path(found["data_dir"]).parent == short
        assert found["event"] == "ready"
        assert len(found["feeds"]) == len(found["snapshots"]) == len(found["administrators"]) == 2
        assert WEB.get(f"{found['http_url']}/ready").json()["status"] == "ready"
        assert WEB.get(f"{found['http_url']}/").status_code == 200
        with Client(found["orders"], 1, 5.0) as maker, Client(found["orders"], 2, 5.0) as taker:
            for symbol in ("BTC-USDT", "ETH-USDT"):
                maker.submit(symbol, "sell", "0.5", "1000.00")
                taker.submit(symbol, "buy", "0.5", "1000.00")
                assert next(each for each in taker.executions(5.0) if each.quantity_lots)
        pids = found["pids"]
        assert set(pids) == {
            "supervisor", "gateway", "matcher-0", "matcher-1", "publisher-0", "publisher-1",
            "recorder-0", "recorder-1",
        }  # fmt: skip
        assert pids["supervisor"] == process.pid
        family = [psutil.Process(pid) for pid in pids.values()]
        titles = {each.cmdline()[0] for each in family}
        assert "python -m crossbook.matcher (shard 1)" in titles
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 128 + signal.SIGINT
        assert psutil.wait_procs(family, timeout=SECONDS)[1] == []
    assert list((tmp_path / "empty").iterdir()) == []
    assert list(short.iterdir()) == []
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_killed_supervisor_leaves_no_process_and_no_temporary_folder(
    tmp_path: Path, short: Path
) -> None:
    options = ["--port", "0", "--temporary"]
    with running(tmp_path, options, TMPDIR=str(short)) as (process, found):
        family = psutil.Process(process.pid).children(recursive=True)
        assert {each.pid for each in family} > set(found["pids"].values()) - {process.pid}
        process.kill()
        assert psutil.wait_procs(family, timeout=SECONDS)[1] == []
    assert not Path(found["data_dir"]).exists()


def test_a_service_manager_receives_ready_and_stopping(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "manager"))
        manager.settimeout(SECONDS)
        options = ["--port", "0", "--data-dir", "kept"]
        with running(tmp_path, options, NOTIFY_SOCKET=str(tmp_path / "manager")) as (_, found):
            expected = f"READY=1\nSTATUS=serving at {found['http_url']}"
            assert manager.recv(4096).decode() == expected
        assert manager.recv(4096) == b"STOPPING=1"
        manager.setblocking(False)
        with pytest.raises(BlockingIOError):
            manager.recv(4096)
    assert (tmp_path / "empty" / "kept").is_dir()


def test_options_win_over_settings_and_a_folder_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    text = (REPOSITORY / "instruments.toml").read_text()
    file.write_text(text.replace('"BTC-USDT"', '"XBT-USDT"'))
    options = ["--port", "0", "--data-dir", "mine", "--instruments", str(file)]
    with running(tmp_path, options, API_PORT="1", DATA_DIR="other", SHARDS="2") as (_, found):
        assert found["instruments"][0] == "XBT-USDT"
        assert found["data_dir"] == str(tmp_path / "empty" / "mine")
        assert len(found["feeds"]) == 2
        own = {**environment(), **found["settings"]}
        script = [sys.executable, "-m", "crossbook", "sell", "XBT-USDT", "1", "50000"]
        assert subprocess.run(script, env=own, cwd=tmp_path, check=False).returncode == 0
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == ["mine"]
    with pytest.raises(CrossbookError):
        Client(found["orders"], 1, 0.2).submit("XBT-USDT", "buy", "1", "1.00")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--port", "70000"], ["--port", "'70000'", "0 to 65535"]),
        (["--port", "x"], ["--port", "'x'"]),
        (["--shards", "0"], ["--shards", "'0'", "1 to 64"]),
        (["--shards", "9"], ["SHARD=5", "no instrument"]),
        (["--temporary", "--data-dir", "there"], ["--temporary", "'there'", "--data-dir"]),
        (["--instruments", "none.toml"], ["none.toml", "No such file"]),
    ],
)
def test_a_wrong_option_is_refused_with_its_name_value_and_limit(
    tmp_path: Path, options: list[str], words: list[str]
) -> None:
    text = refusal(tmp_path, *options)
    assert all(word in text for word in words), text


def test_a_wrong_build_of_the_engine_ends_it_with_its_reason(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "crossbook", "run", "--port", "0", "--temporary"],
        cwd=tmp_path, env=environment(MATCHER_BUILD="none such"), capture_output=True,
        text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "MATCHER_BUILD='none such': must be one of" in ran.stdout
