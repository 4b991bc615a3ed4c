"""The README's HTTP and WebSocket examples, run as they stand against a running exchange."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.exchange import RECORDED, REPOSITORY, Exchange

PAGE = (REPOSITORY / "README.md").read_text()
CHAPTER = PAGE.partition("## Use it over HTTP and WebSocket")[2].partition("\n## ")[0]
VOLATILE = {"timestamp", "request_id", "seq", "order_id"}
"""What differs from run to run: compared by type only."""


@pytest.fixture(scope="module")
def running() -> Iterator[Exchange]:
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams") as exchange:
        exchange.wait_http()
        yield exchange


def blocks() -> list[tuple[str, str]]:
    """(language, text) of each code block of the chapter."""
    return re.findall(r"^```(\w+)\n(.*?)^```", CHAPTER, re.DOTALL | re.MULTILINE)


def curl(command: str, base: str, last_order_id: str) -> httpx.Response:
    """What curl would do: -X, -H and -d are all that the README uses."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "curl", command
    method, headers, body, address = "GET", {}, None, ""
    rest = iter(words[1:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(":")
            headers[name] = value.strip()
        elif word == "-d":
            body = next(rest)
        else:
            assert not word.startswith("-"), f"option {word} is not known here"
            address = word
    path = address.removeprefix("localhost:8000").replace("ORD-0000000001", last_order_id)
    return httpx.request(method, base + path, headers=headers, content=body)


def same(said: Any, meant: Any, place: str = "") -> None:
    """Check that an answer is the README's, volatile values aside."""
    assert type(said) is type(meant), place
    if isinstance(meant, dict):
        assert set(said) == set(meant), place
        for name, value in meant.items():
            if name in VOLATILE:
                assert type(said[name]) is type(value), f"{place}.{name}"
            else:
                same(said[name], value, f"{place}.{name}")
    elif isinstance(meant, list):
        assert len(said) == len(meant), place
        for index, (one, other) in enumerate(zip(said, meant, strict=True)):
            same(one, other, f"{place}[{index}]")
    else:
        assert said == meant, place


def examples() -> list[tuple[str, dict[str, Any] | None]]:
    """Each command with the answer the page gives for it, if it gives one."""
    found: list[tuple[str, dict[str, Any] | None]] = []
    for language, text in blocks():
        if language == "console":
            found += [(command, None) for command in re.split(r"\n(?=curl )", text.strip())]
        elif language == "json":
            found[-1] = (found[-1][0], json.loads(text))
    return found


def test_every_http_example_answers_as_the_readme_says(running: Exchange) -> None:
    order_id = ""
    for command, meant in examples():

        def answers_as_meant(command: str = command, meant: Any = meant) -> bool:
            # The public feed is a moment behind the acknowledgement: a reader is slower than that.
            nonlocal order_id
            answer = curl(command, running.api, order_id)
            document = answer.json()
            order_id = order_id or document.get("order_id", "")
            if "-X" not in command and answer.status_code == 503:
                return False
            if "orderbook" in command and document["bids"] != meant["bids"]:
                return False
            assert answer.status_code == (400 if '"quantity":1.0' in command else 200) or (
                "POST" in command and answer.status_code == 201
            ), (command, answer.text)
            if meant is not None:
                same(document, meant)
            return True

        running.wait_until(command, answers_as_meant)
    assert len(examples()) >= 14


def test_the_websocket_example_runs(running: Exchange, tmp_path: Path) -> None:
    (script,) = [text for language, text in blocks() if language == "python"]
    path = tmp_path / "example.py"
    path.write_text(script.replace("127.0.0.1:8000", f"127.0.0.1:{running.api_port}"))
    ran = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("snapshot ")
    assert '"type":"welcome"' in ran.stdout
    assert '"order_status":"NEW"' in ran.stdout
