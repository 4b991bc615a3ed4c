"""The pages of docs/guide/binance: pinned versions, lines that sessions run, no other host."""

import ast
import json
import re
from argparse import Namespace
from pathlib import Path
from typing import Final

import pytest

from tests.clients.sessions import stepwise
from tools import clients

PAGES: Final = sorted(path for path in stepwise.DOCS.glob("*.md") if path.stem != "index")
SESSIONS: Final = Path(stepwise.__file__).parent
GIVEN: Final = Namespace(host="127.0.0.1:1", key="demo-2", secret="demo-secret-2")
RUN: Final = re.compile(r"(?:run_lines|runLines|lines_of)\(\s*\"?'?([\w@/-]+)[\"'], [\"']([^\"']+)")


def headings() -> set[tuple[str, str]]:
    """Page and heading of all lines that stand on the pages."""
    return {
        (path.stem, heading)
        for path in PAGES
        for heading, below in re.findall(r"^## (.+)\n([^#]*)", path.read_text(), re.MULTILINE)
        if re.search(r"^```(python|javascript)$", below, re.MULTILINE)
    }


def run_by_sessions() -> set[tuple[str, str]]:
    """Page and heading of all lines that session scripts run."""
    found = set()
    for path in [*SESSIONS.glob("*.py"), *SESSIONS.glob("*.js")]:
        text = path.read_text().replace("run_lines(page,", 'run_lines("binance-connector",')
        found |= {(page, heading) for page, heading in RUN.findall(text)}
    return found


def test_the_lines_of_every_page_are_run_by_a_session() -> None:
    # The WebSocket API of the older official client has no step of the session.
    assert headings() - run_by_sessions() == {("binance-connector", "WebSocket API")}
    assert run_by_sessions() <= headings()


@pytest.mark.parametrize(("page", "heading"), sorted(headings()))
def test_lines_name_the_exchange_and_no_other_host(page: str, heading: str) -> None:
    if page == "npm" or heading == "JavaScript":
        below = (stepwise.DOCS / f"{page}.md").read_text().partition(f"\n## {heading}\n")[2]
        lines = re.findall(r"^```javascript\n(.*?)^```", below, re.DOTALL | re.MULTILINE)[0]
        assert set(re.findall(r"\w+://([^/\"']+)", lines)) == {stepwise.HOST}
        return
    given = Namespace(**vars(GIVEN))
    if page == "cryptofeed":
        given.relay, given.certificate = "127.0.0.1:2", "c.pem"
    lines = stepwise.lines_of(page, heading, given)
    ast.parse(lines)
    assert "127.0.0.1:8" not in lines
    assert "demo-1" not in lines


def test_the_versions_on_the_pages_are_the_pinned_ones() -> None:
    pinned = [
        (path.stem, version)
        for path in clients.PINS.glob("*.in")
        for version in re.findall(r"^[\w-]+==(\S+)$", path.read_text(), re.MULTILINE)
    ]
    assert {name for name, _ in pinned} == set(clients.names()) - {clients.NPM}
    wanted = json.loads((clients.NPM_PINS / "package.json").read_text())["dependencies"]
    index = (stepwise.DOCS / "index.md").read_text()
    for name, version in pinned:
        assert version in (stepwise.DOCS / f"{name}.md").read_text(), name
        assert version in index, name
    for name, version in wanted.items():
        page = "ccxt" if name == "ccxt" else "npm"
        assert version in (stepwise.DOCS / f"{page}.md").read_text(), name
        assert version in index, name


def test_another_host_in_lines_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stepwise, "DOCS", tmp_path)
    (tmp_path / "x.md").write_text(
        "# X\n\n## A\n\n```python\nurl = 'https://api.example.com/a'\n```\n"
    )
    with pytest.raises(ValueError, match=r"other hosts: \['api\.example\.com'\]"):
        stepwise.lines_of("x", "A", GIVEN)
    with pytest.raises(ValueError, match="no Python lines below 'B'"):
        stepwise.lines_of("x", "B", GIVEN)
