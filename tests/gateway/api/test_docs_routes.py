"""The page about the API: complete, under a policy, and nothing besides it."""

import asyncio
import re

import pytest

from crossbook.gateway.api import page_routes
from crossbook.gateway.api.docs_routes import HEADERS
from tests.worlds.rest_world import RestWorld


def test_every_file_of_the_page_is_served_with_its_policy_and_no_script_is_inline() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            page = (await world.client.get("/docs")).text
            named = re.findall(r'(?:href|src)="(/docs/[^"]+)"', page)
            assert len(named) == 4
            assert not re.findall(r"<script[^>]*>[^<]|<style|\son\w+=", page)
            for path in ("/docs", *named):
                answer = await world.client.get(path)
                assert answer.status_code == 200, path
                assert len(answer.content) > 100, path
                for name, value in HEADERS.items():
                    assert answer.headers[name] == value

    asyncio.run(main())


def test_the_policy_differs_from_that_of_the_page_by_what_swagger_ui_needs() -> None:
    ours, page = (
        set(headers["Content-Security-Policy"].split("; "))
        for headers in (HEADERS, page_routes.HEADERS)
    )
    assert page - ours == {"style-src 'self'", "img-src 'self'"}
    assert ours - page == {"style-src 'self' 'unsafe-inline'", "img-src 'self' data:"}


@pytest.mark.parametrize(
    "path",
    ["/docs/swagger-ui-bundle.js.map", "/docs/swagger-editor-es-bundle.js.map",
     "/docs/swagger-ui.js", "/docs/index.css", "/docs/LICENSE", "/docs/assets/x",
     "/docs/swagger", "/openapi", "/openapi/scalar", "/schema", "/schema/openapi.json"],
)  # fmt: skip
def test_only_files_that_a_page_needs_are_served(path: str) -> None:
    async def main() -> None:
        async with RestWorld() as world:
            answer = await world.client.get(path)
            assert answer.status_code == 404
            assert answer.json()["error"]["code"] == "NOT_FOUND"

    asyncio.run(main())
