"""How many accounts one address may act for, where a request only has to name one (`AUTH=off`).

An account begins with play money and stays for ever. So an address that names one account after
another would fill the matcher, and a limit of requests by account would not hold it.
"""

from typing import Final

ADDRESSES_MAX: Final = 10_000
"""Most addresses that are remembered; beyond it the first of them begins anew."""

PAIRS_MAX: Final = 200_000
"""Most accounts remembered of all addresses together."""


class OpenedAccounts:
    """The accounts that each address has acted for, at most `most` of them.

    >>> opened = OpenedAccounts(most=1)
    >>> opened.admits("192.0.2.1", 7), opened.admits("192.0.2.1", 7)
    (True, True)
    >>> opened.admits("192.0.2.1", 8), opened.admits("192.0.2.2", 8), opened.refused
    (False, True, 1)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_address: dict[str, set[int]] = {}
        self._pairs = 0
        self.refused = 0

    @property
    def text(self) -> str:
        """Why an account is refused."""
        return (
            f"an address may act for {self._most} accounts, and this one has (ACCOUNTS_PER_ADDRESS)"
        )

    def admits(self, address: str, account: int) -> bool:
        """Whether the address may act for the account; if so, it is one of its accounts. O(1)."""
        accounts = self._by_address.get(address)
        if accounts is None:
            accounts = self._by_address[address] = set()
        if account in accounts:
            return True
        if len(accounts) >= self._most:
            self.refused += 1
            return False
        accounts.add(account)
        self._pairs += 1
        while len(self._by_address) > ADDRESSES_MAX or self._pairs > PAIRS_MAX:
            self._forget_first()
        return True

    def _forget_first(self) -> None:
        first = next(iter(self._by_address))
        self._pairs -= len(self._by_address.pop(first))
