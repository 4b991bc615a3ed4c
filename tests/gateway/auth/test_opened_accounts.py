"""One address opens a bounded number of accounts, and the memory of addresses is bounded."""

import pytest

from crossbook.gateway.auth import opened_accounts
from crossbook.gateway.auth.opened_accounts import OpenedAccounts


def test_an_address_opens_a_bounded_number_of_accounts_and_keeps_them() -> None:
    opened = OpenedAccounts(3)
    assert [opened.admits("a", account) for account in (1, 2, 3, 4, 2, 5, 1)] == [
        True, True, True, False, True, False, True,
    ]  # fmt: skip
    assert opened.admits("b", 4)
    assert opened.refused == 2
    assert opened.text == (
        "an address may act for 3 accounts, and this one has (ACCOUNTS_PER_ADDRESS)"
    )


@pytest.mark.parametrize(("limit", "most"), [("ADDRESSES_MAX", 5), ("PAIRS_MAX", 15)])
def test_the_memory_of_addresses_is_bounded(
    limit: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened_accounts, limit, most)
    opened = OpenedAccounts(3)
    for address in range(100):
        for account in range(3):
            assert opened.admits(f"{address}", account)
    assert len(opened._by_address) <= 5
    assert opened._pairs == sum(map(len, opened._by_address.values())) <= 15
    # The first addresses are forgotten and begin anew; the last one is not.
    assert opened.admits("0", 9)
    assert not opened.admits("99", 9)
