"""The page's files as they are served."""

import asyncio
import re
import tomllib
from pathlib import Path

import pytest

from crossbook.gateway.api.page_routes import CHART_SCRIPT, HEADERS, PAGE, chart_script
from tests.system.exchange import REPOSITORY
from tests.worlds.rest_world import RestWorld

LINKED = re.compile(r'(?:href|src)="(/page/[^"]+)"|from "\./([^"]+)"')


@pytest.mark.parametrize("path", ["/", "/?account=7&symbol=ETH-USDT"])
def test_the_page_is_served_at_the_root(path: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/html")
            assert answer.text == (PAGE / "index.html").read_text()
            for name, value in HEADERS.items():
                assert answer.headers[name] == value

    asyncio.run(main())


def test_every_file_the_page_names_is_served_with_its_policy() -> None:
    named = {
        f"/page/{match[2]}" if match[2] else match[1]
        for path in PAGE.iterdir()
        for match in LINKED.finditer(path.read_text())
    }
    assert "/page/main.js" in named
    assert "/page/book.js" in named

    async def main() -> None:
        async with RestWorld() as world:
            for path in sorted(named):
                answer = await world.client.get(path)
                assert answer.status_code == 200, path
                for name, value in HEADERS.items():
                    assert answer.headers[name] == value

    asyncio.run(main())
    unused = {path.name for path in PAGE.iterdir()} - {path.split("/")[-1] for path in named}
    assert unused == {"index.html"}


def test_an_absent_file_of_the_page_has_the_usual_error() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            for path in (
                "/page/nothing.js",
                "/page/../rest.py",
                "/page/%2e%2e/rest.py",
                "/nothing",
            ):
                answer = await world.client.get(path)
                assert answer.status_code == 404, path
                assert answer.json()["error"]["code"] == "NOT_FOUND"

    asyncio.run(main())


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert policy.startswith("default-src 'none'")
    page = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|style=|<script(?! type=\"module\" src=)| on\w+=", page)


def test_the_chart_script_is_found_where_packages_are(tmp_path: Path) -> None:
    search = ["", str(tmp_path / "first"), str(tmp_path / "second")]
    assert chart_script(search) is None
    path = tmp_path / "second" / CHART_SCRIPT
    path.parent.mkdir(parents=True)
    path.write_text("chart")
    assert chart_script(search) == path


def test_the_chart_script_is_pinned_alone_and_no_dependency() -> None:
    pinned = (REPOSITORY / "requirements" / "page.txt").read_text()
    assert re.findall(r"^(\S+)==", pinned, re.MULTILINE) == ["lwcharts"]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert not any("lwcharts" in needed for needed in project["dependencies"])


def test_the_page_is_part_of_the_package() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert "page/*" in project["tool"]["setuptools"]["package-data"]["crossbook.gateway"]
