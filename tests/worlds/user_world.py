"""The WebSocket API and the user streams in front of a real engine and record, on one event loop.

async with UserWorld() as world:
    client = world.connect()
    await client.subscribe(7)
"""

import hmac
import json
from typing import Any

from crossbook.common.messages.commands import AdjustBalance, Command
from crossbook.common.messages.entry import MassCancel
from crossbook.common.messages.events import EventBatch
from crossbook.gateway.binance.streams.client import StreamClient
from crossbook.gateway.binance.streams.route import StreamPaths
from crossbook.gateway.binance.streams.streams import FaceStreams
from crossbook.gateway.binance.user.streams import UserStreams
from crossbook.gateway.binance.ws_api.api import PATH
from crossbook.gateway.binance.ws_api.assembly import user_face
from crossbook.gateway.binance.ws_api.client import ApiClient
from crossbook.gateway.faults.assembly import GatewayFaults
from crossbook.gateway.web.channel import Handshake
from tests.worlds.event_loop import next_iteration
from tests.worlds.face_world import FaceWorld
from tests.worlds.rest_world import NOW_NS
from tests.worlds.stream_world import FakeConnection

LIFETIME_S = 86_400
PEER = "127.0.0.1"


class UserWorld(FaceWorld):
    """The face with its WebSocket API; its accounts are behind the rules of `faults`, where there
    are some."""

    def __init__(self, faults: GatewayFaults | None = None, **options: Any) -> None:
        keys = None if faults is None else faults.listen_keys()
        super().__init__(listen_keys=keys, **options)
        view: Any = self.market
        self.streams = FaceStreams(view, lambda *_: None, LIFETIME_S)
        make = UserStreams if faults is None else faults.user_streams(self.face.venue)
        self.user = user_face(
            self.face, self.streams, self.sessions, LIFETIME_S, self.wall, make_streams=make
        )
        self.api = self.user.api
        self._adjusted = 0
        self._paths = StreamPaths(self.streams, lambda: ())

    def connect(self, query: str = "") -> "ApiUser":
        """A connection to the WebSocket API."""
        channel = self.api.route(PATH, Handshake(PATH, query, (), PEER, PEER))
        assert isinstance(channel, ApiClient), channel
        return ApiUser(self, channel)

    def listen(self, path: str) -> FakeConnection:
        """A connection to the streams at `/ws` or `/stream`."""
        client = self._paths.find(*path.partition("?")[::2])
        assert isinstance(client, StreamClient), client
        return FakeConnection(client)

    async def quiet(self) -> None:
        """Wait until everything that was begun is done."""
        for _ in range(50):
            await next_iteration()

    def adjust(self, account: int, asset: str, units: int) -> None:
        """Deposit or withdraw an amount."""
        self._adjusted += 1
        name = f"transfer-{self._adjusted}"
        self.command(AdjustBalance(0, self._adjusted, account, 1, asset, units, name))

    def command(self, command: Command) -> None:
        """Apply a command of an administrator."""
        first_seq = self.engine.seq + 1
        events = self.engine.apply(command, NOW_NS)
        self.desk.apply(
            EventBatch(
                incarnation=1,
                first_seq=first_seq,
                last_seq=self.engine.seq,
                time_ns=NOW_NS,
                events=events,
            )
        )

    def mass_cancel(self, account: int) -> None:
        """Cancel all orders of an account over another interface."""
        self.sessions.submit(account, MassCancel(0), lambda _: None)


class ApiUser:
    """A client of the WebSocket API, with the demo keys."""

    def __init__(self, world: UserWorld, channel: ApiClient) -> None:
        self.world = world
        self.connection = FakeConnection(channel)
        self._number = 0
        self._kept: list[dict[str, Any]] = []

    def send(self, method: str, number: Any = None, **params: Any) -> None:
        """Send a request."""
        message = {"id": number, "method": method, "params": params}
        self.connection.channel.received(self.connection, json.dumps(message))

    def signed(self, account: int, **params: Any) -> dict[str, Any]:
        """The parameters with key, timestamp and signature of an account."""
        whole = {"apiKey": f"demo-{account}", "timestamp": self.world.now_ms(), **params}
        text = "&".join(f"{name}={_shown(whole[name])}" for name in sorted(whole))
        secret = f"demo-secret-{account}".encode()
        return {**whole, "signature": hmac.digest(secret, text.encode(), "sha256").hex()}

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a request; events that come before it are kept for `events`."""
        self._number += 1
        self.send(method, self._number, **params)
        for _ in range(1_000):
            for message in self.connection.pop_messages():
                self._kept.append(message)
            for message in self._kept:
                if message.get("id") == self._number:
                    self._kept.remove(message)
                    return message
            await next_iteration()
        raise AssertionError(f"no answer to {method}")

    async def result(self, method: str, **params: Any) -> Any:
        """The result of a request that succeeds."""
        answer = await self.call(method, **params)
        assert answer["status"] == 200, answer
        return answer["result"]

    async def error(self, method: str, **params: Any) -> tuple[int, int, str]:
        """Status, code and text of a request that is refused."""
        answer = await self.call(method, **params)
        assert answer["status"] != 200, answer
        return answer["status"], answer["error"]["code"], answer["error"]["msg"]

    async def subscribe(self, account: int) -> int:
        """The number of a new subscription to the events of an account."""
        method = "userDataStream.subscribe.signature"
        result = await self.result(method, **self.signed(account))
        return int(result["subscriptionId"])

    async def events(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        await self.world.quiet()
        found = self._kept + self.connection.pop_messages()
        self._kept = []
        return [message["event"] for message in found if "event" in message]

    async def reports(self) -> list[dict[str, Any]]:
        """The reports of orders among them."""
        return [each for each in await self.events() if each["e"] == "executionReport"]


def _shown(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
