"""The three processes start and end in any order."""

import itertools
import json
import signal

import pytest

from crossbook.launch.process import start
from tests.system.exchange import PROCESSES, Exchange

ORDERS = list(itertools.permutations(PROCESSES))


@pytest.fixture
def _as_a_user_starts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Exchange, "starter", start)


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_any_order_of_starting_and_ending_works(order: tuple[str, ...]) -> None:
    with Exchange(ready=False) as exchange:
        for name in order:
            exchange.start(name)
            exchange.wait_bound(name)
        seq = exchange.wait_ready()
        assert exchange.wait_ready() == seq + 1, "the stream is dense"
        for name in order:
            number = signal.SIGINT if name == order[0] else signal.SIGTERM
            assert exchange.stop(name, number) == 0, exchange.log(name)
            assert "Traceback" not in exchange.log(name), exchange.log(name)


def test_a_taken_address_ends_the_start_readably(exchange: Exchange) -> None:
    with Exchange(ready=False, **exchange.addresses) as second:
        for name in PROCESSES:
            second.start(name)
            assert second.processes.pop(name).wait(20) == 2
            assert "cannot bind tcp://" in second.log(name)
            assert "Traceback" not in second.log(name)


@pytest.mark.usefixtures("_as_a_user_starts_them")
@pytest.mark.parametrize("name", PROCESSES)
def test_a_wrong_setting_ends_the_start_readably(name: str) -> None:
    with Exchange(ready=False, LOG_LEVEL="LOUD", MATCHER_EVENTS="nowhere") as exchange:
        exchange.start(name)
        assert exchange.processes.pop(name).wait(20) == 2
        # A gateway states before that files are short, where they are.
        *_, line = [json.loads(line) for line in exchange.log(name).splitlines()]
        assert (line["event"], line["process"]) == ("configuration_error", name)
        assert line["reason"].startswith("LOG_LEVEL='LOUD'")
        assert "Traceback" not in exchange.log(name)


@pytest.mark.usefixtures("_as_a_user_starts_them")
@pytest.mark.parametrize("name", PROCESSES)
def test_a_missing_instruments_file_ends_the_start_readably(name: str) -> None:
    with Exchange(ready=False, INSTRUMENTS_FILE="gone.toml") as exchange:
        exchange.start(name)
        assert exchange.processes.pop(name).wait(20) == 2
        # A gateway states before that files are short, where they are.
        *_, line = [json.loads(line) for line in exchange.log(name).splitlines()]
        assert "gone.toml" in line["reason"]
        assert "Traceback" not in exchange.log(name)
