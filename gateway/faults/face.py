"""Fault rules on the Binance-spot face: how its requests are read, and refused in its words."""

from collections.abc import Mapping
from typing import Any, Final

from crossbook.common.faults.order_entry import CODES, RequestFacts
from crossbook.gateway.binance.parameters import values_of
from crossbook.gateway.binance.problem import (
    CANCEL_REJECTED,
    NO_SUCH_ORDER,
    ORDER_REJECTED,
    Refusal,
    refusal_of,
    timed_out,
    too_many_requests,
)
from crossbook.gateway.binance.rest import is_of_face
from crossbook.gateway.binance.signing import KEY_HEADER, SignedAccess
from crossbook.gateway.binance.symbols import SymbolTable
from crossbook.gateway.faults.refusal import Refused
from crossbook.gateway.problem import Problem

BANNED: Final = 418

_ACTIONS: Final[Mapping[str, int]] = {"DELETE": CANCEL_REJECTED, "GET": NO_SUCH_ORDER}
"""Codes under which an action is refused, by method; -2010 for the others."""

_NAMES: Final = ("newClientOrderId", "origClientOrderId")
"""Parameters with the client order id of a request, the first that it has."""

_TOO_MANY: Final = "Too many requests; please use WebSocket Streams for live updates."


class FaceDialect:
    """The face: a request acts for the account of its key, and names its order and instrument by
    parameters."""

    def __init__(self, access: SignedAccess, symbols: SymbolTable) -> None:
        self._access = access
        self._symbols = symbols

    def serves(self, path: str) -> bool:
        """The paths of the face."""
        return is_of_face(path)

    def reads_body(self, method: str) -> bool:
        """Any: clients send bodies with DELETE too."""
        return method != "GET"

    def facts(self, scope: Any, body: bytes) -> RequestFacts | None:
        """The facts of a request; None where its parameters cannot be read."""
        try:
            values = values_of(scope["query_string"], body)
        except Refusal:
            return None
        key_id = next((value for name, value in scope["headers"] if name == KEY_HEADER), b"")
        key = key_id.decode("latin-1")
        instrument = self._symbols.find(values.get("symbol", ""))
        return RequestFacts(
            "rest",
            self._access.account_of(key),
            scope["path"],
            scope["method"],
            "" if instrument is None else instrument.symbol,
            next((values[name] for name in _NAMES if name in values), ""),
            key=key,
        )

    def refusal(
        self, refused: Refused, facts: RequestFacts, number: int
    ) -> tuple[int, Any, int | None]:
        """The code and text of the face, with the status of the rule where it names one."""
        wait_s = refused.retry_after_s
        if refused.status == BANNED or refused.detail.code == "TOO_MANY_REQUESTS":
            refusal = too_many_requests(_TOO_MANY, wait_s or 1, refused.status == BANNED)
        else:
            problem = Problem(
                refused.status, refused.detail.code, refused.detail.message, retry_after_s=wait_s
            )
            refusal = refusal_of(problem, _ACTIONS.get(facts.method, ORDER_REJECTED))
        is_usual = CODES.get(refused.detail.code) == refused.status
        document = refusal.document()
        if refused.text:
            document["msg"] = refused.text
        return refusal.status if is_usual else refused.status, document, refusal.retry_after_s

    def unknown(self, facts: RequestFacts, number: int) -> tuple[int, Any]:
        """-1007: execution status unknown."""
        refusal = timed_out()
        return refusal.status, refusal.document()
