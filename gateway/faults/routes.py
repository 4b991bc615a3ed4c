"""`/api/v1/admin/faults`: the rules in force, to list, add and remove.

The path exists only where `FAULTS=on`. It is served without the framework, behind the same checks
as every other path.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from crossbook.common.faults.kinds import AnyFault, FaultRuleError, rule_from_json
from crossbook.common.faults.table import FaultState
from crossbook.common.process.log import logger
from crossbook.gateway.api.bodies import whole_number
from crossbook.gateway.api.order_route import check_media_type
from crossbook.gateway.auth.access import Access
from crossbook.gateway.problem import ErrorDocument, Problem, internal, malformed
from crossbook.gateway.query import values_of
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.entrance import AsgiApp, Entrance

FAULTS_PATH: Final = "/api/v1/admin/faults"

_METHODS: Final = b"DELETE, GET, HEAD, OPTIONS, POST"
_METHODS_OF_ONE: Final = b"DELETE, OPTIONS"

_encode = msgspec.json.Encoder().encode


class FaultList(Struct):
    """Answer to GET: the rules in force, how often each kind was applied since the start, and the
    processes whose rules are not listed because they do not answer."""

    faults: list[FaultState]
    applied: dict[str, int]
    silent: list[str]


class Removed(Struct):
    """Answer to DELETE: the number of rules removed."""

    removed: int


class Faults(Protocol):
    """The rules in force in all processes of the exchange."""

    async def states(self) -> tuple[list[FaultState], Counter[str], Sequence[str]]:
        """The rules in force, the counts of each kind, and the processes that do not answer."""

    async def add(self, rule: AnyFault) -> FaultState:
        """Put a rule in force; raises `Problem`."""

    async def remove(self, number: int) -> int:
        """Remove the rule with this id, or all for zero; returns how many were removed."""


class FaultRoutes:
    """Serves `FAULTS_PATH`, and everything else by `app`."""

    def __init__(self, app: AsgiApp, faults: Faults, admission: Admission, access: Access) -> None:
        self._app = app
        self._faults = faults
        self._numbers = count(1)
        self._served = Entrance(self._serve, admission, access, self._request_id, _methods_of)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        path = scope["path"]
        served = path == FAULTS_PATH or path.startswith(f"{FAULTS_PATH}/")
        await (self._served if served else self._app)(scope, receive, send)

    def _request_id(self) -> str:
        return f"faults-{next(self._numbers)}"

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json")]
        try:
            status, document = await self._answer(scope, receive)
        except Problem as problem:
            status, document = problem.status, ErrorDocument(problem.detail, self._request_id())
            if status == 405:
                headers.append((b"allow", _methods_of(scope["path"])))
        except Exception:
            logger().exception("request_failed", path=FAULTS_PATH)
            status, document = 500, ErrorDocument(internal().detail, self._request_id())
        body = b"" if status == 204 else _encode(document)
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Any, receive: Any) -> tuple[int, Struct | None]:
        """Status and document for a request."""
        values_of(scope["query_string"].decode("latin-1"), ())
        method, one = scope["method"], scope["path"].removeprefix(FAULTS_PATH)
        if method == "OPTIONS":
            return 204, None
        if method == "DELETE":
            number = whole_number(one[1:]) if one else 0
            if number is None or (one and not number):
                raise malformed("id", f"{one[1:41]!r} is not the id of a rule, a number from 1")
            removed = await self._faults.remove(number)
            if one and not removed:
                raise Problem(404, "NOT_FOUND", f"no rule has the id {number}", "id")
            return 200, Removed(removed)
        if one or method not in ("GET", "POST"):
            names = _methods_of(scope["path"]).decode()
            raise Problem(405, "METHOD_NOT_ALLOWED", f"the methods of this path are {names}")
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
