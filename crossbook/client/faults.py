"""Faults on request: the rules of an exchange with `FAULTS=on`, over its HTTP API.

    faults = Faults("http://127.0.0.1:8000")
    with faults.refuse(status=429, account=1, next=3):
        ...

docs/reference/faults.md describes every kind, docs/guide/faults.md what a bot should do.
"""

import json
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, Unpack

import msgspec
from msgspec import Struct

from crossbook.client.market.faults import (
    DistributionWord,
    MarketAndVenueFaults,
    Schedule,
    given,
)
from crossbook.common.errors import BAD_BYTES, CrossbookError
from crossbook.common.faults.kinds import AnyFault, rule_of
from crossbook.common.faults.table import FaultState
from crossbook.errors import FaultRefused, GatewayUnavailable
from crossbook.request_signer import RequestSigner

if TYPE_CHECKING:
    from ssl import SSLContext
    from urllib.error import HTTPError

PATH: Final = "/api/v1/admin/faults"

_T = TypeVar("_T")


class OnRequests(Schedule, total=False):
    """The requests that a rule concerns; without a selector, all."""

    interface: Literal["rest", "websocket", "zeromq", "handshake"]
    account: int
    key: str
    session: int
    method: str
    path: str
    symbol: str
    client_order_id: str


class OnExecutions(Schedule, total=False):
    """The execution reports that a rule concerns; without a selector, all."""

    interface: Literal["websocket", "zeromq"]
    account: int
    key: str
    session: int
    symbol: str


class _List(Struct):
    faults: list[FaultState]
    applied: dict[str, int]
    silent: list[str]


class _Removed(Struct):
    removed: int


class Fault:
    """A rule in force. As a context manager it is removed at the end of the block."""

    def __init__(self, faults: "Faults", state: FaultState) -> None:
        self._faults = faults
        self.id = state.id
        self.rule = state.rule

    @property
    def state(self) -> FaultState:
        """The rule and its counts of now, in the first process that applies it; raises
        `FaultRefused` once it is removed."""
        return self._states()[0]

    @property
    def applied(self) -> int:
        """The messages that the rule was applied to, in all processes together."""
        return sum(each.applied for each in self._states())

    def _states(self) -> list[FaultState]:
        states = [each for each in self._faults.states() if each.id == self.id]
        if not states:
            raise FaultRefused("NOT_FOUND", "id", f"no rule has the id {self.id}")
        return states

    def remove(self) -> None:
        """Remove the rule; raises `FaultRefused` where it is removed already."""
        self._faults.remove(self.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if any(each.id == self.id for each in self._faults.states()):
            self.remove()


class Faults(MarketAndVenueFaults[Fault]):
    """The fault rules of the exchange whose API is at `url`; may be used by several threads.

    Every method that adds a rule returns it once it is in force, and takes the selectors and the
    schedule of its kind by name: `account=1, next=3`. It raises `FaultRuleError` for a malformed
    rule, naming field, value and limit; `FaultRefused` when the exchange refuses; and
    `GatewayUnavailable` when there is no answer.

    With `AUTH=on` the `signer` has a key of scope admin. `tls` is for the certificate of an `https`
    address that the machine does not know.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        timeout_s: float = 5.0,
        *,
        signer: RequestSigner | None = None,
        tls: "SSLContext | None" = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._signer = signer
        self._tls = tls

    def delay(
        self,
        milliseconds: float,
        distribution: DistributionWord = "constant",
        milliseconds_max: float | None = None,
        **on: Unpack[OnRequests],
    ) -> Fault:
        """Delay requests before they are served."""
        return self._add_delay("delay", milliseconds, distribution, milliseconds_max, on)

    def refuse(
        self,
        code: str | None = None,
        status: int | None = None,
        retry_after_s: int | None = None,
        message: str | None = None,
        **on: Unpack[OnRequests],
    ) -> Fault:
        """Refuse requests, with a code such as `BUSY`, an HTTP status, or both."""
        fields = given(code=code, status=status, retry_after_s=retry_after_s, message=message)
        return self.add("refuse", **fields, **on)

    def close_connection(self, **on: Unpack[OnRequests]) -> Fault:
        """End the connection in place of serving a request."""
        return self.add("close_connection", **on)

    def answer_unknown(self, **on: Unpack[OnRequests]) -> Fault:
        """Have commands done, and answered with an unknown outcome."""
        return self.add("answer_unknown", **on)

    def answer_twice(self, **on: Unpack[OnRequests]) -> Fault:
        """Send answers twice, on `/ws/orders` and over ZeroMQ."""
        return self.add("answer_twice", **on)

    def answer_late(
        self,
        milliseconds: float,
        distribution: DistributionWord = "constant",
        milliseconds_max: float | None = None,
        **on: Unpack[OnRequests],
    ) -> Fault:
        """Have commands done at once, and answered late."""
        return self._add_delay("answer_late", milliseconds, distribution, milliseconds_max, on)

    def no_answer(self, **on: Unpack[OnRequests]) -> Fault:
        """Have commands done, and never answered."""
        return self.add("no_answer", **on)

    def executions_silent(self, **on: Unpack[OnExecutions]) -> Fault:
        """Send no execution reports, while the connection lives."""
        return self.add("executions_silent", **on)

    def executions_disconnect(self, **on: Unpack[OnExecutions]) -> Fault:
        """End the connection in place of an execution report."""
        return self.add("executions_disconnect", **on)

    def executions_late(
        self,
        milliseconds: float,
        distribution: DistributionWord = "constant",
        milliseconds_max: float | None = None,
        **on: Unpack[OnExecutions],
    ) -> Fault:
        """Send execution reports late."""
        return self._add_delay("executions_late", milliseconds, distribution, milliseconds_max, on)

    def executions_out_of_order(self, **on: Unpack[OnExecutions]) -> Fault:
        """Let execution reports and the answers to their requests change places."""
        return self.add("executions_out_of_order", **on)

    def add(self, kind: str, **fields: Any) -> Fault:
        """Put a rule of any kind in force; numbers may be text."""
        return self.add_rule(rule_of({"kind": kind, **fields}))

    def add_rule(self, rule: AnyFault) -> Fault:
        """Put a rule in force."""
        return Fault(self, self._request("POST", PATH, FaultState, msgspec.json.encode(rule)))

    def states(self) -> list[FaultState]:
        """The rules in force and their counts, in the order of their ids."""
        return self._request("GET", PATH, _List).faults

    def applied(self) -> dict[str, int]:
        """How often each kind was applied since the start; `clear` does not change it."""
        return self._request("GET", PATH, _List).applied

    def silent(self) -> list[str]:
        """The processes whose rules are not listed, because they do not answer."""
        return self._request("GET", PATH, _List).silent

    def remove(self, number: int) -> None:
        """Remove the rule with this id; raises `FaultRefused` where there is none."""
        self._request("DELETE", f"{PATH}/{number}", _Removed)

    def clear(self) -> int:
        """Remove all rules at once; returns how many there were. Messages that a rule delays
        already still come late."""
        return self._request("DELETE", PATH, _Removed).removed

    def _add_delay(
        self,
        kind: str,
        milliseconds: float,
        distribution: str,
        milliseconds_max: float | None,
        on: Any,
    ) -> Fault:
        fields = given(
            milliseconds=milliseconds, distribution=distribution, milliseconds_max=milliseconds_max
        )
        return self.add(kind, **fields, **on)

    def _request(self, method: str, path: str, kind: type[_T], body: bytes | None = None) -> _T:
        # Imported here: whoever imports `crossbook` for something else does not wait for them.
        import urllib.request
        from urllib.error import HTTPError, URLError

        request = urllib.request.Request(f"{self.url}{path}", body, method=method)
        request.add_header("Content-Type", "application/json")
        if self._signer is not None:
            for name, value in self._signer.headers(method, path, body or b"").items():
                request.add_header(name, value)
        try:
            with urllib.request.urlopen(
                request, timeout=self.timeout_s, context=self._tls
            ) as answer:
                found: bytes = answer.read()
        except HTTPError as error:
            raise _refused(self.url, error) from None
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise GatewayUnavailable(f"no answer from {self.url}: {reason}") from error
        try:
            return msgspec.json.decode(found, type=kind)
        except BAD_BYTES as error:
            text = f"{self.url}{path} answered something else: {error}"
            raise CrossbookError(text) from error


def _refused(url: str, error: "HTTPError") -> FaultRefused:
    """The error for an answer that is none of success."""
    try:
        detail = json.loads(error.read())["error"]
        code, field, text = detail["code"], detail.get("field", ""), detail["message"]
    except (ValueError, KeyError, TypeError):
        return FaultRefused(f"HTTP_{error.code}", "", f"{url} answered with status {error.code}")
    if error.code == 404 and field != "id":
        text = f"the exchange at {url} has no faults on request: start it with FAULTS=on"
        code = "FAULTS_OFF"
    return FaultRefused(code, field, text)
