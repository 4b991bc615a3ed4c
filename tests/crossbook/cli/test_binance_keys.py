"""`crossbook binance-keys`: the lines of the pages, with the address and key of the settings."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from crossbook.cli.binance_keys import PAGES, PLACEHOLDER, clients, snippets
from crossbook.cli.console import ExitStatus
from tests.crossbook.cli.test_main import run

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An exchange at another address than that of the pages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("API_PORT", "8123")


def printed(*words: str) -> list[dict[str, Any]]:
    status, out, _ = run("binance-keys", *words, "--json")
    assert status == ExitStatus.OK
    return [json.loads(line) for line in out.splitlines()]


def test_the_list_has_every_page() -> None:
    status, out, _ = run("binance-keys")
    pages = {path.stem for path in (ROOT / "docs/guide/binance").glob("*.md")} - {"index"}
    assert status == ExitStatus.OK
    assert set(out.split()) == pages


@pytest.mark.parametrize("client", clients())
def test_all_lines_of_a_page_are_printed_for_the_exchange_of_the_settings(client: str) -> None:
    page = (PAGES / f"{client}.md").read_text()
    blocks = re.findall(
        r"^```(?:python|javascript|json)\n(.*?)^```", page, re.DOTALL | re.MULTILINE
    )
    found = printed(client, "--account", "7")
    assert len(found) == len(blocks) > 0
    for each, block in zip(found, blocks, strict=True):
        expected = block.replace("127.0.0.1:8000", "127.0.0.1:8123")
        expected = expected.replace("demo-1", "demo-7").replace("demo-secret-1", "demo-secret-7")
        assert each["lines"] == expected
        if each["language"] == "python":
            ast.parse(each["lines"])


def test_text_has_each_heading_as_a_comment_of_its_language() -> None:
    status, out, _ = run("binance-keys", "ccxt")
    assert status == ExitStatus.OK
    assert out.startswith("# Synchronous\nimport ccxt\n")
    assert "\n// JavaScript\nconst ccxt = require('ccxt');\n" in out


def test_addresses_with_tls_are_those_of_https_and_wss() -> None:
    (streams,) = (each for each in snippets("ccxt", "https://x.test:443", "k", "s")
                  if each.heading == "Streams")  # fmt: skip
    assert '"https://x.test:443/api/v3"' in streams.lines
    assert '"wss://x.test:443/stream/ws"' in streams.lines
    assert "http:" not in streams.lines


def test_a_key_of_the_exchange_comes_without_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH", "on")
    status, _, error = run("binance-keys", "ccxt")
    assert status == ExitStatus.USAGE
    assert "--key" in error
    lines = printed("ccxt", "--key", "desk-1")[0]["lines"]
    assert f'"apiKey": "desk-1", "secret": "{PLACEHOLDER}"' in lines


def test_an_unknown_client_is_named_with_those_there_are() -> None:
    status, _, error = run("binance-keys", "hummingbot2")
    assert status == ExitStatus.USAGE
    assert "client=hummingbot2" in error
    assert "python-binance" in error
