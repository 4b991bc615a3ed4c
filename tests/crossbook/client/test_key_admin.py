"""An administrator's acts on API keys: the keys of the matcher afterwards, and the results."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from crossbook.client.admin_client import AdminClient
from crossbook.client.key_admin import KeyAdmin
from crossbook.common.keys import KeyScheme, Scope
from crossbook.common.times import DAY_NS
from crossbook.errors import ActRefused
from crossbook.matcher.engine import keys as engine_keys
from tests.worlds.key_matcher import NOW_NS, KeyMatcher


@pytest.fixture
def matcher(monkeypatch: pytest.MonkeyPatch) -> KeyMatcher:
    return KeyMatcher(monkeypatch)


@pytest.fixture
def keys(matcher: KeyMatcher) -> Iterator[KeyAdmin]:
    with AdminClient("inproc://matcher") as admin:
        yield admin.api_keys


def test_a_secret_is_made_here_and_returned_once(matcher: KeyMatcher, keys: KeyAdmin) -> None:
    made = keys.create(7, label="bot")
    key = matcher.engine.keys[made.key.key_id]
    assert key.material.decode() == made.secret
    assert len(bytes.fromhex(made.secret)) == 32
    assert made.key == replace(key, material=b"")
    assert (key.scopes, key.account, key.label) == (Scope.READ | Scope.TRADE, 7, "bot")
    assert keys.list() == [made.key]
    assert made.secret not in repr(made)
    other = keys.create(7)
    assert other.secret != made.secret
    assert other.key.key_id != made.key.key_id


@pytest.mark.parametrize("scheme", [KeyScheme.ED25519, KeyScheme.CURVE])
def test_of_a_pair_only_the_public_key_is_sent(
    matcher: KeyMatcher, keys: KeyAdmin, scheme: KeyScheme
) -> None:
    made = keys.create(7, scheme=scheme, key_id="k")
    assert made.secret
    assert made.secret.encode() not in matcher.engine.keys["k"].material
    assert made.key == matcher.engine.keys["k"]
    given = keys.create(8, scheme=scheme, public="ab" * 32)
    assert given.secret == ""
    assert given.key.material == bytes.fromhex("ab" * 32)


@pytest.mark.parametrize(
    ("expires", "expires_ns"),
    [
        (None, 0),
        ("never", 0),
        ("90d", NOW_NS + 90 * DAY_NS),
        (timedelta(hours=1), NOW_NS + DAY_NS // 24),
        ("2031-01-01", 1_924_992_000 * 10**9),
        (datetime(2031, 1, 1, tzinfo=UTC), 1_924_992_000 * 10**9),
    ],
)
def test_an_expiry_is_a_time_or_a_duration_from_now(
    keys: KeyAdmin, expires: str | timedelta | datetime | None, expires_ns: int
) -> None:
    assert keys.create(7, expires=expires).key.expires_ns == expires_ns


def test_a_key_is_disabled_enabled_and_deleted(matcher: KeyMatcher, keys: KeyAdmin) -> None:
    keys.create(7, key_id="k")
    assert not keys.disable("k").enabled
    assert not matcher.engine.keys["k"].enabled
    assert keys.enable("k").enabled
    keys.delete("k")
    assert keys.list() == []
    with pytest.raises(ActRefused, match="there is no key 'k'"):
        keys.delete("k")


@pytest.mark.parametrize("scheme", [KeyScheme.HMAC_SHA256, KeyScheme.ED25519, KeyScheme.CURVE])
def test_a_rotation_keeps_the_scheme(
    matcher: KeyMatcher, keys: KeyAdmin, scheme: KeyScheme
) -> None:
    first = keys.create(7, key_id="k", scheme=scheme, expires="1d")
    before = matcher.engine.keys["k"]
    second = keys.rotate("k", overlap="1h", expires="never")
    after = matcher.engine.keys["k"]
    assert second.secret not in ("", first.secret)
    assert (after.scheme, after.previous) == (scheme, before.material)
    assert after.previous_until_ns == NOW_NS + DAY_NS // 24
    assert after.expires_ns == 0
    assert before.material not in (second.key.material, b"")
    keys.rotate("k")
    assert matcher.engine.keys["k"].previous == b""


def test_a_refusal_has_the_reason_and_no_secret(keys: KeyAdmin) -> None:
    keys.create(7, key_id="k")
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: keys.create(7, key_id="k"), "there is a key 'k' already"),
        (lambda: keys.create(0), "a key of scope read,trade needs an account"),
        (lambda: keys.create(7, key_id="a b"), "'a b' is not 1 to 32 letters"),
        (lambda: keys.create(7, label="x" * 41), "has 41 characters, at most 40 are taken"),
        (lambda: keys.create(7, expires="2029-01-01"), "this time has passed"),
        (lambda: keys.rotate("nobody"), "there is no key 'nobody'"),
        (lambda: keys.rotate("k", overlap="31d"), "an overlap is 0 to 30 days"),
    ]
    for refused, words in cases:
        with pytest.raises(ActRefused, match=words) as caught:
            refused()
        assert "material" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scopes": ["write"]}, "'write' is no scope"),
        ({"addresses": ["10.0.0.1/8"]}, "has host bits set"),
        ({"expires": "soon"}, "no duration"),
        ({"public": "00" * 32}, "has a secret, and no public key"),
    ],
)
def test_invalid_arguments_are_refused_before_anything_is_sent(
    matcher: KeyMatcher, keys: KeyAdmin, arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        keys.create(7, **arguments)  # type: ignore[arg-type]
    assert matcher.engine.seq == 0


def test_all_pages_are_listed(keys: KeyAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_keys, "PAGE_KEYS", 2)
    for name in "ecadb":
        keys.create(7, key_id=name)
    assert [key.key_id for key in keys.list()] == ["a", "b", "c", "d", "e"]
