"""The settings of an exchange for tests: names and values checked before anything starts."""

from pathlib import Path
from typing import Any

import pytest

from crossbook.common.errors import ConfigError
from crossbook.testing.plan import DEFAULTS, Plan


def test_equal_arguments_make_equal_plans_whatever_their_order_and_case() -> None:
    one = Plan.of({"ORDER_QUEUE_SIZE": 4, "accounts": "off"})
    assert one == Plan.of({"Accounts": "off", "order_queue_size": "4"})
    assert hash(one) == hash(Plan.of({"ACCOUNTS": False, "ORDER_QUEUE_SIZE": 4}))
    assert one.environment() == {**DEFAULTS, "ACCOUNTS": "off", "ORDER_QUEUE_SIZE": "4"}


def test_a_setting_of_the_test_replaces_that_of_all_exchanges_for_tests() -> None:
    assert Plan.of({"heartbeat_ms": 500}).environment()["HEARTBEAT_MS"] == "500"


@pytest.mark.parametrize(
    ("given", "text"),
    [(True, "true"), (False, "false"), (7, "7"), ("7", "7"), (Path("a/b"), "a/b")],
)
def test_values_become_the_text_of_the_environment(given: Any, text: str) -> None:
    assert Plan.of({"insecure_allow_public_bind": given}).settings[0][1] == text


@pytest.mark.parametrize(
    ("settings", "options", "complaint"),
    [
        ({"order_queue": 4}, {}, "ORDER_QUEUE: is not a setting; ORDER_QUEUE_SIZE is one"),
        ({"qwertz": 4}, {}, "QWERTZ: is not a setting; docs/reference/configuration.md"),
        ({"api_port": 8000}, {}, "API_PORT: an exchange for tests sets it itself"),
        ({"order_queue_size": 4.5}, {}, "ORDER_QUEUE_SIZE=4.5: is neither text nor a whole"),
        ({}, {"shards": 0}, "shards=0: is not a whole number from 1 to 64"),
        ({}, {"shards": 65}, "shards=65: is not a whole number from 1 to 64"),
        ({}, {"instruments": "/nowhere.toml"}, "instruments='/nowhere.toml': there is no such"),
    ],
)
def test_a_wrong_argument_is_named(
    settings: dict[str, Any], options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Plan.of(settings, **options)


def test_instruments_are_found_from_any_folder(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "mine.toml").touch()
    monkeypatch.chdir(tmp_path)
    assert Plan.of({}, instruments="mine.toml").instruments == str(tmp_path / "mine.toml")
