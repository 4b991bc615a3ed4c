"""The page "Test your bot", from its first block to its last, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.system.exchange import REPOSITORY

PAGE: Final = (REPOSITORY / "docs" / "guide" / "testing-a-bot.md").read_text()
BLOCKS: Final = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def run(folder: Path, *arguments: str) -> str:
    """The output of a module. pytest runs with the plugins that the page names, and no other."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "-p crossbook.testing.plugin -p xdist",
    }
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.stdout


def test_the_page_does_as_documented(tmp_path: Path) -> None:
    printed, runs = "", 0
    for language, text in BLOCKS:
        if language == "python":
            name = re.match(r"# (\w+\.py)\n", text)
            assert name, text
            (tmp_path / name[1]).write_text(text)
            if not name[1].startswith(("bot", "test")):
                printed = run(tmp_path, name[1])
                assert "Book(bids=[('3000', '5')], asks=[])" in printed
                assert "[Fill('ETH-USDT', 'buy', '2', '3001')]" in printed
        elif language == "console":
            for line in text.splitlines():
                command, _, result = line.partition("  # ")
                if command.startswith("pytest "):
                    runs += 1
                    printed = run(tmp_path, "-m", *command.split())
                    assert re.search(rf"\b{result} in ", printed), printed
        else:
            assert [line for line in text.splitlines() if line not in printed] == [], printed
            command = re.search(r"^crossbook journal (\S+)$", printed, re.MULTILINE)
            assert command, printed
            assert Path(command[1]).is_dir()
    assert runs == 5


def test_every_method_is_on_the_page() -> None:
    from crossbook.testing.calls import ExchangeCalls

    elsewhere = {"close", "of", "instruments", "logs", "processes", "wait_for_event"}
    calls = {name for name in dir(ExchangeCalls) if not name.startswith("_")} - elsewhere
    assert {name for name in calls if f"`{name}" not in PAGE.replace(", ", "`")} == set()
