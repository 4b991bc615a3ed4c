"""Tests of benches do not measure how quiet the machine is."""

import pytest

from bench import machine


@pytest.fixture(autouse=True)
def _no_measure_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "BUSY_SECONDS", 0.01)
