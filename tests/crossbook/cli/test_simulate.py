"""The display while a simulation runs."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from crossbook.cli.main import app
from crossbook.cli.simulate import LINE_EVERY_S, _Screen

BEGAN_S = 5_000.0
"""The first time of the clock: far from zero, as on any machine."""


class Shown:
    """A screen with a clock set by hand; it keeps the lines and tables it showed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, terminal: bool, as_json: bool) -> None:
        self.now_s = 0.0
        self.lines: list[str] = []
        self.tables: list[float] = []
        monkeypatch.setenv("TERM", "xterm")
        self.console = Console(file=io.StringIO(), force_terminal=terminal, highlight=False)
        output: Any = SimpleNamespace(as_json=as_json, notes=self.console, remark=self.lines.append)
        self.screen = _Screen(output)
        self._runner: Any = SimpleNamespace(plan=SimpleNamespace(accounts=12))
        self._flow: Any = SimpleNamespace(
            markets=[SimpleNamespace(symbol=s) for s in ("A", "B")], failures=[]
        )
        where = "crossbook.cli.simulate"
        monkeypatch.setattr(f"{where}.time.monotonic", lambda: BEGAN_S + self.now_s)
        monkeypatch.setattr(f"{where}.line", lambda runner, flow, elapsed_s: f"after {elapsed_s:g}")
        monkeypatch.setattr(f"{where}.table", self._table)

    def at(self, *moments_s: float) -> None:
        """Show a tick at each of these times."""
        for self.now_s in moments_s:
            self.screen.show(self._runner, self._flow)

    def _table(self, runner: Any, flow: Any, elapsed_s: float) -> str:
        self.tables.append(elapsed_s)
        return f"table {elapsed_s:g}"


@pytest.mark.parametrize(("terminal", "as_json"), [(False, False), (False, True), (True, True)])
def test_without_a_terminal_a_line_is_printed_at_intervals(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, as_json: bool
) -> None:
    shown = Shown(monkeypatch, terminal, as_json)
    with shown.screen:
        shown.at(0, 0.5, LINE_EVERY_S - 0.5)
        assert shown.lines == ["12 agents quote and trade A, B"]
        shown.at(LINE_EVERY_S, LINE_EVERY_S + 0.5, 2 * LINE_EVERY_S - 0.5)
        assert shown.lines[1:] == ["after 10"]
        shown.at(2 * LINE_EVERY_S + 1, 3 * LINE_EVERY_S + 0.5, 3 * LINE_EVERY_S + 1)
        assert shown.lines[2:] == ["after 21", "after 31"]
    assert shown.screen.elapsed_s == 3 * LINE_EVERY_S + 1
    assert shown.tables == []


def test_a_terminal_shows_a_table_four_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Shown(monkeypatch, terminal=True, as_json=False)
    with shown.screen:
        shown.at(0, 0.125, 0.25, 0.375, 0.5, LINE_EVERY_S + 1)
        assert shown.tables == [0, 0.25, 0.5, LINE_EVERY_S + 1]
        written = shown.console.file
        assert isinstance(written, io.StringIO)
        assert [f"table {at:g}" in written.getvalue() for at in shown.tables] == [True] * 4
    assert shown.lines == ["12 agents quote and trade A, B"]


@pytest.mark.parametrize(
    ("clock", "words", "moves"),
    [("system", (), False), ("manual", (), True), ("manual", ("--hold-time",), False)],
)
def test_a_simulation_moves_a_manual_clock_unless_an_option_forbids_it(
    monkeypatch: pytest.MonkeyPatch, clock: str, words: tuple[str, ...], moves: bool
) -> None:
    given: list[Any] = []
    monkeypatch.setenv("CLOCK", clock)
    monkeypatch.setattr("crossbook.cli.simulate.Runner", lambda plan, clock: given.append(clock))
    monkeypatch.setattr("crossbook.cli.simulate._trade", lambda runner, output: None)
    assert CliRunner().invoke(app, ["simulate", *words]).exit_code == 0
    assert [type(each).__name__ for each in given] == ["ExchangeClock" if moves else "NoneType"]
