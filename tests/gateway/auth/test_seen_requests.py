"""The memory of signed requests: no copy is accepted, and the memory stays bounded."""

from crossbook.common.times import SECOND_NS
from crossbook.gateway.auth.seen_requests import SeenRequests


def digest(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_a_copy_is_not_new_and_requests_of_other_keys_are() -> None:
    seen = SeenRequests()
    assert seen.is_new("a", digest(1), 5 * SECOND_NS, 0)
    assert not seen.is_new("a", digest(1), 5 * SECOND_NS, 4 * SECOND_NS)
    assert seen.is_new("a", digest(2), 5 * SECOND_NS, 0)
    assert seen.is_new("b", digest(1), 5 * SECOND_NS, 0)


def test_a_request_too_old_for_a_copy_is_forgotten_for_every_key() -> None:
    seen = SeenRequests()
    for number in range(100):
        assert seen.is_new(f"key-{number}", digest(number), 5 * SECOND_NS, 0)
    assert len(seen) == 100
    assert not seen.is_new("key-0", digest(0), 5 * SECOND_NS, 5 * SECOND_NS)
    assert seen.is_new("late", digest(0), 11 * SECOND_NS, 6 * SECOND_NS)
    assert len(seen) == 1


def test_a_key_with_too_many_requests_loses_the_oldest_and_none_is_accepted_again() -> None:
    seen = SeenRequests(most=10)
    accepted = [
        (digest(number), (1 + number // 5) * SECOND_NS)
        for number in range(40)
        if seen.is_new("a", digest(number), (1 + number // 5) * SECOND_NS, 0)
    ]
    assert len(accepted) == 40
    assert len(seen) <= 10
    assert not any(seen.is_new("a", *each, 0) for each in accepted)
    # As old as a forgotten one, so it may have been received before.
    assert not seen.is_new("a", digest(99), 1 * SECOND_NS, 0)
    assert seen.is_new("b", digest(99), 1 * SECOND_NS, 0)


def test_a_flood_within_one_second_stays_bounded_and_none_of_it_is_accepted_again() -> None:
    seen = SeenRequests(most=10)
    accepted = [digest(n) for n in range(50) if seen.is_new("a", digest(n), SECOND_NS, 0)]
    assert len(accepted) == 11
    assert len(seen) <= 10
    assert not any(seen.is_new("a", each, SECOND_NS, 0) for each in accepted)
    assert seen.is_new("a", digest(1), 9 * SECOND_NS, 2 * SECOND_NS)
