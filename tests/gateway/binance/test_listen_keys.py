"""Listen keys: one for an account, an hour long."""

from itertools import count

import pytest

from crossbook.gateway.binance import listen_keys
from crossbook.gateway.binance.listen_keys import LENGTH, LIFE_NS, ListenKeys, drawn_key
from crossbook.gateway.binance.problem import Refusal


def numbered() -> ListenKeys:
    """Keys that are numbered, for a test."""
    numbers = count(1)
    return ListenKeys(lambda: f"key-{next(numbers)}")


def code_of(act: object) -> int:
    """The code of a refusal."""
    with pytest.raises(Refusal) as refused:
        act()  # type: ignore[operator]
    return refused.value.code


def test_an_account_has_one_living_key_which_opening_renews() -> None:
    keys = numbered()
    assert [keys.open(7, 0), keys.open(8, 0), keys.open(7, LIFE_NS - 1)] == [
        "key-1", "key-2", "key-1",
    ]  # fmt: skip
    assert keys.account("key-1", 2 * LIFE_NS - 2) == 7
    assert keys.account("key-2", LIFE_NS) is None


def test_a_key_ends_an_hour_after_it_was_renewed() -> None:
    keys, ended = numbered(), []
    keys.on_end = lambda key, account: ended.append((key, account))
    key = keys.open(7, 0)
    keys.renew(key, 7, LIFE_NS - 1)
    assert keys.account(key, 2 * LIFE_NS - 2) == 7
    keys.expire(2 * LIFE_NS - 1)
    assert ended == [(key, 7)]
    assert len(keys) == 0
    assert keys.open(7, 2 * LIFE_NS) == "key-2"


def test_a_key_of_another_account_does_not_exist() -> None:
    keys = numbered()
    key = keys.open(7, 0)
    assert code_of(lambda: keys.renew(key, 8, 1)) == -1125
    assert code_of(lambda: keys.close(key, 8, 1)) == -1125
    assert code_of(lambda: keys.renew("other", 7, 1)) == -1125
    keys.close(key, 7, 1)
    assert code_of(lambda: keys.close(key, 7, 1)) == -1125


def test_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen_keys, "KEYS_MAX", 2)
    keys = numbered()
    for account in (1, 2):
        keys.open(account, 0)
    assert code_of(lambda: keys.open(3, 0)) == -1008
    assert keys.open(1, 1) == "key-1"
    assert keys.open(3, LIFE_NS) == "key-3"


def test_drawn_keys_differ_and_are_letters_and_digits() -> None:
    drawn = {drawn_key() for _ in range(10)}
    assert len(drawn) == 10
    assert all(len(key) == LENGTH and key.isalnum() and key.isascii() for key in drawn)
