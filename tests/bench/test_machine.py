"""The scheduling that a bench requests, and gives back at its end."""

from pathlib import Path

from bench import machine


def test_a_bench_goes_before_others_and_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "autogroup"
    path.write_text("/autogroup-7 nice 3\n")
    with machine.precedence(path):
        assert path.read_text() == machine.AUTOGROUP_NICE
    assert path.read_text() == "3\n"


def test_without_permission_the_bench_measures_at_ordinary_scheduling(tmp_path: Path) -> None:
    with machine.precedence(tmp_path / "missing"):
        assert not list(tmp_path.iterdir())
