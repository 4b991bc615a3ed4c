"""`crossbook admin faults`, whole: its acts and its output."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from crossbook.cli.main import app
from crossbook.common.faults.kinds import KINDS
from tests.gateway.faults.fault_world import served_world


@pytest.fixture(name="url", scope="module")
def fixture_url() -> Iterator[str]:
    with served_world() as world:
        yield f"http://127.0.0.1:{world.port}"


@pytest.fixture(autouse=True)
def _cleared(url: str) -> Iterator[None]:
    yield
    run(url, "clear")


def run(url: str, *words: str) -> tuple[int, str]:
    """Exit status and whole output."""
    result = CliRunner().invoke(app, ["admin", "faults", *words, "--url", url])
    return result.exit_code, result.output


def run_json(url: str, *words: str) -> tuple[int, Any]:
    """Exit status and the one JSON object printed."""
    status, text = run(url, *words, "--json")
    return status, json.loads(text)


def test_a_rule_is_added_listed_and_removed(url: str) -> None:
    words = ("add", "delay", "account=1", "milliseconds=200", "next=3")
    status, text = run(url, *words)
    assert status == 0
    number = int(text.split()[1].rstrip(":"))
    assert text == f"rule {number}: delay account=1 next=3 milliseconds=200.0\n"
    status, text = run(url, "list")
    head, row = text.splitlines()
    assert head.split() == ["id", "process", "rule", "concerned", "applied", "left"]
    assert row.split()[:2] == [str(number), "gateway"]
    assert row.split()[-3:] == ["0", "0", "3"]
    assert run(url, "remove", str(number)) == (0, f"rule {number} is removed\n")
    assert run(url, "list") == (0, "no rule is in force\n")


def test_results_are_json_on_request(url: str) -> None:
    status, made = run_json(url, "add", "refuse", "code=BUSY", "every=2")
    rule = {"kind": "refuse", "code": "BUSY", "every": 2}
    assert (status, made["rule"]) == (0, rule)
    status, listed = run_json(url, "list")
    assert [each["rule"] for each in listed["faults"]] == [rule]
    assert run_json(url, "remove", str(made["id"])) == (0, {"removed": 1})
    assert run_json(url, "clear") == (0, {"removed": 0})


def test_clear_counts_the_rules(url: str) -> None:
    run(url, "add", "no_answer")
    run(url, "add", "no_answer")
    assert run(url, "clear") == (0, "2 rules are removed\n")


@pytest.mark.parametrize(
    ("words", "field", "text"),
    [
        (("add", "slow"), "kind", "'slow': kinds are delay"),
        (
            ("add", "delay", "milliseconds=1e9"),
            "milliseconds",
            "'1e9': Expected `float` <= 600000.0",
        ),
        (("add", "delay"), "milliseconds", "delay needs it"),
        (("add", "no_answer", "account"), "fields", "'account' is not NAME=VALUE"),
        (("add", "no_answer", "kind=delay"), "fields", "'kind=delay' is not NAME=VALUE"),
    ],
)
def test_a_malformed_rule_is_a_usage_error(
    url: str, words: tuple[str, ...], field: str, text: str
) -> None:
    status, facts = run_json(url, *words)
    assert status == 2
    assert (facts["error"]["code"], facts["error"]["field"]) == ("USAGE", field)
    assert text in facts["error"]["message"]


def test_a_rule_that_does_not_exist_is_refused(url: str) -> None:
    status, facts = run_json(url, "remove", "999")
    assert status == 1
    assert facts["error"] == {
        "code": "NOT_FOUND",
        "message": "no rule has the id 999",
        "field": "id",
    }


def test_an_exchange_out_of_reach_is_named() -> None:
    for words in (("list",), ("clear",), ("add", "no_answer"), ("remove", "1")):
        status, text = run("http://127.0.0.1:1", *words)
        assert status == 3
        assert "no answer from http://127.0.0.1:1" in text


def test_every_kind_is_shown() -> None:
    result = CliRunner().invoke(app, ["admin", "faults", "kinds", "--json"])
    facts = json.loads(result.output)
    assert [each["kind"] for each in facts["kinds"]] == list(KINDS)
    assert facts["schedule"] == ["next", "every", "probability", "seed"]
    refuse = next(each for each in facts["kinds"] if each["kind"] == "refuse")
    assert refuse["parameters"] == ["code", "status", "retry_after_s", "message"]
    assert all(each["meaning"] for each in facts["kinds"])
