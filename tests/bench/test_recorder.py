"""The recorder bench writes every order of its flow, and real processes catch up with a journal."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from bench import recorder, workload
from crossbook.common.instruments_file import load_instruments


def test_a_small_run_measures_writing_and_catching_up(capsys: pytest.CaptureFixture[str]) -> None:
    report = recorder.run(orders=1_500, repeats=1)
    assert report.database == "sqlite"
    assert [(row.scenario, row.orders) for row in report.written] == [
        ("normal", 1_500), ("normal", 1_500), ("crash-60", 1_500), ("crash-60", 1_500),
    ]  # fmt: skip
    for small, large in (report.written[:2], report.written[2:]):
        assert small.rows >= large.rows >= 1_500
        assert 0 < small.orders_per_s < small.events_per_s
        assert 0 < large.digest_share < 1
    assert report.caught_up.commands == 3_000
    assert report.caught_up.commands_per_s > 0
    recorder.show(report)
    assert "caught up: 3,000 commands" in capsys.readouterr().out


def test_the_matcher_of_the_catch_up_has_the_instrument_of_its_journal(tmp_path: Path) -> None:
    path = tmp_path / "instruments.toml"
    path.write_text(recorder.INSTRUMENTS_FILE)
    (printed,) = load_instruments(path)
    limits = ("max_price_ticks", "max_quantity_lots", "maker_fee_rate", "taker_fee_rate",
              "min_quantity_lots", "min_notional")  # fmt: skip
    expected = workload.INSTRUMENT
    assert replace(printed, **{name: getattr(expected, name) for name in limits}) == expected
