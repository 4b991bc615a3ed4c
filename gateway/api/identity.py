"""The account a request acts for, read in the same way for REST, `/ws/orders` and the page. No I/O.

A request names its account once: in the header `X-Account`, or as `account` in the query of
`/ws/orders`. Only the plain decimal form of its number is accepted, so all readers agree on it.
"""

import re
from collections.abc import Sequence
from typing import Final

from crossbook.common.types import MAX_ACCOUNT
from crossbook.gateway.problem import malformed

HEADER: Final = "X-Account"

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


def account_number(text: str, field: str) -> int:
    """The number of an account in text; raises `Problem`.

    >>> account_number("7", "account")
    7
    """
    if _NUMBER.fullmatch(text) is None or int(text) > MAX_ACCOUNT:
        reason = (
            f"{text[:20]!r} is not an account, a number from 1 to {MAX_ACCOUNT} in plain digits"
        )
        raise malformed(field, reason)
    return int(text)


def account_in(values: Sequence[bytes]) -> int | None:
    """The account in the values of all `X-Account` headers of a request; None without one. Raises
    `Problem`."""
    if not values:
        return None
    if len(values) > 1:
        raise malformed(HEADER, f"{len(values)} headers; give the account once")
    return account_number(values[0].decode("latin-1"), HEADER)


def acting_account(from_header: int | None, in_query: str | None) -> int | None:
    """The account of a handshake, in its header or its query; raises `Problem` for both."""
    if in_query is None:
        return from_header
    if from_header is not None:
        raise malformed("account", f"given in the query and in {HEADER}; give the account once")
    return account_number(in_query, "account")
