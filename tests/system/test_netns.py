"""Separate hosts by changing addresses only: each process in a network namespace of its own.

Five namespaces stand in for four machines and a switch. Nothing is made outside them.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossbook.common.process.curve import make_exchange_key
from crossbook.common.process.programs import MODULES
from tests.system.exchange import REPOSITORY, process_environment

HOSTS = {"matcher": "10.99.0.1", "publisher": "10.99.0.2", "gateway": "10.99.0.3",
         "client": "10.99.0.4"}  # fmt: skip
SWITCH = "switch"
SECONDS = 60.0

SETTINGS = {
    "MATCHER_COMMANDS": f"tcp://{HOSTS['matcher']}:5551",
    "MATCHER_EVENTS": f"tcp://{HOSTS['matcher']}:5552",
    "MATCHER_SYNC": f"tcp://{HOSTS['matcher']}:5553",
    "PUBLISHER_FEED": f"tcp://{HOSTS['publisher']}:5570",
    "PUBLISHER_SNAPSHOTS": f"tcp://{HOSTS['publisher']}:5571",
    "GATEWAY_ORDERS": f"tcp://{HOSTS['gateway']}:5560",
    "INSTRUMENTS_FILE": str(REPOSITORY / "instruments.toml"),
    "HEARTBEAT_MS": "100",
}


def space(name: str) -> str:
    """The namespace of a host, distinguished from those of other test runs."""
    return f"crossbook-{os.getpid()}-{name}"


def ip(*words: str) -> None:
    """Run `ip`; `CalledProcessError` has its output."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=20)


@pytest.fixture
def hosts() -> Iterator[None]:
    """Four hosts joined by a switch; skips on a machine without permission to make them."""
    if shutil.which("ip") is None:
        pytest.skip("network namespaces need `ip` (Debian: apt install iproute2)")
    made = []
    try:
        for name in (SWITCH, *HOSTS):
            ip("netns", "add", space(name))
            made.append(name)
        ip("-n", space(SWITCH), "link", "add", "bridge0", "type", "bridge")
        ip("-n", space(SWITCH), "link", "set", "bridge0", "up")
        for name, address in HOSTS.items():
            plug_in(name, address)
    except subprocess.CalledProcessError as error:
        remove(made)
        pytest.skip(f"no network namespaces here: {' '.join(error.cmd)}: {error.stderr.strip()}")
    except BaseException:
        remove(made)
        raise
    yield
    remove(made)


def plug_in(name: str, address: str) -> None:
    """A cable from host `name` to the switch, and the host's address."""
    port = f"to-{name}"
    ip("-n", space(SWITCH), "link", "add", port, "type", "veth",
       "peer", "name", "eth0", "netns", space(name))  # fmt: skip
    ip("-n", space(SWITCH), "link", "set", port, "master", "bridge0", "up")
    ip("-n", space(name), "address", "add", f"{address}/24", "dev", "eth0")
    ip("-n", space(name), "link", "set", "eth0", "up")
    ip("-n", space(name), "link", "set", "lo", "up")


def remove(names: list[str]) -> None:
    """Delete namespaces, and with them their devices."""
    for name in names:
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("netns", "delete", space(name))


def command(name: str, module: str) -> list[str]:
    """A Python module run on host `name`."""
    return ["ip", "netns", "exec", space(name), sys.executable, "-m", module]


@pytest.mark.parametrize(
    "permission",
    [{"INSECURE_ALLOW_PUBLIC_BIND": "true"}, {"AUTH": "on", "FEED_ACCESS": "keyed"}],
    ids=["without-keys", "with-keys"],
)
@pytest.mark.usefixtures("hosts")
def test_each_process_on_its_own_host(tmp_path: Path, permission: dict[str, str]) -> None:
    make_exchange_key(tmp_path / "curve.key")
    environment = process_environment(
        {**SETTINGS, "CURVE_KEY_FILE": str(tmp_path / "curve.key"), **permission}
    )
    running = []
    try:
        for name in ("gateway", "publisher", "matcher"):
            with (tmp_path / name).open("wb") as log:
                running.append(
                    subprocess.Popen(command(name, MODULES[name]), cwd=tmp_path, env=environment,
                                     stdout=log, stderr=subprocess.STDOUT)
                )  # fmt: skip
        client = subprocess.run(
            command("client", "tests.system.round_trip"),
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        logs = "\n".join((tmp_path / name).read_text() for name in ("gateway", "publisher"))
        assert client.returncode == 0, f"{client.stderr}\n{logs}"
        assert json.loads(client.stdout) == {
            "price_ticks": 5_000_000,
            "quantity_lots": 20_000,
            "fill": [5_000_000, 20_000],
            "asks": [[5_000_000, 30_000]],
        }
        for process in running:
            process.terminate()
        assert [process.wait(20) for process in running] == [0, 0, 0], logs
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait(20)


@pytest.mark.usefixtures("hosts")
def test_without_the_insecure_setting_no_host_serves_another(tmp_path: Path) -> None:
    environment = process_environment(SETTINGS)
    for name in ("matcher", "publisher", "gateway"):
        refused = subprocess.run(
            command(name, MODULES[name]), cwd=tmp_path, env=environment,
            capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        assert refused.returncode == 2
        assert "INSECURE_ALLOW_PUBLIC_BIND=true" in refused.stderr
