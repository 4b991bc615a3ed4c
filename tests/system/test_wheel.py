"""The wheel in an environment of its own, used from a folder with a `common` and a `gateway`."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.system.exchange import REPOSITORY, select_nothing
from tests.tools.test_wheel import built, copy

TRADE = """
import sys
from crossbook import Client, MarketData

import common, gateway
assert common.MINE and gateway.MINE
with Client(sys.argv[1], 1, 5.0) as maker, Client(sys.argv[1], 2, 5.0) as taker:
    maker.submit("BTC-USD", "sell", "0.5", "50000.00")
    ack = taker.submit("BTC-USD", "buy", "0.5", "50000.00")
    fill = next(each for each in maker.executions(5.0) if each.quantity_lots)
    print(ack.seq == fill.seq, fill.price_ticks, fill.remaining_lots)
"""


BOT = """
from crossbook import (
    Ack, AsyncClient, Balance, Client, Execution, MarketData, SelfTrade, Side, __version__,
)

def quote(client: Client, market: MarketData) -> int:
    ack = client.submit(
        "BTC-USDT", Side.BUY, "0.5", "50000.00", prevention=SelfTrade.EXPIRE_MAKER
    )
    reveal_type(ack)
    for execution in client.executions(1.0):
        reveal_type(execution)
    reveal_type(client.balances()[0])
    reveal_type(__version__)
    return "not a number"
"""

REVEALED = ("Ack", "Execution", "Balance", "str")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel of this source."""
    folder = tmp_path_factory.mktemp("wheel")
    source, target = folder / "source", folder / "target"
    for each in (source, target):
        each.mkdir()
    copy(source)
    built(source, target)
    return environment(folder / "venv", next(target.glob("*.whl")))


def test_a_demo_trades_beside_folders_of_the_same_names_and_leaves_nothing(
    python: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From an empty environment and a folder that has a `common` and a `gateway` of its own."""
    folder = tmp_path / "bot"
    for name in ("common", "gateway"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("MINE = True\n")
    before = sorted(folder.rglob("*"))
    with tempfile.TemporaryDirectory(prefix="cb-") as temporary:
        settings = {"PATH": os.defpath, "TMPDIR": temporary, "PYTHONDONTWRITEBYTECODE": "1"}
        began_s = time.perf_counter()
        process = subprocess.Popen(
            [str(python), "-m", "crossbook", "run", "--demo", "--port", "0", "--temporary",
             "--json"],
            cwd=folder, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            found = json.loads(process.stdout.readline())
            ready_s = time.perf_counter()
            traded = subprocess.run(
                [str(python), "-c", TRADE, found["orders"]],
                cwd=folder, env=settings, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert traded.stdout == "True 5000000 0\n", traded.stderr
            with urllib.request.urlopen(f"{found['http_url']}/", timeout=60) as page:
                assert b"<html" in page.read()
            wait_for_bids(f"{found['http_url']}/api/v1/orderbook/BTC-USDT")
            ending_s = time.perf_counter()
        finally:
            process.send_signal(signal.SIGINT)
            _, log = process.communicate(timeout=60)
        ended_s = time.perf_counter()
        assert process.returncode == 128 + signal.SIGINT, log
        assert log.count("stopped (rc=0)") == 5, log
        assert not any(Path(f"/proc/{pid}").exists() for pid in found["pids"].values())
        assert os.listdir(temporary) == []
    assert sorted(folder.rglob("*")) == before
    with capsys.disabled():
        print(f"\nready in {ready_s - began_s:.2f} s, ended in {ended_s - ending_s:.2f} s")


def test_a_bot_of_another_project_is_checked_with_the_real_types(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python),
         "--cache-dir", str(tmp_path / "cache"), "bot.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": "", "MYPYPATH": ""},
    )  # fmt: skip
    lines = ran.stdout.splitlines()
    notes = [line for line in lines if "Revealed type" in line]
    assert len(notes) == len(REVEALED), ran.stdout
    for name, note in zip(REVEALED, notes, strict=True):
        assert note.endswith((f'.{name}"', f'"{name}"')), note
    errors = [line for line in lines if "error:" in line]
    assert len(errors) == 1, ran.stdout
    assert 'got "str", expected "int"' in errors[0]


CLIENT_ALONE = """
import sys

ADMITTED = {"crossbook", "msgspec", "sortedcontainers", "zmq", *sys.stdlib_module_names}

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ADMITTED:
            raise ImportError(f"{name} is not installed with the client alone")

for name in [name for name in sys.modules if name.partition(".")[0] not in ADMITTED]:
    del sys.modules[name]
sys.meta_path.insert(0, Refusal())
from crossbook import AsyncClient, Client, MarketData

with MarketData(feed="tcp://127.0.0.1:2", snapshots="tcp://127.0.0.1:3", symbols=["BTC-USDT"]):
    try:
        Client("tcp://127.0.0.1:1", 1, 0.1).logon()
    except Exception as error:
        print(type(error).__name__)
"""


def test_the_client_alone_needs_three_libraries(python: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [str(python), "-c", CLIENT_ALONE],
        cwd=tmp_path, env={"PATH": os.defpath}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.stdout == "GatewayUnavailable\n", ran.stderr


def wait_for_bids(url: str) -> None:
    """Return once the simulated market quotes."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        with suppress(HTTPError), urllib.request.urlopen(url, timeout=60) as answer:
            if json.load(answer)["bids"]:
                return
        select_nothing(0.05)
    raise TimeoutError(f"{url} has no bids")


def environment(folder: Path, wheel: Path) -> Path:
    """The interpreter of a new environment: the wheel, and the libraries that are here already."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    place = json.loads(
        subprocess.run(
            [str(python), "-c", "import json, sysconfig; print(json.dumps(sysconfig.get_paths()))"],
            capture_output=True, check=True, text=True,
        ).stdout
    )["purelib"]  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
         "--disable-pip-version-check", "--target", place, str(wheel)],
        check=True, capture_output=True, env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    # A line of a .pth file is a folder to look in; the .pth files there are not read, and so what
    # is installed from this source for editing is not found.
    folders = [each for each in sys.path if each.endswith("site-packages")]
    (Path(place) / "libraries.pth").write_text("\n".join(folders) + "\n")
    found = subprocess.run(
        [str(python), "-c", "import crossbook; print(crossbook.__file__)"],
        cwd=folder, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    assert Path(found.strip()).is_relative_to(place)
    assert not Path(found.strip()).is_relative_to(REPOSITORY)
    return python
