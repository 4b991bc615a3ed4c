"""What a client raises for a refusal of the exchange."""

from typing import NamedTuple

from tests.clients.conversation import ClientError


class Refused(NamedTuple):
    """The exception that a client raises for one refusal: its class, and parts of its text."""

    name: str
    parts: tuple[str, ...] = ()

    def check(self, error: ClientError) -> None:
        """Raise `AssertionError` where it is another one."""
        assert self.name in error.classes, error
        assert all(part in error.text for part in self.parts), error


class Errors(NamedTuple):
    """The exceptions of a client. Without `bad_price` it brings prices to the grid itself."""

    would_take: Refused
    would_trigger: Refused
    no_money: Refused
    unknown_cancel: Refused
    unknown_order: Refused
    duplicate: Refused
    wrong_clock: Refused
    bad_price: Refused | None = None


def errors_with(name: str, form: str) -> Errors:
    """The exceptions of a client that has one class, and in its text the code, in a form, and the
    text of a refusal."""

    def refused(code: int, text: str) -> Refused:
        return Refused(name, (form.format(code), text))

    return Errors(
        would_take=refused(-2010, "Order would immediately match and take."),
        would_trigger=refused(-2010, "Order would trigger immediately."),
        no_money=refused(-2010, "Account has insufficient balance for requested action."),
        unknown_cancel=refused(-2011, "Unknown order sent."),
        unknown_order=refused(-2013, "Order does not exist."),
        duplicate=refused(-2010, "Duplicate order sent."),
        wrong_clock=refused(-1021, "Timestamp for this request"),
        bad_price=refused(-1013, "Filter failure: PRICE_FILTER"),
    )
