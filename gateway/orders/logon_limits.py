"""Logons where a connection only has to name its account (`AUTH=off`): so many for each address."""

from collections.abc import Callable

from crossbook.common.messages.entry import Logon, Reject
from crossbook.common.types import RejectReason
from crossbook.gateway.auth.opened_accounts import OpenedAccounts


def limited_logon(
    opened: OpenedAccounts, address_of: Callable[[bytes], str]
) -> Callable[[bytes, Logon], str | Reject]:
    """An `admit_logon` of a desk; `address_of` returns the address of a client's connection."""

    def admit_logon(identity: bytes, logon: Logon) -> str | Reject:
        if opened.admits(address_of(identity), logon.account):
            return ""
        return Reject(logon.request_seq, RejectReason.EXCEEDS_LIMIT, "account", opened.text)

    return admit_logon
