"""`crossbook check` shows by its exit status whether a process works."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.system.exchange import RECORDED, Exchange


@pytest.fixture(scope="module")
def running() -> Iterator[Exchange]:
    """A running exchange of all four processes."""
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams") as exchange:
        exchange.wait_http()
        yield exchange


def check(exchange: Exchange, *words: str, **settings: str) -> tuple[int, dict[str, object]]:
    """Exit status and output of `crossbook check`."""
    ran = subprocess.run(
        [sys.executable, "-m", "crossbook", "check", *words, "--json"],
        cwd=exchange.directory,
        env={**exchange.environment, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.returncode, json.loads(ran.stdout)


@pytest.mark.parametrize("name", RECORDED)
def test_a_process_that_works_is_probed_at_its_own_socket(running: Exchange, name: str) -> None:
    status, facts = check(running, name)
    assert status == 0
    assert (facts["process"], facts["answers"]) == (name, True)
    assert facts["address"] in running.addresses.values()


def test_a_gateway_without_order_entry_is_probed_over_http(running: Exchange) -> None:
    status, facts = check(running, "gateway", GATEWAY_ROLES="streams", API_HOST="127.0.0.1")
    assert (status, facts["address"]) == (0, running.api)


def test_a_process_bound_to_every_address_is_probed_at_loopback(running: Exchange) -> None:
    wide = running.queries.replace("127.0.0.1", "0.0.0.0")
    status, facts = check(running, "matcher", MATCHER_SYNC=wide)
    assert (status, facts["address"]) == (0, running.queries)


def test_an_absent_process_and_a_stranger_in_its_place_give_status_1(running: Exchange) -> None:
    with Exchange(ready=False) as absent:
        for name in RECORDED:
            status, facts = check(absent, name, "--timeout", "0.2")
            assert (status, facts) == (1, {"error": facts["error"]})
        status, facts = check(absent, "gateway", "--timeout", "0.2", GATEWAY_ROLES="api")
        assert status == 1
    # The gateway's order entry answers a question for the matcher with a refusal.
    swapped = {"MATCHER_SYNC": running.orders, "GATEWAY_ORDERS": running.queries}
    status, facts = check(running, "matcher", "--timeout", "1", **swapped)
    assert status == 1
    assert "not as this process does" in json.dumps(facts)


def test_an_unknown_process_is_wrong_usage(running: Exchange) -> None:
    assert check(running, "postman")[0] == 2
