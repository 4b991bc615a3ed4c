"""WebSockets of `AUTH=on`: signed handshakes, sign-in by message, and refused connections."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

import msgspec
import pytest
import uvloop
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from crossbook.common.keys import Scope
from crossbook.common.times import SECOND_NS
from crossbook.gateway.auth import sign_in
from crossbook.gateway.auth.key_access import KeyAccess
from crossbook.gateway.auth.sign_in import KeyGate
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.gateway.web.channel import Channel, Handshake
from tests.gateway.auth.keyed import Owner, hmac_owner
from tests.gateway.http_world import HttpWorld
from tests.worlds.rest_world import limit

NOW_NS: Final = 1_764_500_000 * SECOND_NS
PATH: Final = "/ws/orders"
ALICE: Final = hmac_owner("alice-1", Scope.READ | Scope.TRADE)
READER: Final = hmac_owner("reader-1", Scope.READ)
TRADER: Final = hmac_owner("trader-1", Scope.TRADE)
ADMIN: Final = hmac_owner("admin-1", Scope.ADMIN, 0)
SECONDS: Final = 20.0


class KeyedHttpWorld(HttpWorld):
    """A real server with `AUTH=on`."""

    def __init__(self, *owners: Owner) -> None:
        self.keys = KeyTable()
        for owner in owners:
            self.keys.put(owner.key)
        self.wall_ns = NOW_NS
        super().__init__(access=KeyAccess(self.keys, lambda: self.wall_ns, lambda: self.wall_ns))

    def connect(self, path: str = PATH, **headers: str) -> Any:
        """A WebSocket."""
        return connect(
            f"ws://localhost:{self.server.port}{path}",
            additional_headers={name.replace("_", "-"): each for name, each in headers.items()},
        )

    def signed(self, owner: Owner, path: str = PATH) -> dict[str, str]:
        """The headers of a signed handshake, whose timestamp no other one has."""
        self.wall_ns += 1_000
        return owner.headers("GET", path, at_ns=self.wall_ns)

    def message(self, owner: Owner, path: str = PATH, **changed: str) -> str:
        """A message that signs in."""
        sent = self.signed(owner, path)
        params = {
            "key": sent["CROSSBOOK-KEY"],
            "timestamp": sent["CROSSBOOK-TIMESTAMP"],
            "signature": sent["CROSSBOOK-SIGNATURE"],
        }
        return text({"id": "s", "method": "sign_in", "params": params | changed})


def text(document: Any) -> str:
    return msgspec.json.encode(document).decode()


async def received(socket: ClientConnection) -> Any:
    return msgspec.json.decode(await asyncio.wait_for(socket.recv(), SECONDS))


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """The code and reason with which the gateway closes."""
    with suppress(ConnectionClosed):
        async for _ in socket:
            pass
    await asyncio.wait_for(socket.wait_closed(), SECONDS)
    frame = socket.protocol.close_rcvd
    assert frame is not None
    return frame.code, frame.reason


def play(act: Callable[[KeyedHttpWorld], Any], *owners: Owner) -> None:
    async def main() -> None:
        async with KeyedHttpWorld(*owners) as world:
            await act(world)

    uvloop.run(main())


def test_a_signed_handshake_is_welcomed_for_its_account_and_trades() -> None:
    async def act(world: KeyedHttpWorld) -> None:
        async with world.connect(**world.signed(ALICE)) as socket:
            assert (await received(socket))["account"] == 7
            order = limit("buy", "1.0", "50000.00")
            await socket.send(text({"id": "a", "method": "submit", "params": order}))
            kinds = {(await received(socket))["type"] for _ in range(2)}
            assert kinds == {"answer", "execution"}

    play(act, ALICE)


def test_the_first_message_may_sign_in() -> None:
    async def act(world: KeyedHttpWorld) -> None:
        path = f"{PATH}?from_seq=0"
        async with world.connect(path) as socket:
            await socket.send(world.message(ALICE, path))
            answer = await received(socket)
            assert answer == {
                "type": "answer",
                "id": "s",
                "status": 200,
                "result": {"account": 7, "scopes": ["read", "trade"]},
            }
            assert (await received(socket))["type"] == "welcome"
            assert (await received(socket))["type"] == "caught_up"

    play(act, ALICE)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"signature": "00" * 32}, "UNAUTHENTICATED"),
        ({"key": "nobody"}, "UNAUTHENTICATED"),
        ({"key": "é"}, "UNAUTHENTICATED"),
        ({"timestamp": "1"}, "MALFORMED"),
        ({"timestamp": str(NOW_NS - 6 * SECOND_NS)}, "STALE_REQUEST"),
        ({"recv_window": "9"}, "UNAUTHENTICATED"),
    ],
)
def test_a_message_that_does_not_sign_in_ends_the_connection(
    changed: dict[str, str], code: str
) -> None:
    async def act(world: KeyedHttpWorld) -> None:
        async with world.connect() as socket:
            await socket.send(world.message(ALICE, **changed))
            answer = await received(socket)
            assert (answer["id"], answer["error"]["code"]) == ("s", code)
            assert await closed(socket) == (1008, f"sign_in failed: {code}")

    play(act, ALICE)


@pytest.mark.parametrize(
    "sent",
    ["hello", "{}", text({"id": "a", "method": "cancel_all"}),
     text({"id": "a", "method": "sign_in", "params": {"key": "alice-1"}})],
)  # fmt: skip
def test_any_other_first_message_ends_the_connection(sent: str) -> None:
    async def act(world: KeyedHttpWorld) -> None:
        async with world.connect() as socket:
            await socket.send(sent)
            assert (await received(socket))["error"]["code"] == "UNAUTHENTICATED"
            assert (await closed(socket))[0] == 1008

    play(act, ALICE)


def test_a_connection_that_does_not_sign_in_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "SIGN_IN_WITHIN_S", 0.05)

    async def act(world: KeyedHttpWorld) -> None:
        async with world.connect() as socket:
            assert await closed(socket) == (1008, "sign in within 0 s")
        assert len(world.desk.sessions) == 0

    play(act, ALICE)


def test_a_message_that_signed_in_does_not_sign_in_again() -> None:
    async def act(world: KeyedHttpWorld) -> None:
        message = world.message(ALICE)
        for code in (None, "REPLAYED_REQUEST"):
            async with world.connect() as socket:
                await socket.send(message)
                assert (await received(socket)).get("error", {}).get("code") == code

    play(act, ALICE)


@pytest.mark.parametrize(
    ("owner", "change", "status"),
    [
        (hmac_owner("unknown"), {}, 401),
        (Owner(ALICE.key, READER.sign), {}, 401),
        (TRADER, {}, 403),
        (ADMIN, {}, 403),
        (ALICE, {"enabled": False}, 403),
        (ALICE, {"expires_ns": NOW_NS}, 403),
        (ALICE, {"addresses": ("198.51.100.0/24",)}, 403),
    ],
)
def test_a_handshake_with_a_key_without_the_scope_is_refused(
    owner: Owner, change: dict[str, Any], status: int
) -> None:
    async def act(world: KeyedHttpWorld) -> None:
        world.keys.put(replace(ALICE.key, **change))
        with pytest.raises(InvalidStatus) as caught:
            async with world.connect(**world.signed(owner)):
                pass
        assert caught.value.response.status_code == status
        async with world.connect() as socket:
            await socket.send(world.message(owner))
            assert (await received(socket))["status"] == status

    play(act, ALICE, READER, TRADER, ADMIN)


@pytest.mark.parametrize(
    ("path", "headers"),
    [(f"{PATH}?account=8", {}), (PATH, {"X_Account": "8"})],
)
def test_another_account_is_refused(path: str, headers: dict[str, str]) -> None:
    async def act(world: KeyedHttpWorld) -> None:
        with pytest.raises(InvalidStatus) as caught:
            async with world.connect(path, **world.signed(ALICE, path), **headers):
                pass
        assert caught.value.response.status_code == 403
        async with world.connect(path, **headers) as socket:
            await socket.send(world.message(ALICE, path))
            assert (await received(socket))["error"]["code"] == "FORBIDDEN"

    play(act, ALICE)


def test_a_reader_watches_and_does_not_trade() -> None:
    async def act(world: KeyedHttpWorld) -> None:
        async with world.connect(**world.signed(READER)) as socket:
            assert (await received(socket))["type"] == "welcome"
            for method in ("submit", "amend", "cancel", "cancel_all", "cancel_after"):
                await socket.send(text({"id": method, "method": method}))
                answer = await received(socket)
                assert (answer["id"], answer["status"]) == (method, 403)
        path = f"{PATH}?cancel_on_disconnect=true"
        with pytest.raises(InvalidStatus):
            async with world.connect(path, **world.signed(READER, path)):
                pass

    play(act, READER)


@pytest.mark.parametrize("change", [{"enabled": False}, {"scopes": Scope.ADMIN}, None])
def test_an_open_stream_ends_with_its_key(
    change: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "WATCH_S", 0.01)

    async def act(world: KeyedHttpWorld) -> None:
        async with (
            world.connect(**world.signed(ALICE)) as socket,
            world.connect(**world.signed(READER)) as other,
        ):
            await received(socket)
            await received(other)
            if change is None:
                world.keys.remove(ALICE.key.key_id)
            else:
                world.keys.put(replace(ALICE.key, **change))
            assert (await closed(socket))[0] == 1008
            await other.send(text({"id": "a", "method": "cancel_all"}))
            assert (await received(other))["status"] == 403

    play(act, ALICE, READER)


def test_a_request_is_refused_at_once_where_the_key_has_changed() -> None:
    async def act(world: KeyedHttpWorld) -> None:
        async with world.connect(**world.signed(ALICE)) as socket:
            await received(socket)
            world.keys.put(replace(ALICE.key, scopes=Scope.READ))
            await socket.send(text({"id": "a", "method": "cancel_all"}))
            assert (await received(socket))["status"] == 403

    play(act, ALICE)


def test_market_data_may_need_a_key() -> None:
    class Stream:
        def opened(self, connection: Any) -> None:
            connection.send("opened")

    class Sent(list[Any]):
        def send(self, frame: Any) -> None:
            self.append(frame)

        def __hash__(self) -> int:  # type: ignore[override]
            return 1

        closed_with: Any = None

        def close(self, *reason: Any) -> None:
            self.closed_with = reason

    async def main() -> None:
        keys = KeyTable()
        keys.put(READER.key)
        access = KeyAccess(keys, lambda: NOW_NS, lambda: NOW_NS, market_data_is_keyed=True)
        gate = KeyGate(access)
        stream = cast(Channel, Stream())
        headers = READER.headers("GET", "/ws/ticker/BTC-USDT", at_ns=NOW_NS)
        raw = tuple((name.lower().encode(), value.encode()) for name, value in headers.items())
        for given, sent in ((raw, ["opened"]), ((), [])):
            handshake = Handshake(
                path="/ws/ticker/BTC-USDT", query="", headers=given, address="", peer="192.0.2.1"
            )
            channel = cast(Channel, gate.market_stream(handshake, stream))
            connection = Sent()
            channel.opened(cast(Any, connection))
            assert connection == sent
            gate.forget(cast(Any, connection))

    asyncio.run(main())
