"""The routes of `/docs`: Swagger UI over `/openapi.json`, from the files of an installed package.

Only the files that the page loads are served. Its own script is a file too, so that its policy
permits no script in a page.
"""

from pathlib import Path
from typing import Annotated, Final

import swagger_ui
from litestar import Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter
from litestar.response import File

from crossbook.gateway.api.page_headers import page_headers

DOCS_PATH: Final = "/docs"
ASSETS: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui-standalone-preset.js": "text/javascript",
}
"""Files of the package that the page loads, with their media types."""

# Swagger UI sets styles of elements, and its stylesheet has pictures in it.
HEADERS: Final = page_headers(styles="'self' 'unsafe-inline'", images="'self' data:")

_FOLDER: Final = Path(swagger_ui.__file__).parent / "static"

_PAGE: Final = b"""<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Crossbook API</title>
  <link rel="icon" href="/page/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/docs/swagger-ui.css">
  <script defer src="/docs/swagger-ui-bundle.js"></script>
  <script defer src="/docs/swagger-ui-standalone-preset.js"></script>
  <script defer src="/docs/start.js"></script>
</head>
<body><div id="docs"></div></body>
</html>
"""

_SCRIPT: Final = b"""SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
"""


def docs_routes() -> Router:
    """The routes of the page, of its script and of the files of the package."""
    return Router(DOCS_PATH, route_handlers=[page, script, asset], include_in_schema=False)


@get("/", sync_to_thread=False)
def page() -> Response[bytes]:
    """The page."""
    return Response(_PAGE, media_type="text/html", headers=HEADERS)


@get("/start.js", sync_to_thread=False)
def script() -> Response[bytes]:
    """The script that starts Swagger UI."""
    return Response(_SCRIPT, media_type="text/javascript", headers=HEADERS)


@get("/{name:str}", sync_to_thread=False)
def asset(name: Annotated[str, PathParameter()]) -> File:
    """A file of the package."""
    media_type = ASSETS.get(name)
    if media_type is None:
        raise NotFoundException("no such file")
    return File(
        _FOLDER / name,
        media_type=media_type,
        headers=HEADERS,
        content_disposition_type="inline",
    )
