"""`crossbook keys` by its command line, over a real matcher in this process."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crossbook.cli.main import app
from crossbook.common.keys import KeyScheme, Scope
from tests.worlds.key_matcher import NOW_NS, KeyMatcher


@pytest.fixture
def matcher(monkeypatch: pytest.MonkeyPatch) -> KeyMatcher:
    return KeyMatcher(monkeypatch)


def run(*words: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    result = CliRunner().invoke(app, ["keys", *words], env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    lines = [each.rstrip() for each in result.stdout.splitlines()]
    return result.exit_code, "\n".join(lines), result.stderr.strip()


def facts(*words: str) -> Any:
    """The printed object."""
    status, out, err = run(*words, "--json")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_the_secret_is_printed_once_and_never_again(matcher: KeyMatcher) -> None:
    status, out, _ = run("create", "-a", "7", "--id", "alice")
    first, secret = out.splitlines()
    assert (status, first) == (0, "key alice created; its secret is shown this once:")
    assert matcher.engine.keys["alice"].material.decode() == secret
    for words in (
        ["list"],
        ["list", "--json"],
        ["disable", "alice"],
        ["enable", "alice", "--json"],
    ):
        assert secret not in run(*words)[1]
    made = facts("create", "-a", "7", "--label", "bot", "--scopes", "read", "--expires", "1d")
    key = matcher.engine.keys[made["key_id"]]
    assert key.material.decode() == made["secret"]
    assert {name: made[name] for name in ("scheme", "scopes", "account", "label", "enabled")} == {
        "scheme": "hmac_sha256", "scopes": "read", "account": 7, "label": "bot", "enabled": True,
    }  # fmt: skip
    assert made["expires"] == "2030-03-18T17:46:40.000Z"


def test_every_option_reaches_the_key(matcher: KeyMatcher) -> None:
    made = facts(
        "create", "--account", "7", "--scopes", "trade, read", "--scheme", "curve",
        "--public", "ab" * 32, "--id", "desk", "--address", "10.0.0.0/8", "--address", "::1",
    )  # fmt: skip
    key = matcher.engine.keys["desk"]
    assert (key.scheme, key.scopes, key.account) == (KeyScheme.CURVE, Scope.READ | Scope.TRADE, 7)
    assert key.addresses == ("10.0.0.0/8", "::1/128")
    assert made["public_keys"] == ["ab" * 32]
    assert "secret" not in made


def test_a_key_file_holds_the_secret_and_nothing_prints_it(
    matcher: KeyMatcher, tmp_path: Path
) -> None:
    path = tmp_path / "ops.json"
    status, out, _ = run(
        "create", "--scopes", "admin", "--id", "ops", "--key-file", str(path), "--json"
    )
    held = json.loads(path.read_text())
    assert status == 0
    assert held == {"key_id": "ops", "secret": matcher.engine.keys["ops"].material.decode()}
    assert held["secret"] not in out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    status, _, err = run("rotate", "ops", "--key-file", str(path))
    assert (status, "File exists" in err) == (2, True)
    assert json.loads(path.read_text()) == held
    assert matcher.engine.keys["ops"].material.decode() == held["secret"]


def test_no_key_file_is_left_where_no_key_was_made(matcher: KeyMatcher, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    status, _, err = run("create", "-a", "7", "--id", "a b", "--key-file", str(path))
    assert (status, "MALFORMED (key_id)" in err) == (1, True)
    assert not path.exists()
    assert matcher.engine.keys == {}


def test_keys_are_listed_with_their_state(matcher: KeyMatcher) -> None:
    assert run("list") == (0, "there are no keys", "")
    run("create", "-a", "7", "--id", "a", "--label", "bot")
    run("create", "-a", "8", "--id", "b", "--expires", "1h", "--scheme", "ed25519")
    run("create", "--scopes", "admin", "--id", "c")
    run("disable", "c")
    matcher.now_ns = NOW_NS + 3_600 * 10**9
    _, out, _ = run("list")
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == [
        "key",
        "account",
        "scopes",
        "scheme",
        "state",
        "expires",
        "addresses",
        "label",
    ]
    assert rows[1:] == [
        ["a", "7", "read,trade", "hmac_sha256", "enabled", "bot"],
        ["b", "8", "read,trade", "ed25519", "expired", "2030-03-17T18:46:40.000Z"],
        ["c", "admin", "hmac_sha256", "disabled"],
    ]
    assert [key["key_id"] for key in facts("list", "-a", "7")["keys"]] == ["a"]
    assert [key["key_id"] for key in facts("list", "-a", "0")["keys"]] == ["c"]


def test_a_key_is_rotated_and_deleted(matcher: KeyMatcher) -> None:
    run("create", "-a", "7", "--id", "a")
    before = matcher.engine.keys["a"].material
    made = facts("rotate", "a", "--overlap", "1h")
    key = matcher.engine.keys["a"]
    assert key.material.decode() == made["secret"]
    assert (key.previous, key.previous_until_ns) == (before, NOW_NS + 3_600 * 10**9)
    assert facts("delete", "a") == {"key_id": "a"}
    assert matcher.engine.keys == {}


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["create"], 2, "USAGE (account): a key of scope read,trade needs --account"),
        (["create", "-a", "7", "--scopes", "write"], 2, "'write' is no scope"),
        (["create", "-a", "7", "--address", "home"], 2, "'home' is no IP address or network"),
        (["create", "-a", "7", "--expires", "soon"], 2, "'soon' is no duration"),
        (["create", "-a", "7", "--expires", "2029-01-01"], 1, "TOO_LATE (expires)"),
        (["create", "-a", "7", "--scheme", "rsa", "--public", "x"], 2, "neither a file nor a"),
        (["create", "-a", "7", "--id", "local"], 1, "names administrators without a key"),
        (["disable", "nobody"], 1, "UNKNOWN_KEY (key_id): there is no key 'nobody'"),
        (["rotate", "nobody", "--overlap", "soon"], 2, "'soon' is no duration"),
    ],
)
def test_a_refusal_names_the_field_and_the_value(
    matcher: KeyMatcher, words: list[str], status: int, text: str
) -> None:
    found, out, err = run(*words)
    assert (found, out) == (status, "")
    assert text in err
    assert matcher.engine.keys == {}
