"""The pace of learning environments is counted, printed and written."""

import json
from pathlib import Path

from typer.testing import CliRunner

from bench.__main__ import app


def test_every_environment_is_timed_at_every_step(tmp_path: Path) -> None:
    path = tmp_path / "learning.json"
    words = ["learning", "--steps", "10", "--repeats", "1", "--json", str(path)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    report = json.loads(path.read_text())
    assert report["market_ticks_per_s"] > 10
    assert report["market_requests_per_s"] > 10
    rows = {(each["name"], each["agents"], each["step_s"]): each for each in report["paces"]}
    assert set(rows) == {
        (name, agents, step_s)
        for name in ("market making", "execution")
        for agents, step_s in ((6, 1.0), (6, 0.2), (12, 1.0))
    }
    for each in rows.values():
        assert each["ticks_per_s"] == each["steps_per_s"] * each["step_s"] * 10
        assert each["reset_ms"] > 0
    for text in ("method: steps 10, repeats 1", "the market alone:", "steps/s", "reset ms"):
        assert text in done.output
