"""HTTP on a kept connection: answers, and a gateway that ends."""

import pytest

from crossbook.testing import Exchange
from crossbook.testing.http import Http


def test_a_kept_connection_outlives_its_gateway() -> None:
    with Exchange(recorder=False) as exchange:
        http = Http(exchange.processes.http_port)
        assert http.request("GET", "/health") == (200, {"status": "ok"})
        status, document = http.request("POST", "/api/v1/cancel-after", {"timeout_s": 60}, 7)
        assert (status, document["status"]) == (200, "set")
        exchange.restart("gateway")
        assert http.request("GET", "/health")[0] == 200
        exchange.kill("gateway")
        with pytest.raises(ConnectionRefusedError):
            http.request("GET", "/health")
        http.close()
