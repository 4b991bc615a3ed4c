"""One connection of the WebSocket API: requests in, answers and events of accounts out."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from crossbook.common.keys import Scope
from crossbook.common.process.log import logger
from crossbook.gateway.binance.parameters import Parameters
from crossbook.gateway.binance.problem import (
    TOO_MANY_REQUESTS,
    UNKNOWN,
    Refusal,
    busy,
    internal,
    refusal_of,
)
from crossbook.gateway.binance.routes import Route, weight_of
from crossbook.gateway.binance.user.events import UserEvent, server_shutdown, stream_terminated
from crossbook.gateway.binance.user.streams import UserStreams
from crossbook.gateway.binance.venue import FaceVenue
from crossbook.gateway.binance.ws_api.requests import (
    ApiRequest,
    BadRequestError,
    error_frame,
    read_request,
    result_frame,
)
from crossbook.gateway.binance.ws_api.session import ApiSession
from crossbook.gateway.problem import Problem
from crossbook.gateway.web.channel import GOING_AWAY, POLICY_VIOLATION, Connection, text_frame

REQUESTS_MAX: Final = 1_000
"""Most requests of one connection that wait for their answer; one more is refused."""

SUBSCRIPTIONS_MAX: Final = 100
"""Most user streams of one connection."""

SUBSCRIPTION_ACTIVE: Final = -2035
SUBSCRIPTION_INACTIVE: Final = -2036

RETURN_LIMITS: Final = "returnRateLimits"

_WEIGHT: Final = "REQUEST_WEIGHT"


class Face(Protocol):
    """What the connections of one gateway share."""

    venue: FaceVenue
    methods: dict[str, Route]
    streams: UserStreams

    def admit(self, address: str) -> None:
        """Take a token of an address; raises `Refusal`."""

    def weigh(self, address: str, weight: int) -> int:
        """Count the weight of a request; returns that of the minute. Raises `Refusal`."""

    def used(self, address: str) -> int:
        """The weight that an address has used in this minute."""

    def opened(self, client: "ApiClient") -> None:
        """A connection is open."""

    def closed(self, client: "ApiClient") -> None:
        """A connection is gone."""


class Subscription:
    """A user stream of a connection, under its number there; `key_id` is the key that opened it."""

    __slots__ = ("_client", "account", "key_id", "number")

    def __init__(self, client: "ApiClient", number: int, account: int, key_id: str) -> None:
        self._client = client
        self.number = number
        self.account = account
        self.key_id = key_id

    def send_events(self, events: Iterable[UserEvent]) -> None:
        """Send what has happened."""
        self._client.send_events(self.number, events)

    def lose(self, reason: str) -> None:
        """Close the connection: events are missing."""
        self._client.close(POLICY_VIOLATION, reason)


class ApiClient:
    """The channel of one connection.

    `in_limits` is false where no answer shows limits unless its request asks for them.
    """

    def __init__(
        self, face: Face, session: ApiSession, address: str, unit_ns: int, in_limits: bool = True
    ) -> None:
        self.session = session
        self.opened_ns = 0
        self.subscriptions: dict[int, Subscription] = {}
        self._face = face
        self._address = address
        self._unit_ns = unit_ns
        self._in_limits = in_limits
        self._connection: Connection | None = None
        self._next_number = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._own: Mapping[str, Callable[[ApiRequest, Parameters], Any]] = {
            "session.logon": self._log_on,
            "session.status": self._status,
            "session.logout": self._log_out,
            "session.subscriptions": self._list_subscriptions,
        }

    def opened(self, connection: Connection) -> None:
        """The connection is open."""
        self._connection = connection
        self.opened_ns = self._face.venue.now_ns()
        self._face.opened(self)

    def received(self, connection: Connection, text: str) -> None:
        """Serve a request."""
        try:
            request = read_request(text)
        except BadRequestError as bad:
            self._refuse(bad.id, bad.refusal, None)
            return
        if len(self._tasks) >= REQUESTS_MAX:
            self._refuse(request.id, busy(), request)
            return
        task = asyncio.get_running_loop().create_task(self._serve(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def drained(self, connection: Connection) -> None:
        """Nothing to do: nothing is left out, and a client that is full is closed."""

    def closed(self, connection: Connection) -> None:
        """The connection is gone. Requests in progress go on."""
        self._connection = None
        self._face.closed(self)
        for number in list(self.subscriptions):
            self._drop(number)

    def send_events(self, number: int, events: Iterable[UserEvent]) -> None:
        """Send events of a subscription."""
        unit_ns = self._unit_ns
        for event in events:
            payload = event.payload(unit_ns)
            self._send(text_frame(b'{"subscriptionId":%d,"event":%b}' % (number, payload)))

    def close(self, code: int, reason: str) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close(code, reason)

    def end_refused(self, now_ns: int) -> None:
        """End the subscriptions whose keys may be used no longer."""
        for subscription in list(self.subscriptions.values()):
            try:
                self.session.check(subscription.key_id)
            except Refusal as refusal:
                if refusal.status == 401:
                    self._terminate(subscription.number, now_ns)

    def shut_down(self, now_ns: int) -> None:
        """Send the client that this gateway stops."""
        payload = server_shutdown(now_ns).payload(self._unit_ns)
        self._send(text_frame(b'{"event":%b}' % payload))

    def end(self) -> None:
        """Close a connection that has been open for its time."""
        self.close(GOING_AWAY, "a connection ends after its time: connect again")

    async def _serve(self, request: ApiRequest) -> None:
        asked = Parameters(request.values, self._unit_ns)
        limits: list[dict[str, Any]] = []
        try:
            self._face.admit(self._address)
            if request.method.startswith("userDataStream.") and "subscribe" in request.method:
                await self._serve_stream(request, asked)
                return
            own = self._own.get(request.method)
            if own is not None:
                self._face.weigh(self._address, 2)
                result = own(request, asked)
            else:
                result = await self._answer(request, asked, limits)
        except Refusal as refusal:
            self._refuse(request.id, refusal, request, limits)
        except Problem as problem:
            self._refuse(request.id, refusal_of(problem), request, limits)
        except Exception:
            logger().exception("request_failed", method=request.method)
            self._refuse(request.id, internal(), request, limits)
        else:
            self._send(result_frame(request.id, result, self._limits(request, limits)))

    async def _answer(
        self, request: ApiRequest, asked: Parameters, limits: list[dict[str, Any]]
    ) -> Any:
        """The result of a method that REST has too."""
        face = self._face
        route = face.methods.get(request.method)
        if route is None:
            face.weigh(self._address, 1)
            text = f"Unknown method '{request.method}'."
            raise Refusal(UNKNOWN, text)
        face.weigh(self._address, weight_of(route, asked))
        account = self.session.account(route, asked, request.payload)
        face.venue.count_query(route.scope, account or self._address)
        try:
            return await route.function(account, asked)
        finally:
            if route.takes_orders:
                limits += face.venue.counts.counted(account, face.venue.now_ns())

    def _log_on(self, request: ApiRequest, asked: Parameters) -> Any:
        self.session.log_on(asked, request.payload, self._face.venue.now_ns())
        return self._status(request, asked)

    def _log_out(self, request: ApiRequest, asked: Parameters) -> Any:
        self.session.log_out()
        return self._status(request, asked)

    def _status(self, request: ApiRequest, asked: Parameters) -> Any:
        now_ns = self._face.venue.now_ns()
        document = self.session.status(asked, self.opened_ns, now_ns)
        shows = self._in_limits and asked.boolean(RETURN_LIMITS) is not False
        return {
            **document,
            "returnRateLimits": shows,
            "userDataStream": bool(self.subscriptions),
        }

    def _list_subscriptions(self, request: ApiRequest, asked: Parameters) -> Any:
        return [{"subscriptionId": number} for number in self.subscriptions]

    async def _serve_stream(self, request: ApiRequest, asked: Parameters) -> None:
        """Begin or end a user stream; the answer comes before its first event and its last one."""
        self._face.weigh(self._address, 2)
        if request.method == "userDataStream.unsubscribe":
            self._unsubscribe(request, asked)
            return
        if request.method == "userDataStream.subscribe":
            account, key_id = self.session.own(), self.session.key_id
        elif request.method == "userDataStream.subscribe.signature":
            account = self.session.signed(Scope.READ, asked, request.payload)
            key_id = asked.values.get("apiKey") or self.session.key_id
        else:
            raise Refusal(UNKNOWN, f"Unknown method '{request.method}'.")
        if any(each.account == account for each in self.subscriptions.values()):
            text = "User Data Stream subscription already active."
            raise Refusal(SUBSCRIPTION_ACTIVE, text)
        if len(self.subscriptions) >= SUBSCRIPTIONS_MAX:
            text = f"Too many subscriptions; a connection may have {SUBSCRIPTIONS_MAX}."
            raise Refusal(TOO_MANY_REQUESTS, text, 400)
        number, self._next_number = self._next_number, self._next_number + 1
        subscription = Subscription(self, number, account, key_id)
        self.subscriptions[number] = subscription

        def begin() -> None:
            limits = self._limits(request, [])
            self._send(result_frame(request.id, {"subscriptionId": number}, limits))

        try:
            await self._face.streams.subscribe(account, subscription, begin)
        except BaseException:
            self.subscriptions.pop(number, None)
            raise
        if number not in self.subscriptions or self._connection is None:
            # It was ended while the account's open orders were read.
            self.subscriptions.pop(number, None)
            self._face.streams.unsubscribe(account, subscription)

    def _unsubscribe(self, request: ApiRequest, asked: Parameters) -> None:
        number = asked.integer("subscriptionId")
        numbers = list(self.subscriptions) if number is None else [number]
        if number is not None and number not in self.subscriptions:
            text = "User Data Stream subscription not active."
            raise Refusal(SUBSCRIPTION_INACTIVE, text)
        self._send(result_frame(request.id, {}, self._limits(request, [])))
        for each in numbers:
            self._terminate(each, self._face.venue.now_ns())

    def _terminate(self, number: int, now_ns: int) -> None:
        """End a subscription, and send that it has ended."""
        self._drop(number)
        self.send_events(number, (stream_terminated(now_ns),))

    def _drop(self, number: int) -> None:
        subscription = self.subscriptions.pop(number)
        self._face.streams.unsubscribe(subscription.account, subscription)

    def _limits(
        self, request: ApiRequest | None, counted: list[dict[str, Any]]
    ) -> list[dict[str, Any]] | None:
        """The limits that an answer shows; None where it shows none."""
        shows = self._in_limits
        if request is not None and RETURN_LIMITS in request.values:
            shows = request.values[RETURN_LIMITS].lower() == "true"
        if not shows:
            return None
        used = self._face.used(self._address)
        documents = self._face.venue.weights.documents()
        weights = [
            {**each, "count": used} for each in documents if each["rateLimitType"] == _WEIGHT
        ]
        return [*counted, *weights]

    def _refuse(
        self,
        number: Any,
        refusal: Refusal,
        request: ApiRequest | None,
        counted: list[dict[str, Any]] | None = None,
    ) -> None:
        if (
            refusal.retry_after_s is not None
            and refusal.data is None
            and refusal.status in (429, 418)
        ):
            now_ms = self._face.venue.now_ns() // 1_000_000
            refusal.data = {
                "serverTime": now_ms,
                "retryAfter": now_ms + 1_000 * refusal.retry_after_s,
            }
        self._send(error_frame(number, refusal, self._limits(request, counted or [])))

    def _send(self, frame: bytes) -> None:
        connection = self._connection
        if connection is None:
            return
        if connection.full:
            connection.close(POLICY_VIOLATION, "too slow: connect again")
            return
        connection.send(frame)
