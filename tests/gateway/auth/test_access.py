"""`AUTH=off`: a request acts for the account that it names."""

from crossbook.gateway.auth.access import AnyAccount


def test_a_request_acts_for_the_account_it_names_or_the_default_one() -> None:
    access = AnyAccount(3)
    for named, acting in ((None, 3), (7, 7)):
        assert access.account(access.claim({}, named), b"") == acting
        assert access.named([(b"crossbook-key", b"alice-1")], named) == acting
