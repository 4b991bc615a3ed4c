"""`/api/v1/admin/faults`: the rules in force, to list, add and remove.

The path exists only where `FAULTS=on`. It is served without the framework, behind the same checks
as every other path.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from crossbook.common.faults.kinds import AnyFault, FaultRuleError, rule_from_json
from crossbook.common.faults.table import FaultState
from crossbook.gateway.api.bodies import whole_number
from crossbook.gateway.api.order_route import check_media_type
from crossbook.gateway.auth.access import Access
from crossbook.gateway.problem import Problem, malformed
from crossbook.gateway.web.admin_routes import AdminRoutes
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.entrance import AsgiApp

FAULTS_PATH: Final = "/api/v1/admin/faults"

_METHODS: Final = b"DELETE, GET, HEAD, OPTIONS, POST"
_METHODS_OF_ONE: Final = b"DELETE, OPTIONS"


class FaultList(Struct):
    """Answer to GET: the rules in force, how often each kind was applied since the start, and the
    processes whose rules are not listed because they do not answer."""

    faults: list[FaultState]
    applied: dict[str, int]
    silent: list[str]


class Removed(Struct):
    """Answer to DELETE: the number of rules removed."""

    removed: int


class ExchangeFaults(Protocol):
    """The rules in force in all processes of the exchange."""

    async def states(self) -> tuple[list[FaultState], Counter[str], Sequence[str]]:
        """The rules in force, the counts of each kind, and the processes that do not answer."""

    async def add(self, rule: AnyFault) -> FaultState:
        """Put a rule in force; raises `Problem`."""

    async def remove(self, number: int) -> int:
        """Remove the rule with this id, or all for zero; returns how many were removed."""


class FaultRoutes(AdminRoutes):
    """Serves `FAULTS_PATH`, and everything else by `app`."""

    def __init__(
        self, app: AsgiApp, faults: ExchangeFaults, admission: Admission, access: Access
    ) -> None:
        super().__init__(app, admission, access, FAULTS_PATH, "faults", _methods_of)
        self._faults = faults

    async def answer(self, scope: Any, receive: Any) -> tuple[int, Struct]:
        """Status and document for a request; raises `Problem`."""
        method, one = scope["method"], scope["path"].removeprefix(FAULTS_PATH)
        if method == "DELETE":
            number = whole_number(one[1:]) if one else 0
            if number is None or (one and not number):
                raise malformed("id", f"{one[1:41]!r} is not the id of a rule, a number from 1")
            removed = await self._faults.remove(number)
            if one and not removed:
                raise Problem(404, "NOT_FOUND", f"no rule has the id {number}", "id")
            return 200, Removed(removed)
        if method == "GET":
            states, applied, silent = await self._faults.states()
            return 200, FaultList(states, dict(sorted(applied.items())), list(silent))
        check_media_type(scope["content_type"])
        try:
            rule = rule_from_json((await receive())["body"])
        except FaultRuleError as error:
            raise malformed(error.field or None, error.text) from None
        return 201, await self._faults.add(rule)


def _methods_of(path: str) -> bytes:
    return _METHODS if path == FAULTS_PATH else _METHODS_OF_ONE
