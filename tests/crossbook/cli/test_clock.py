"""`crossbook admin advance`: the time of the matchers, and whether the gateway has followed."""

import pytest
from msgspec.structs import replace

from tests.crossbook.cli.admin_shell import BEGAN_NS, SECOND_NS, Matchers


@pytest.fixture
def matchers(monkeypatch: pytest.MonkeyPatch) -> Matchers:
    return Matchers(monkeypatch)


def manual(matchers: Matchers, monkeypatch: pytest.MonkeyPatch, fault: str = "") -> None:
    """All clocks are manual; that of the second shard is a second behind. The gateway has followed
    them, or has not for this reason."""
    monkeypatch.setattr("crossbook.cli.clock.time_fault", lambda *_, **__: fault)
    matchers.views = [
        replace(view, is_manual=True, time_ns=BEGAN_NS - shard * SECOND_NS)
        for shard, view in enumerate(matchers.views)
    ]


def test_a_manual_clock_is_advanced_by_a_duration_or_to_a_time(
    matchers: Matchers, monkeypatch: pytest.MonkeyPatch
) -> None:
    manual(matchers, monkeypatch)
    assert matchers.run("advance", "1h30m") == (
        0, "it is 2025-10-26T14:03:16.789Z, 1h30m later", "",
    )  # fmt: skip
    assert matchers.moves == [(0, BEGAN_NS + 5_400 * SECOND_NS)]
    assert matchers.run_json("advance", "--to", "2025-10-27T00:00Z") == {
        "time": "2025-10-27T00:00:00.000Z", "before": "2025-10-26T12:33:16.789Z", "seqs": [90],
        "followed": True,
    }  # fmt: skip
    assert matchers.moves == [(0, 1_761_523_200 * SECOND_NS)]


def test_an_advance_names_a_gateway_that_has_not_followed(
    matchers: Matchers, monkeypatch: pytest.MonkeyPatch
) -> None:
    manual(matchers, monkeypatch, "it does not answer")
    status, out, err = matchers.run("advance", "1s")
    assert (status, out) == (0, "it is 2025-10-26T12:33:17.789Z, 1s later")
    assert err == "the gateway is not known to have followed: it does not answer"
    assert matchers.run_json("advance", "1s")["followed"] is False


def test_all_shards_advance_to_one_time_from_the_latest_of_theirs(
    matchers: Matchers, monkeypatch: pytest.MonkeyPatch
) -> None:
    matchers.two()
    manual(matchers, monkeypatch)
    matchers.run_json("advance", "1s")
    assert matchers.moves == [(shard, BEGAN_NS + SECOND_NS) for shard in (0, 1)]


def test_no_clock_moves_where_one_is_that_of_the_machine(
    matchers: Matchers, monkeypatch: pytest.MonkeyPatch
) -> None:
    matchers.two()
    manual(matchers, monkeypatch)
    matchers.views[1] = replace(matchers.views[1], is_manual=False)
    status, out, err = matchers.run("advance", "1s")
    assert (status, out, matchers.moves) == (1, "", [])
    assert err.startswith(
        "ADVANCE_REFUSED (clock): the matcher of shard 1 follows the clock of its"
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("tomorrow",), "USAGE (duration): 'tomorrow' is no duration"),
        (("--to", "noon"), "USAGE (to): 'noon' is no time"),
        ((), "USAGE (duration): give either a duration or the time to advance to"),
        (("1d", "--to", "2030-01-01"), "USAGE (to): give either a duration or the time"),
    ],
)
def test_the_refusal_of_an_advance_names_the_wrong_word(
    matchers: Matchers, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], text: str
) -> None:
    manual(matchers, monkeypatch)
    status, _, err = matchers.run("advance", *words)
    assert (status, err[: len(text)], matchers.moves) == (2, text, [])
