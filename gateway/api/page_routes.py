"""The page at `/`: what is served from `gateway/page`, and the chart script beside it.

The chart script is not ours: it is installed from a registry and served from there. Without it
the page works, and says that it has no candles.
"""

import sys
from pathlib import Path
from typing import Any, Final

from litestar import Response, Router, get
from litestar.static_files import create_static_files_router

PAGE: Final = Path(__file__).parents[1] / "page"
PAGE_PATH: Final = "/page"
CHART_PATH: Final = "/page/chart"

CHART_SCRIPT: Final = Path("lwcharts", "vendor", "lightweight-charts.standalone.production.js")
"""Where its package (requirements/page.in) keeps the script, in a folder of packages."""

PAGE_PARAMETERS: Final = ("account", "interval", "symbol")
"""What the query of `/` may say; the page's own script reads it."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # So that a page never runs with half of its modules from before an upgrade.
    "Cache-Control": "no-cache",
}


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
    """The installed chart script; None where there is none.

    Its package is looked for by path and not imported: only the script is wanted, not what else
    the package needs.
    """
    found = (Path(folder) / CHART_SCRIPT for folder in search if folder)
    return next((path for path in found if path.is_file()), None)


@get("/", include_in_schema=False, sync_to_thread=False)
def index() -> Response[bytes]:
    """The page."""
    return Response((PAGE / "index.html").read_bytes(), media_type="text/html", headers=HEADERS)


def _with_headers(response: Any) -> Any:
    """Files are answered past the framework's own way of adding headers."""
    response.headers.update(HEADERS)
    return response
