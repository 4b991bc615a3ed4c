"""Keys of administrators at the matcher's own socket for them."""

import pytest
from msgspec.structs import replace

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.admin import AdminAct, AdminInspect, AdminRefused
from crossbook.common.messages.commands import SetInstrumentState
from crossbook.common.peer_admission import EXCHANGE, user_of
from crossbook.matcher.admin_access import AdminAccess

NOW = 1_000
BOSS = Key(
    key_id="boss",
    scheme=KeyScheme.CURVE,
    material=b"b" * 32,
    scopes=Scope.ADMIN,
    account=0,
    addresses=("10.0.0.0/8",),
)
ALICE = Key(
    key_id="alice",
    scheme=KeyScheme.CURVE,
    material=b"a" * 32,
    scopes=Scope.READ | Scope.TRADE,
    account=7,
)
SIGNER = Key(
    key_id="signer", scheme=KeyScheme.ED25519, material=b"s" * 32, scopes=Scope.ADMIN, account=0
)
ACT = AdminAct(3, SetInstrumentState(gateway=0, request_seq=0, account=0, instrument=1, state=2))


def admin_access(*keys: Key) -> AdminAccess:
    held = {key.key_id: key for key in keys}
    return AdminAccess(lambda: held, lambda: NOW)


def user(key: Key) -> str:
    return user_of(key, key.material)


def test_a_key_is_found_by_each_of_its_public_keys() -> None:
    rotated = replace(BOSS, previous=b"p" * 32, previous_until_ns=NOW + 1)
    keys = admin_access(rotated, SIGNER)
    assert keys.find(b"b" * 32) == keys.find(b"p" * 32) == rotated
    assert keys.find(b"s" * 32) is None
    assert keys.find(b"x" * 32) is None


def test_a_previous_public_key_is_that_of_the_key_which_has_it_at_present() -> None:
    before = replace(BOSS, key_id="before", material=b"n" * 32, previous=BOSS.material)
    assert admin_access(before, BOSS).find(BOSS.material) == BOSS


def test_an_act_is_that_of_the_key_whatever_it_names() -> None:
    claimed = replace(ACT, requested_by="somebody-else")
    assert admin_access(BOSS).checked(user(BOSS), claimed) == replace(ACT, requested_by="boss")


def test_a_process_of_the_exchange_acts_for_the_administrator_it_names() -> None:
    claimed = replace(ACT, requested_by="boss")
    assert admin_access().checked(EXCHANGE, claimed) == claimed


def test_a_view_is_answered_as_it_was_requested() -> None:
    assert admin_access(BOSS).checked(user(BOSS), AdminInspect(1)) == AdminInspect(1)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (replace(BOSS, enabled=False), "key boss is disabled"),
        (replace(BOSS, expires_ns=NOW), "key boss expired at"),
        (replace(BOSS, scopes=Scope.READ, account=7), "key boss has scope read, not ADMIN"),
        (replace(BOSS, material=b"n" * 32), "key boss is no longer the one of this connection"),
        (ALICE, "key boss is no longer the one of this connection"),
    ],
)
@pytest.mark.parametrize("request_", [ACT, AdminInspect(3)])
def test_a_key_that_changed_acts_no_more(now: Key, why: str, request_: AdminAct) -> None:
    refused = admin_access(now).checked(user(BOSS), request_)
    assert isinstance(refused, AdminRefused)
    assert (refused.request_id, refused.field) == (3, "key")
    assert refused.text.startswith(why)
