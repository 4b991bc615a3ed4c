"""The wheel in an environment of its own, used from a folder with a `common` and a `gateway`."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from tests.system.exchange import REPOSITORY, Exchange
from tests.tools.test_wheel import built, copy

TRADE = """
import sys
from crossbook import Client, MarketData

import common, gateway
assert common.MINE and gateway.MINE
with Client(sys.argv[1], 1, 5.0) as maker, Client(sys.argv[1], 2, 5.0) as taker:
    maker.submit("BTC-USDT", "sell", "0.5", "50000.00")
    ack = taker.submit("BTC-USDT", "buy", "0.5", "50000.00")
    fill = next(each for each in maker.executions(5.0) if each.quantity_lots)
    print(ack.seq == fill.seq, fill.price_ticks, fill.remaining_lots)
"""


def test_a_wheel_runs_and_trades_beside_folders_of_the_same_names(tmp_path: Path) -> None:
    source, target, folder = tmp_path / "source", tmp_path / "target", tmp_path / "bot"
    for each in (source, target, folder / "common", folder / "gateway"):
        each.mkdir(parents=True)
    for name in ("common", "gateway"):
        (folder / name / "__init__.py").write_text("MINE = True\n")
    copy(source)
    built(source, target)
    python = environment(tmp_path / "venv", next(target.glob("*.whl")))
    with Exchange(ready=False, GATEWAY_ROLES="orders,api,streams") as exchange:
        settings = {name: value for name, value in exchange.environment.items()
                    if name != "PYTHONPATH"}  # fmt: skip
        log = (tmp_path / "log").open("wb")
        process = subprocess.Popen(
            [str(python), "-m", "crossbook", "run"], cwd=folder, env=settings, stdout=log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            exchange.wait_ready()
            exchange.wait_bound("recorder")
            traded = subprocess.run(
                [str(python), "-c", TRADE, exchange.orders],
                cwd=folder, env=settings, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert traded.stdout == "True 5000000 0\n", traded.stderr
        finally:
            process.terminate()
            status = process.wait(30)
            log.close()
    text = (tmp_path / "log").read_text()
    assert status == 143, text
    assert text.count("stopped (rc=0)") == 4, text


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
