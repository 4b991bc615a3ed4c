"""User streams by listen keys, among the streams of the market."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.gateway.binance.listen_keys import LIFE_NS
from crossbook.gateway.keys.key_table import KeyTable
from tests.worlds.event_loop import next_iteration
from tests.worlds.face_world import Bot
from tests.worlds.stream_world import FakeConnection
from tests.worlds.user_world import UserWorld

SECRET = b"s" * 40


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the coroutine of one test."""
    asyncio.run(main)


async def key_of(world: UserWorld, account: int = 1) -> str:
    """The listen key of an account."""
    bot = world.bot(account)
    answer = await world.http.post("/api/v3/userDataStream", headers={"X-MBX-APIKEY": bot.key})
    return str(answer.json()["listenKey"])


def request(client: FakeConnection, method: str, *names: str) -> None:
    """Send a request of the streams."""
    message = {"method": method, "params": names, "id": 1}
    client.channel.received(client, json.dumps(message))


def test_events_are_bare_below_ws_and_wrapped_below_stream() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            key = await key_of(world)
            bare, wrapped = world.listen(f"/ws/{key}"), world.listen(f"/stream?streams={key}")
            fine = world.listen(f"/ws/{key}?timeUnit=MICROSECOND")
            await world.quiet()
            await world.bot(1).limit("BUY", "1", "50000")
            await world.quiet()
            (event,) = bare.pop_messages()
            assert (event["e"], event["x"], event["T"]) == (
                "executionReport", "NEW", world.now_ms(),
            )  # fmt: skip
            assert wrapped.pop_messages() == [{"stream": key, "data": event}]
            assert fine.pop_messages()[0]["T"] == world.clock.now_ns() // 1_000

    run(main())


def test_events_of_an_account_go_to_the_holders_of_its_own_keys() -> None:
    async def main() -> None:
        keys = KeyTable()
        ids = {account: f"k-{account:016x}" for account in (7, 8)}
        for account, id_ in ids.items():
            keys.put(Key(id_, KeyScheme.HMAC_SHA256, SECRET, Scope.READ | Scope.TRADE, account))
        async with UserWorld(keys=keys) as world:
            clients = {}
            for account, id_ in ids.items():
                answer = await world.http.post(
                    "/api/v3/userDataStream", headers={"X-MBX-APIKEY": id_}
                )
                clients[account] = world.listen(f"/ws/{answer.json()['listenKey']}")
            stranger = world.listen(f"/ws/{ids[7]}")
            await world.quiet()
            await Bot(world, ids[7], SECRET.decode()).limit("BUY", "1", "50000")
            await world.quiet()
            assert [each["x"] for each in clients[7].pop_messages()] == ["NEW"]
            assert clients[8].pop_messages() == stranger.pop_messages() == []

    run(main())


def test_a_key_is_subscribed_and_unsubscribed_like_any_stream() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            key = await key_of(world)
            client = world.listen("/ws")
            request(client, "SUBSCRIBE", key)
            await world.bot(1).limit("BUY", "1", "50000")
            await world.quiet()
            answer, event = client.pop_messages()
            assert answer == {"result": None, "id": 1}
            assert event["e"] == "executionReport"
            request(client, "UNSUBSCRIBE", key)
            client.pop_messages()
            assert (len(world.user.listening), world.api.streams.subscribers) == (0, 0)
            await world.bot(1).limit("BUY", "1", "50000")
            await world.quiet()
            assert client.pop_messages() == []

    run(main())


def test_a_name_that_is_no_key_is_a_stream_of_nothing() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.listen("/ws/" + "k" * 64)
            await world.quiet()
            await world.bot(1).limit("BUY", "1", "50000")
            await world.quiet()
            assert (client.pop_messages(), client.ended) == ([], None)
            assert len(world.user.listening) == 0

    run(main())


def test_a_key_that_ends_is_reported_and_sends_nothing_more() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            key = await key_of(world)
            client = world.listen(f"/ws/{key}")
            await world.quiet()
            world.clock.advance_ns(LIFE_NS - 1)
            world.user.beat()
            assert client.pop_messages() == []
            world.clock.advance_ns(1)
            world.user.beat()
            assert client.pop_messages() == [
                {"e": "listenKeyExpired", "E": world.now_ms(), "listenKey": key}
            ]
            await world.bot(1).limit("BUY", "1", "50000")
            await world.quiet()
            assert (client.pop_messages(), len(world.api.streams)) == ([], 0)
            client.leave()

    run(main())


def test_a_client_that_is_gone_or_does_not_read_has_no_stream() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            key = await key_of(world)
            gone, slow = world.listen(f"/ws/{key}"), world.listen(f"/ws/{key}")
            gone.leave()
            await world.quiet()
            slow.full = True
            await world.bot(1).limit("BUY", "1", "50000")
            await world.quiet()
            assert slow.ended is not None
            assert slow.ended[0] == 1008
            slow.leave()
            assert (len(world.user.listening), world.api.streams.subscribers) == (0, 0)

    run(main())


def test_clients_are_sent_that_the_gateway_stops() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            client = world.listen(f"/stream?streams={await key_of(world)}")
            await world.quiet()
            world.user.shut_down()
            (message,) = client.pop_messages()
            assert message == {
                "stream": "!serverShutdown",
                "data": {"e": "serverShutdown", "E": world.now_ms()},
            }

    run(main())


def test_a_stream_that_cannot_begin_closes_its_client() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            world.answers = False
            key = await key_of(world)
            client = world.listen(f"/ws/{key}")
            await world.quiet()
            assert client.ended is not None
            assert client.ended[0] == 1013

    run(main())


def test_nothing_is_missing_after_the_handshake() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            await world.bot(1).limit("BUY", "1", "50000", newClientOrderId="old")
            client = world.listen(f"/ws/{await key_of(world)}")
            world.mass_cancel(1)
            await world.quiet()
            (event,) = client.pop_messages()
            assert (event["x"], event["C"]) == ("CANCELED", "old")

    run(main())


def test_an_account_is_followed_as_long_as_its_key_lives() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            await key_of(world)
            await world.bot(1).limit("BUY", "1", "50000")
            await world.quiet()
            assert (len(world.api.streams), world.api.streams.subscribers) == (1, 0)
            world.clock.advance_ns(LIFE_NS)
            world.user.beat()
            assert len(world.api.streams) == 0

    run(main())


def test_an_account_with_a_key_is_followed_anew_after_lost_events() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            key = await key_of(world)
            client = world.listen(f"/ws/{key}")
            world.desk.announce_gap()
            assert client.ended is not None
            client.leave()
            await world.quiet()
            again = world.listen(f"/ws/{key}")
            await world.bot(1).limit("BUY", "1", "50000")
            await world.quiet()
            assert [each["x"] for each in again.pop_messages()] == ["NEW"]

    run(main())


def test_a_key_that_was_closed_holds_no_account() -> None:
    async def main() -> None:
        async with UserWorld() as world:
            opening = asyncio.ensure_future(key_of(world))
            while not len(world.face.venue.listen_keys):
                await next_iteration()
            keys, now_ns = world.face.venue.listen_keys, world.clock.now_ns()
            keys.close(keys.open(1, now_ns), 1, now_ns)
            await opening
            await world.quiet()
            assert len(world.api.streams) == 0

    run(main())
