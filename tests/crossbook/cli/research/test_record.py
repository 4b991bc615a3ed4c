"""Wrong usages of `crossbook record`; tests/system/test_record.py records."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossbook.cli.main import app


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--for", "soon"), "USAGE (for): 'soon' is no duration"),
        (("--from", "2026-01-01"), "USAGE (from): --from bounds the time of a journal"),
        (("--journal", "x", "--for", "1s"), "USAGE (for): --for bounds a recording of the feed"),
        (("--journal", "/none"), "USAGE (journal): /none: No such file"),
    ],
)
def test_a_wrong_usage_names_the_option(tmp_path: Path, words: tuple[str, ...], text: str) -> None:
    command = ["record", "-s", "BTC-USDT", "-o", str(tmp_path / "a"), *words]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert result.stderr.startswith(text)
    assert not list(tmp_path.iterdir())
