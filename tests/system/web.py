"""HTTP for the tests: in plain text, and with a connection for each request."""

from typing import Final

import httpx

# Certificates, which no server here has, need longer to load than any request.
WEB: Final = httpx.Client(verify=False, limits=httpx.Limits(max_keepalive_connections=0))
