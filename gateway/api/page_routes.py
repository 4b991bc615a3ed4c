"""The routes of the page at `/`: the files of `gateway/page`, and the script of the chart.

The script of the chart comes from an installed package and is served from there. Without it the
page works, and shows that it has no candles.
"""

import sys
from pathlib import Path
from typing import Any, Final

from litestar import Response, Router, get
from litestar.static_files import create_static_files_router

from crossbook.gateway.api.page_headers import page_headers

PAGE: Final = Path(__file__).parents[1] / "page"
PAGE_PATH: Final = "/page"
CHART_PATH: Final = "/page/chart"

CHART_SCRIPT: Final = Path("lwcharts", "vendor", "lightweight-charts.standalone.production.js")
"""Path of the script in a folder of packages; its package is in requirements/page.in."""

PAGE_PARAMETERS: Final = ("account", "interval", "symbol")
"""Parameters that the query of `/` may have; the script of the page reads them."""

HEADERS: Final = page_headers()


def page_routes() -> Router:
    """The routes of the page, of its files and, where it is installed, of the chart script."""
    folders = {PAGE_PATH: PAGE}
    script = chart_script(sys.path)
    if script is not None:
        folders[CHART_PATH] = script.parent
    files = [
        create_static_files_router(path, [folder], name=path, after_request=_with_headers)
        for path, folder in folders.items()
    ]
    return Router("/", route_handlers=[index, *files])


def chart_script(search: list[str]) -> Path | None:
    """The installed script of the chart; None without one.

    The package is found by path and not imported, because its Python part needs further packages.
    """
    found = (Path(folder) / CHART_SCRIPT for folder in search if folder)
    return next((path for path in found if path.is_file()), None)


@get("/", include_in_schema=False, sync_to_thread=False)
def index() -> Response[bytes]:
    """The page."""
    return Response((PAGE / "index.html").read_bytes(), media_type="text/html", headers=HEADERS)


def _with_headers(response: Any) -> Any:
    """Add the headers to a file: those of the framework's routers do not reach files."""
    response.headers.update(HEADERS)
    return response
