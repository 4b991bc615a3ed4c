"""The OpenAPI document is true: requests made from it find no 5xx and nothing undocumented."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.exchange import RECORDED, Exchange

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
SECONDS = 550


@pytest.fixture(scope="module")
def running() -> Iterator[Exchange]:
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams") as exchange:
        exchange.wait_http()
        yield exchange


def fuzz(exchange: Exchange, tmp_path: Path, examples: int) -> None:
    """Run schemathesis against a running exchange; its report is the failure."""
    program = Path(sys.executable).with_name("schemathesis")
    ran = subprocess.run(
        [
            str(program), "run", f"{exchange.api}/openapi.json",
            "--max-examples", str(examples), "--checks", ",".join(CHECKS),
            "--phases", "examples,coverage,fuzzing", "--seed", "1", "--no-color",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2_000:]
    exchange.check_alive()


def test_the_openapi_document_is_true(running: Exchange, tmp_path: Path) -> None:
    fuzz(running, tmp_path, 8)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 50)
def test_the_openapi_document_is_true_at_length(running: Exchange, tmp_path: Path) -> None:
    fuzz(running, tmp_path, 500)
