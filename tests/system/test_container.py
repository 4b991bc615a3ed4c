"""Dockerfile and docker-compose.yml, as far as they can be run without a container engine."""

import fnmatch
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml

from crossbook.common.process.config import Settings, load_settings
from crossbook.common.process.curve import make_exchange_key
from crossbook.common.process.keyring import Realm
from crossbook.common.process.programs import MODULES
from crossbook.matcher.journal.segment import SUFFIX
from tests.system.compose import COMPOSE, STATE_FOLDER, Composition, instructions, services
from tests.system.exchange import RECORDED, REPOSITORY, select_nothing
from tests.system.web import WEB

SECONDS = 60.0


def until(goal: str, condition: Callable[[], bool], composition: Composition) -> None:
    """Poll until `condition` holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        logs = "\n".join(composition.log(name) for name in composition.running)
        assert time.monotonic() < deadline, f"{goal}: not in {SECONDS} s\n{logs}"
        select_nothing(0.05)


def ready(composition: Composition) -> bool:
    """Whether the API reports ready, the recorder included."""
    try:
        answer = WEB.get(f"http://{composition.address('8000')}/ready", timeout=5)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200 and bool(answer.json()["recorder"])


def test_the_services_trade_are_healthy_survive_a_kill_and_stop_in_their_time(
    tmp_path: Path,
) -> None:
    with Composition(tmp_path) as composition:
        for name in RECORDED:
            composition.start(name)
        until("all are ready", lambda: ready(composition), composition)
        assert {name: composition.healthy(name) for name in RECORDED} == dict.fromkeys(
            RECORDED, True
        )
        api = f"http://{composition.address('8000')}"
        order = {"symbol": "BTC-USDT", "order_type": "limit", "side": "buy", "quantity": "1",
                 "price": "50000.00"}  # fmt: skip
        entered = WEB.post(f"{api}/api/v1/orders", json=order, timeout=10)
        assert entered.status_code == 201
        order_id = entered.json()["order_id"]
        up = re.findall(r'^crossbook_up\{process="(\w+)"\} 1.0$',
                        WEB.get(f"{api}/metrics", timeout=10).text, re.MULTILINE)  # fmt: skip
        assert set(up) == set(RECORDED)

        composition.kill("matcher")
        assert not composition.healthy("matcher")
        composition.start("matcher")
        until("all are ready again", lambda: ready(composition), composition)
        found = WEB.get(f"{api}/api/v1/orders/{order_id}", timeout=10)
        assert found.json()["order_status"] == "NEW"
        assert (tmp_path / "history" / "history.db").exists()
        assert any((tmp_path / "data").glob("*" + SUFFIX))
        assert {name: composition.stop(name) for name in RECORDED} == dict.fromkeys(RECORDED, 0)


def test_the_simulator_of_the_profile_makes_a_market(tmp_path: Path) -> None:
    with Composition(tmp_path) as composition:
        for name in (*RECORDED, "simulator"):
            composition.start(name)
        book = f"http://{composition.address('8000')}/api/v1/orderbook/BTC-USDT"

        def two_sided() -> bool:
            try:
                document = WEB.get(book, timeout=5).json()
            except httpx.HTTPError:
                return False
            return bool(document.get("bids") and document.get("asks"))

        until("both sides are there", two_sided, composition)
        assert composition.stop("simulator") in (0, 130), composition.log("simulator")


def test_every_service_is_confined_watched_and_started_again() -> None:
    found = services()
    assert set(found) == {*RECORDED, "simulator"}
    for name, service in found.items():
        assert service["restart"] == "unless-stopped"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "stop_grace_period" in service
        assert "user" not in service
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        if name in RECORDED:
            assert service["command"] == ["python", "-m", MODULES[name]]
            assert service["healthcheck"]["test"] == ["CMD", "crossbook", "check", name]
    assert found["simulator"]["profiles"] == ["simulator"]


def test_every_setting_and_volume_of_the_file_exists() -> None:
    settings = {name.upper() for name in Settings.model_fields}
    volumes = yaml.safe_load(COMPOSE.read_text())["volumes"]
    made = " ".join(rest for word, rest in instructions() if word == "RUN")
    for service in services().values():
        assert service.get("environment", {}).keys() <= settings
        for volume in service.get("volumes", ()):
            name, _, place = volume.partition(":")
            assert name in volumes
            # A new volume has its owner from the image, where the user may write to it.
            assert f"{STATE_FOLDER}/" in place
            assert re.search(rf"-o crossbook [^&]*{place}\b", made)


def test_the_image_runs_as_an_ordinary_user_and_contains_the_packages() -> None:
    steps = instructions()
    words = [word for word, _ in steps]
    assert ("USER", "crossbook") in steps
    assert words.index("USER") > max(i for i, word in enumerate(words) if word in ("RUN", "COPY"))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    found = project["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = {name.partition(".")[0] for name in found}
    # Links of the package need their targets as well.
    packages |= {path.name for path in (REPOSITORY / "crossbook").iterdir() if path.is_symlink()}
    assert len(packages) == 6
    copied = copied_paths()
    assert packages <= copied
    for path in copied:
        assert (REPOSITORY / path).exists()
        assert not is_ignored(path), path
    assert is_ignored(".env")
    assert is_ignored("data")
    assert is_ignored(".git")


def copied_paths() -> set[str]:
    """The files that the Dockerfile copies from the repository."""
    return {path for word, rest in instructions() if word == "COPY" for path in rest.split()[:-1]}


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path of the top folder out: its last rule that fits decides."""
    ignored = False
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        rule = line.strip()
        if rule and not rule.startswith("#") and fnmatch.fnmatch(path, rule.removeprefix("!")):
            ignored = not rule.startswith("!")
    return ignored


@pytest.mark.slow
def test_the_images_steps_install_all_that_the_processes_need(tmp_path: Path) -> None:
    """In a clean virtual environment; needs the package index."""
    program = tmp_path / "program"
    program.mkdir()
    for path in copied_paths():
        source = REPOSITORY / path
        if source.is_dir():
            shutil.copytree(
                source,
                program / path,
                symlinks=True,
                ignore=shutil.ignore_patterns("__pycache__", "*.md"),
            )
        else:
            shutil.copy(source, program / path)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    for install in [rest for _, rest in instructions() if rest.startswith("pip install")]:
        subprocess.run(
            install.replace("pip install", f"{python} -m pip install"),
            shell=True, cwd=program, check=True, timeout=280, capture_output=True,
        )  # fmt: skip
    # The installed package must work without its source.
    shutil.rmtree(program)
    imports = "; ".join(f"import {MODULES[name]}.__main__" for name in RECORDED)
    subprocess.run(
        [str(python), "-c", imports], cwd=tmp_path, check=True, timeout=60, capture_output=True
    )
    ran = subprocess.run(
        [str(python.parent / "crossbook"), "--version"],
        cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.stdout.startswith("crossbook 0")


@pytest.mark.parametrize("name", [*RECORDED, "simulator"])
def test_with_the_file_of_keys_a_service_has_keys_and_needs_no_insecure_setting(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keyed = yaml.safe_load((REPOSITORY / "docker-compose.keys.yml").read_text())
    folder = str(Path(keyed["x-keys"]["CURVE_KEY_FILE"]).parent)
    assert keyed["services"][name]["volumes"] == [f"keys:{folder}:ro"]
    assert keyed["services"]["keys"]["volumes"] == [f"keys:{folder}"]
    assert any(folder in rest.split() for _, rest in instructions())
    for setting in Settings.model_fields:
        monkeypatch.delenv(setting.upper(), raising=False)
    environment = {**services()[name]["environment"], **keyed["services"][name]["environment"]}
    make_exchange_key(tmp_path / "curve.key")
    for setting, value in {**environment, "CURVE_KEY_FILE": str(tmp_path / "curve.key")}.items():
        monkeypatch.setenv(setting, value)
    monkeypatch.chdir(tmp_path)
    process = "client" if name == "simulator" else name
    settings = load_settings(process)  # type: ignore[arg-type]
    keyring = settings.keyring()
    assert keyring is not None
    assert keyring.covers(Realm.INTERNAL, settings.matcher_commands)
    assert not settings.insecure_allow_public_bind
