"""ccxt, synchronous and asynchronous."""

from typing import Final

from tests.clients.journey import RequestJourney
from tests.clients.refusals import Errors, Refused

ERRORS: Final = Errors(
    would_take=Refused("OrderImmediatelyFillable", ("Order would immediately match and take.",)),
    would_trigger=Refused("OrderImmediatelyFillable", ("Order would trigger immediately.",)),
    no_money=Refused("InsufficientFunds", ("insufficient balance for requested action.",)),
    unknown_cancel=Refused("OrderNotFound", ("-2011",)),
    unknown_order=Refused("OrderNotFound", ("-2013",)),
    duplicate=Refused("InvalidOrder", ("Duplicate order sent.",)),
    wrong_clock=Refused("InvalidNonce", ("-1021",)),
)
"""ccxt chooses its exception by the text of a refusal first."""


class TestCcxt(RequestJourney):
    CLIENT = "ccxt"
    SCRIPT = "ccxt_sync"
    ERRORS = ERRORS


class TestCcxtAsync(RequestJourney):
    CLIENT = "ccxt"
    SCRIPT = "ccxt_async"
    ERRORS = ERRORS
