"""A real exchange with `AUTH=on`, and one over HTTPS: the guide about keys runs unchanged, the page
signs in, and a request with another key is refused."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from crossbook.common.keys import Scope
from crossbook.request_signer import RequestSigner
from tests.system import browser as chromium
from tests.system.browser import Browser
from tests.system.exchange import RECORDED, REPOSITORY
from tests.system.keyed import KeyedExchange
from tests.worlds.certificates import certificate

GUIDE: Final = (REPOSITORY / "docs/guide/signed-requests.md").read_text()
BLOCKS: Final = re.findall(r"^```(bash|python)\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
ORDER: Final = {"symbol": "BTC-USD", "order_type": "limit", "side": "buy", "quantity": "1.0",
                "price": "50000.00"}  # fmt: skip


@pytest.fixture(scope="module", name="venue")
def fixture_venue() -> Iterator[KeyedExchange]:
    with KeyedExchange(order=RECORDED) as exchange:
        exchange.wait_http()
        yield exchange


@pytest.fixture(scope="module", name="alice")
def fixture_alice(venue: KeyedExchange) -> RequestSigner:
    return venue.add_key("alice", 7)


def wait_known(venue: KeyedExchange, signer: RequestSigner) -> None:
    """Return once the gateway accepts requests of a key."""
    venue.wait_until(
        f"the gateway has key {signer.key_id}",
        lambda: venue.send(signer, "GET", "/api/v1/account")[0] == 200,
    )


def run(venue: KeyedExchange, folder: Path, words: list[str]) -> str:
    """Run a program of the guide; returns its output."""
    shim = folder / "bin" / "crossbook"
    if not shim.exists():
        shim.parent.mkdir()
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m crossbook "$@"\n')
        shim.chmod(0o755)
    path = f"{shim.parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env=venue.environment | {"PATH": path, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_programs_of_the_guide_do_what_it_states(venue: KeyedExchange, tmp_path: Path) -> None:
    outputs = []
    for language, text in BLOCKS:
        # The exchange of the first line is the one that runs here.
        script = text.replace("AUTH=on crossbook run &\n", "")
        script = script.replace("127.0.0.1:8000", f"127.0.0.1:{venue.api_port}")
        shell = ["bash", "-e"] if language == "bash" else [sys.executable]
        outputs.append(run(venue, tmp_path, [*shell, "-c", script]))
        if "ops.json" in text:
            assert (tmp_path / "alice.json").stat().st_mode & 0o077 == 0
            wait_known(venue, RequestSigner.from_file(tmp_path / "alice.json"))
    listed, entered, library, plain, made, headers = outputs
    assert "alice-1" in listed
    assert "ops" in listed
    assert '"order_status":"NEW"' in entered
    assert '"status":"canceled"' in entered
    assert library.split() == ["NEW", "canceled"]
    assert plain.strip() == "7"
    assert "alice-2" in made
    assert "CROSSBOOK-SIGNATURE" in headers
    signer = RequestSigner("alice-2", (tmp_path / "alice.pem").read_text())
    wait_known(venue, signer)


def test_an_account_is_served_for_its_own_key_only(
    venue: KeyedExchange, alice: RequestSigner
) -> None:
    bob = venue.add_key("bob", 8)
    status, order = venue.send(alice, "POST", "/api/v1/orders", ORDER)
    assert status == 201
    target = f"/api/v1/orders/{order['order_id']}"
    for signer, expected in ((None, 401), (bob, 404), (alice, 200)):
        assert venue.send(signer, "DELETE", target)[0] == expected
    assert venue.send(None, "GET", "/api/v1/orderbook/BTC-USD")[0] == 200
    assert venue.send(None, "GET", "/ready")[1]["keys"] == "accounts"


def test_an_administrator_stops_a_key_over_http_and_its_stream_ends(venue: KeyedExchange) -> None:
    ops = venue.add_key("ops-http", 0, Scope.ADMIN)
    path = "/api/v1/admin/keys"
    status, made = venue.send(ops, "POST", path, {"account": 9, "scopes": ["read"]})
    assert status == 201
    carl = RequestSigner(made["key_id"], made["secret"])
    wait_known(venue, carl)
    assert venue.send(carl, "POST", "/api/v1/orders", ORDER)[0] == 403
    url = f"{venue.api.replace('http', 'ws')}/ws/orders"
    with pytest.raises(InvalidStatus):
        connect(url, additional_headers=carl.headers("POST", "/ws/orders"))
    with connect(url, additional_headers=carl.headers("GET", "/ws/orders")) as socket:
        assert '"welcome"' in str(socket.recv(timeout=10))
        assert venue.send(ops, "PATCH", f"{path}/{carl.key_id}", {"enabled": False})[0] == 200
        with suppress(ConnectionClosed):
            for _ in socket:
                pass
        assert socket.protocol.close_rcvd is not None
        assert socket.protocol.close_rcvd.code == 1008
    assert venue.send(carl, "GET", "/api/v1/account")[0] == 403


@pytest.mark.skipif(not chromium.AVAILABLE, reason=chromium.MISSING)
def test_the_page_signs_in_and_trades_for_the_account_of_its_key(
    venue: KeyedExchange, alice: RequestSigner, tmp_path: Path
) -> None:
    secret = ("alice" * 64)[:64]
    with Browser() as window:
        window.open(f"{venue.api}/?symbol=BTC-USD")
        window.wait("the sign-in is there", "return !document.getElementById('sign-in').hidden")
        script = "return document.getElementById('account-note').textContent"
        window.type("#sign-in [name=key]", "alice")
        window.type("#sign-in [name=secret]", "wrong" * 13)
        window.one("#sign-in [type=submit]").click()
        window.wait("a wrong secret is refused", f"{script}.includes('does not fit')")
        window.type("#sign-in [name=key]", "alice")
        window.type("#sign-in [name=secret]", secret)
        window.one("#sign-in [type=submit]").click()
        shown = "return document.getElementById('signed-in').textContent"
        window.wait("the account is shown", f"{shown} === 'alice · account 7'")
        window.wait(
            "the streams are open",
            "return document.getElementById('connection').dataset.state === 'live'",
        )
        window.type("#ticket-price", "40000")
        window.type("#ticket-quantity", "0.5")
        window.one("#ticket-submit").click()
        orders = "return document.querySelectorAll('#orders [data-order]').length"
        window.wait("the order is shown", f"{orders} === 1")
        assert secret not in window.run("return document.cookie + JSON.stringify(localStorage)")
        window.open(f"{venue.api}/?symbol=BTC-USD")
        window.wait("the tab keeps the key", f"{shown} === 'alice · account 7'")
        window.wait("the order is there again", f"{orders} === 1")
        window.one("#cancel-all").click()
        window.wait("no order is left", f"{orders} === 0")
        window.one("#sign-in [name=out]").click()
        window.wait("signed out", "return sessionStorage.length === 0")
        assert not [each for each in window.complaints() if "401" not in each]


def test_an_exchange_runs_over_https_by_one_command(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    program = [sys.executable, "-m", "crossbook", "run", "--port", "0", "--temporary", "--json"]
    settings = {"TLS_CERTIFICATE": str(pem), "TLS_KEY": str(key), "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        program, cwd=tmp_path, env=os.environ | settings, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found: Any = json.loads(process.stdout.readline())
        assert found["http_url"].startswith("https://127.0.0.1:")
        assert found["websocket_url"].startswith("wss://")
        curl = shutil.which("curl")
        assert curl is not None
        answer = subprocess.run(
            [curl, "-sS", "--cacert", str(pem), f"{found['http_url']}/ready"],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        assert '"status":"ready"' in answer.stdout
    finally:
        process.terminate()
        process.communicate(timeout=60)
