"""Every block of the README, the guide and the operations pages, run unchanged on a demo."""

import gzip
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from crossbook.replay import sample_flow
from tests.system.exchange import REPOSITORY, Exchange

EVERY_PAGE: Final = {
    path.relative_to(REPOSITORY).as_posix(): path.read_text()
    for path in (
        REPOSITORY / "README.md",
        *sorted((REPOSITORY / "docs" / "guide").glob("*.md")),
        *sorted((REPOSITORY / "docs" / "operations").glob("*.md")),
    )
}
"""The commands that are tried, in this order."""

SIGNED: Final = ("docs/guide/signed-requests.md", "docs/operations/tls.md")
"""Pages that need keys or a certificate: tests/system/test_signed_pages.py runs them."""

PAGES: Final = {name: text for name, text in EVERY_PAGE.items() if name not in SIGNED}
README_LINES_MAX: Final = 150
VOLATILE: Final = {"timestamp", "request_id", "seq", "order_id", "trade_id"}
"""Values that differ from run to run: compared by type only."""

OF_TESTS: Final = "docs/guide/testing-a-bot.md"
"""A page whose blocks are a bot and its tests: tests/system/test_testing_page.py runs them."""

ELSEWHERE: Final = {
    "make": "tests/system/test_make_run.py",
    "pip": "tests/system/test_testing_page.py",
    "pytest": "tests/system/test_testing_page.py",
    "docker": "tests/system/test_container.py",
    "source": "a shell's own",
    "SHARDS=2": "tests/system/test_shards.py",
    "MATCHER_COMMANDS": "tests/common/process/test_config.py",
    "PUBLISHER_FEED": "tests/common/process/test_config.py",
    "DATABASE_URL": "tests/common/process/test_config.py",
    "DATA_DIR": "tests/system/test_backup.py",
}
"""First words of commands that other tests try."""

LOBSTER: Final = """34200.100000000000,1,11,100,1000000,1
34200.2,1,12,50,1000100,-1
34200.3,4,12,50,1000100,-1
"""

FATES: Final = {
    "rests": {"order_status": "NEW"},
    "fills": {"order_status": "FILLED"},
    "waits": {"order_status": "NEW", "filled_quantity": "0.00000"},
}
"""The fate of an order by the first word behind it on the page."""

BLOCKS: Final[dict[str, list[tuple[str, str]]]] = {
    name: re.findall(r"^```(\w+)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for name, page in PAGES.items()
}
"""(language, text) of each block of code, by the page it stands in."""


@pytest.fixture(scope="module")
def demo() -> Iterator[Exchange]:
    """The processes of `make demo`."""
    with Exchange(order=(), ready=False, GATEWAY_ROLES="orders,api,streams") as exchange:
        log = (exchange.directory / "demo.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "crossbook", "run", "--demo"],
            cwd=REPOSITORY, env=exchange.environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            exchange.wait_ready()
            exchange.wait_http()
            exchange.wait_until("it trades", lambda: traded(exchange) > 0, 30.0)
            yield exchange
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            log.close()


def traded(exchange: Exchange) -> int:
    """Trades of the simulated market so far."""
    answer = httpx.get(f"{exchange.api}/api/v1/ticker/BTC-USDT", timeout=10)
    return int(answer.json().get("trades", 0)) if answer.status_code == 200 else 0


def command_lines() -> list[tuple[str, str]]:
    """(command, first word of its remark) of every console block, joined where `\\` ends a line."""
    found = []
    for blocks in BLOCKS.values():
        for language, text in blocks:
            if language == "console":
                for line in text.replace("\\\n", " ").strip().splitlines():
                    command, _, remark = line.partition(" # ")
                    found.append((command.strip(), re.split(r"[ ,;]", remark.strip())[0]))
    return found


CROSSBOOK: Final = [each for each in command_lines() if each[0].startswith("crossbook ")]


def test_every_command_of_the_page_is_tried_somewhere() -> None:
    for command, _ in command_lines():
        word = re.split(r"[ =](?!2)", command)[0]
        assert word in {"crossbook", "curl", *ELSEWHERE}, command
    assert len(CROSSBOOK) >= 25


def test_the_readme_is_short() -> None:
    assert len(PAGES["README.md"].splitlines()) <= README_LINES_MAX


def test_blocks_are_of_languages_that_are_tried_or_only_shown() -> None:
    found = {language for blocks in BLOCKS.values() for language, _ in blocks}
    assert found == {"console", "python", "json", "text", "toml", "yaml"}
    for page in PAGES.values():
        assert page.count("```") == 2 * len(re.findall(r"^```\w", page, re.MULTILINE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands run: with the files that the page names."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "path/to").mkdir(parents=True)
    shutil.copyfile(REPOSITORY / "instruments.toml", folder / "instruments.toml")
    for sample in Path(sample_flow.__file__).with_name("samples").iterdir():
        suffix = sample.name.partition(".")[2]
        target = folder / "path/to" / f"STEM.{suffix}"
        if suffix.startswith("cmd"):
            shutil.copyfile(sample, target)
        else:
            target.with_suffix("" if suffix.endswith(".gz") else target.suffix).write_bytes(
                gzip.decompress(sample.read_bytes())
            )
    (folder / "MSFT_2012-06-21_34200000_57600000_message_10.csv").write_text(LOBSTER)
    for blocks in BLOCKS.values():
        for _, text in blocks:
            # A block that begins with the name of a file is that file.
            if name := re.match(r"# (\w+\.(?:py|toml))\n", text):
                (folder / name[1]).write_text(text)
    return folder


def run_line(exchange: Exchange, folder: Path, command: str) -> tuple[int, str, str]:
    """Run one command of the page; a display or a simulation is ended by Ctrl-C."""
    words = shlex.split(command.replace("MSFT_..._", "MSFT_2012-06-21_34200000_57600000_"))[1:]
    environment = exchange.environment | {
        "INSTRUMENTS_FILE": str(REPOSITORY / "instruments.toml"),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "crossbook", *words],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    seconds = 8 if words[0] in ("ticker", "candles", "simulate") else 120
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_every_command_line_of_the_page_does_on_the_demo_as_documented(
    demo: Exchange, folder: Path
) -> None:
    for command, remark in CROSSBOOK:
        words = command.split()
        is_order = words[1] in ("buy", "sell")
        assert not is_order or remark in FATES, command
        status, out, err = run_line(demo, folder, f"{command} --json" if is_order else command)
        assert status in (0, 130), (command, status, out, err)
        assert out or words[1] == "journal", (command, err)
        assert "Traceback" not in err, err
        if is_order:
            printed = json.loads(out)
            assert printed.items() >= FATES[remark].items(), (command, printed)
        elif words[1] == "replay":
            assert "equal" in out, out


def at(exchange: Exchange, text: str) -> str:
    """A script of the page with the addresses of this exchange in place of the usual ones."""
    places = f"{exchange.feed!r}, {exchange.snapshots!r}, "
    return (
        text.replace("127.0.0.1:8000", f"127.0.0.1:{exchange.api_port}")
        .replace("Client(account", f"Client({exchange.orders!r}, account")
        .replace("MarketData(symbols", f"MarketData({places}symbols")
        .replace("ipc://data/admin.sock", exchange.addresses["MATCHER_ADMIN"])
    )


def pages_with(language: str) -> list[str]:
    """The pages that have a block of a language."""
    return [name for name, blocks in BLOCKS.items() if any(each[0] == language for each in blocks)]


@pytest.mark.parametrize("page", sorted({*pages_with("python")} - {OF_TESTS}))
def test_every_python_block_runs(demo: Exchange, tmp_path: Path, page: str) -> None:
    for language, text in BLOCKS[page]:
        if language == "python":
            path = tmp_path / "example.py"
            path.write_text(at(demo, text))
            # A command that starts an exchange of its own gets no address of the demo.
            taken = demo.addresses if '"run"' in text else {}
            environment = {k: v for k, v in demo.environment.items() if k not in taken}
            ran = subprocess.run(
                [sys.executable, str(path)],
                env=environment | {"PYTHONPATH": str(REPOSITORY)},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert ran.returncode == 0, ran.stderr
            assert ran.stdout
            if "websockets" in text:
                assert ran.stdout.startswith("snapshot ")
                assert '"type":"welcome"' in ran.stdout
                assert '"order_status":"NEW"' in ran.stdout


def curl(command: str, base: str, last_order_id: str) -> httpx.Response:
    """The request of a curl command: -X, -H and -d are all that the pages use."""
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


def same(actual: Any, meant: Any, place: str = "") -> None:
    """Check that an answer is that of the page, without the volatile values."""
    assert type(actual) is type(meant), place
    if isinstance(meant, dict):
        assert set(actual) == set(meant), place
        for name, value in meant.items():
            if name in VOLATILE:
                assert type(actual[name]) is type(value), f"{place}.{name}"
            else:
                same(actual[name], value, f"{place}.{name}")
    elif isinstance(meant, list):
        assert len(actual) == len(meant), place
        for index, (one, other) in enumerate(zip(actual, meant, strict=True)):
            same(one, other, f"{place}[{index}]")
    else:
        assert actual == meant, place


def examples(page: str) -> list[tuple[str, dict[str, Any] | None]]:
    """Each curl command with the answer the page gives for it, if it gives one."""
    found: list[tuple[str, dict[str, Any] | None]] = []
    for language, text in BLOCKS[page]:
        if language == "console" and text.startswith("curl "):
            found += [(command, None) for command in re.split(r"\n(?=curl )", text.strip())]
        elif language == "json":
            found[-1] = (found[-1][0], json.loads(text))
    return found


@pytest.mark.parametrize("page", pages_with("json"))
def test_every_http_example_answers_as_documented(demo: Exchange, page: str) -> None:
    order_id = ""
    for command, meant in examples(page):

        def answers_as_meant(command: str = command, meant: Any = meant) -> bool:
            # The public feed is a moment behind the acknowledgement; a person is slower than that.
            nonlocal order_id
            answer = curl(command, demo.api, order_id)
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

        demo.wait_until(command, answers_as_meant)


def test_no_http_example_is_left_out() -> None:
    found = [command for page in pages_with("json") for command, _ in examples(page)]
    assert len(found) == sum(page.count("\ncurl ") for page in PAGES.values())
    assert len(found) >= 15
