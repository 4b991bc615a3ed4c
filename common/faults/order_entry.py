"""The faults of order entry: requests before the matcher, answers after it, and executions."""

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta, Struct

from crossbook.common.faults.rule import (
    Account,
    DelayLeast,
    DelayMost,
    Distribution,
    FaultRule,
    Path,
    Symbol,
)
from crossbook.common.keys import KEY_ID_MAX
from crossbook.common.types import MAX_CLIENT_ORDER_ID, MAX_INT, RejectReason

RETRY_AFTER_MAX_S: Final = 86_400
"""Longest `retry_after_s`: a day."""

MESSAGE_MAX: Final = 200
"""Longest text of a refusal, in characters."""

API_PATHS: Final = ("/api/v1/", "/api/v3/")
"""Beginnings of the paths that a rule without a path concerns: of the native API and of the face
for Binance clients."""

Interface = Literal["rest", "websocket", "zeromq", "handshake"]
"""REST; a request on `/ws/orders`; ZeroMQ order entry; the opening of a WebSocket."""

Session = Annotated[
    int, Meta(ge=1, le=MAX_INT, description="only the ZeroMQ session with this token")
]
KeyId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_-]+$",
        max_length=KEY_ID_MAX,
        description="only requests signed with this API key, and connections opened with it",
    ),
]
ClientOrderId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_CLIENT_ORDER_ID,
        description="only the order of this client order id; with `*` at its end all that begin so",
    ),
]
Method = Annotated[
    str,
    Meta(
        pattern=r"^([A-Z]+|[a-z_]+)$",
        max_length=32,
        description="only this method: `POST` over HTTP, `submit` and so on elsewhere",
    ),
]
Code = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z][A-Z_]*$",
        max_length=40,
        description="code of the refusal, such as a reject reason",
    ),
]
Status = Annotated[int, Meta(ge=400, le=599, description="HTTP status of the refusal")]


class RequestFacts(Struct, gc=False):
    """Facts of one request, for the selectors; zero and the empty text where it has none."""

    interface: Interface
    account: int
    path: str = ""
    method: str = ""
    symbol: str = ""
    client_order_id: str = ""
    session: int = 0
    key: str = ""


class ExecutionFacts(Struct, gc=False):
    """Facts of one execution report on its way to a client."""

    interface: Interface
    account: int
    symbol: str = ""
    session: int = 0
    key: str = ""


class _OnRequests(FaultRule):
    """The selectors of requests."""

    selectors: ClassVar[tuple[str, ...]] = (
        "interface", "account", "key", "session", "method", "path", "symbol", "client_order_id",
    )  # fmt: skip

    interface: Annotated[Interface, Meta(description="only this interface")] | None = None
    account: Account | None = None
    key: KeyId | None = None
    session: Session | None = None
    method: Method | None = None
    path: Path | None = None
    symbol: Symbol | None = None
    client_order_id: ClientOrderId | None = None

    def concerns(self, facts: Struct) -> bool:
        """As for every rule. Without a path a rule leaves all of HTTP alone but the API."""
        if (
            self.path is None
            and getattr(facts, "interface", "") == "rest"
            and not getattr(facts, "path", "").startswith(API_PATHS)
        ):
            return False
        return super().concerns(facts)


class RequestFault(_OnRequests):
    """Faults before the matcher: nothing was done when one ends a request."""

    def concerns(self, facts: Struct) -> bool:
        """As for every rule; a handshake only where the rule names that interface."""
        is_handshake = getattr(facts, "interface", "") == "handshake"
        return super().concerns(facts) and is_handshake == (self.interface == "handshake")


class AnswerFault(_OnRequests):
    """Faults after the matcher: the request was done, and its answer suffers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _not_for_handshakes(self)


class ExecutionFault(FaultRule):
    """Faults of the user stream: execution reports of `/ws/orders` and of ZeroMQ sessions."""

    selectors: ClassVar[tuple[str, ...]] = ("interface", "account", "key", "session", "symbol")

    interface: (
        Annotated[Literal["websocket", "zeromq"], Meta(description="only this interface")] | None
    ) = None
    account: Account | None = None
    key: KeyId | None = None
    session: Session | None = None
    symbol: Symbol | None = None


class Delay(RequestFault, kw_only=True, tag="delay"):
    """The request waits before it is served."""

    milliseconds: DelayLeast
    distribution: Distribution = "constant"
    milliseconds_max: DelayMost | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _not_for_handshakes(self)


class Refuse(RequestFault, tag="refuse"):
    """The request is refused and nothing is done. Give `code`, `status` or both: each has a usual
    partner."""

    code: Code | None = None
    status: Status | None = None
    retry_after_s: (
        Annotated[
            int, Meta(ge=0, le=RETRY_AFTER_MAX_S, description="value of the header `Retry-After`")
        ]
        | None
    ) = None
    message: Annotated[str, Meta(max_length=MESSAGE_MAX, description="text of the refusal")] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.code is None and self.status is None:
            raise ValueError("give a code such as BUSY, a status such as 429, or both")
        if self.code is not None and self.code not in CODES:
            raise ValueError(
                f"code={self.code}: codes are reject reasons and "
                f"{', '.join(sorted(set(CODES) - set(RejectReason.__members__)))}"
            )


class CloseConnection(RequestFault, tag="close_connection"):
    """The connection ends without an answer, and nothing is done."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _not_for_handshakes(self)


class AnswerUnknown(AnswerFault, tag="answer_unknown"):
    """The command is done, and its answer is that the outcome is unknown."""


class AnswerTwice(AnswerFault, tag="answer_twice"):
    """The answer is sent twice."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.interface == "rest":
            raise ValueError("interface=rest: an HTTP request has one answer")

    def concerns(self, facts: Struct) -> bool:
        """As for every rule; an HTTP request never."""
        return super().concerns(facts) and getattr(facts, "interface", "") != "rest"


class AnswerLate(AnswerFault, kw_only=True, tag="answer_late"):
    """The command is done at once, and its answer waits."""

    milliseconds: DelayLeast
    distribution: Distribution = "constant"
    milliseconds_max: DelayMost | None = None


class NoAnswer(AnswerFault, tag="no_answer"):
    """The command is done, and no answer is ever sent."""


class ExecutionsSilent(ExecutionFault, tag="executions_silent"):
    """The execution report is not sent; the connection lives."""


class ExecutionsDisconnect(ExecutionFault, tag="executions_disconnect"):
    """The connection ends in place of the execution report."""


class ExecutionsLate(ExecutionFault, kw_only=True, tag="executions_late"):
    """The execution report waits; others may overtake it."""

    milliseconds: DelayLeast
    distribution: Distribution = "constant"
    milliseconds_max: DelayMost | None = None


class ExecutionsOutOfOrder(ExecutionFault, tag="executions_out_of_order"):
    """The execution report and the answer to its request change places: over ZeroMQ the report
    comes first, on `/ws/orders` the answer."""


def _not_for_handshakes(rule: _OnRequests) -> None:
    if rule.interface == "handshake":
        raise ValueError("interface=handshake: only refuse applies to a handshake")


CODES: Final[dict[str, int]] = {
    **dict.fromkeys(RejectReason.__members__, 422),
    "MALFORMED": 400,
    "STALE_REQUEST": 400,
    "NOT_LOGGED_ON": 401,
    "FORBIDDEN": 403,
    "UNKNOWN_ORDER": 404,
    "NOT_FOUND": 404,
    "DUPLICATE_CLIENT_ORDER_ID": 409,
    "TOO_LARGE": 413,
    "THROTTLED": 429,
    "TOO_MANY_REQUESTS": 429,
    "INTERNAL": 500,
    "BAD_GATEWAY": 502,
    "BUSY": 503,
    "MAINTENANCE": 503,
    "HISTORY_UNAVAILABLE": 503,
    "OUTCOME_UNKNOWN": 504,
}
"""HTTP status of each code where the rule names none."""

USUAL_CODES: Final[dict[int, str]] = {
    400: "MALFORMED",
    401: "NOT_LOGGED_ON",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    409: "DUPLICATE_CLIENT_ORDER_ID",
    413: "TOO_LARGE",
    422: "EXCEEDS_LIMIT",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL",
    502: "BAD_GATEWAY",
    503: "BUSY",
    504: "OUTCOME_UNKNOWN",
}
"""Code of each status where the rule names none; of every other one `INTERNAL` from 500 on, and
`MALFORMED` below."""
