"""Nobody needs to know how quiet the machine was when a bench is tested."""

import pytest

from bench import machine


@pytest.fixture(autouse=True)
def _no_look_at_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "BUSY_SECONDS", 0.01)
