"""One address names account after account. Each new account would open with play money, so an
address may open only a few."""

import asyncio
from collections import Counter

import pytest

from crossbook.common.messages.entry import Logon, Reject, Welcome
from crossbook.common.process.tcp_facts import owner_of
from crossbook.common.types import RejectReason
from crossbook.gateway.api.order_stream import OrderStream, OrderStreams
from crossbook.gateway.auth.access import AnyAccount
from crossbook.gateway.auth.opened_accounts import OpenedAccounts
from crossbook.gateway.orders.logon_limits import limited_logon
from crossbook.gateway.problem import Problem
from crossbook.gateway.web.channel import Handshake
from tests.gateway.api.test_order_stream import OrderConnection
from tests.worlds.link_world import LinkWorld
from tests.worlds.rest_world import RestWorld
from tests.worlds.websocket_server import until

MOST = 20


def test_a_flood_of_accounts_over_http_is_bounded_and_the_others_go_on() -> None:
    access = AnyAccount(1, OpenedAccounts(MOST), owner_of)

    def submit(peer: str, account: int, method: str = "POST") -> int:
        scope = {"method": method, "client": (peer, 5)}
        return access.account(access.claim(scope, account), b"")

    for account in range(1, MOST + 1):
        assert submit("192.0.2.1", account) == account
    for account in range(MOST + 1, 501):
        with pytest.raises(Problem) as caught:
            submit("192.0.2.1", account)
        assert (caught.value.status, caught.value.detail.code) == (422, "EXCEEDS_LIMIT")
    # Its own accounts, requests that open none, and accounts of other addresses are served.
    assert submit("192.0.2.1", MOST) == MOST
    assert submit("192.0.2.1", 400, "GET") == 400
    assert submit("192.0.2.2", 400) == 400
    # Of IPv6 one client has a network of 64 bits.
    for number in range(MOST):
        submit(f"2001:db8::{number + 1:x}", 1_000 + number)
    with pytest.raises(Problem):
        submit("2001:db8::ffff", 999)


def test_a_flood_of_logons_is_bounded_and_the_others_go_on() -> None:
    world = LinkWorld()
    world.step(5)
    owners = {b"eve": "192.0.2.1", b"ann": "192.0.2.2"}
    world.desk.admit_logon = limited_logon(OpenedAccounts(MOST), lambda identity: owners[identity])
    for number, account in enumerate(range(1, 501), 1):
        world.send(b"eve", 0, Logon(number, account))
    world.deliver()
    replies = world.received.pop(b"eve")
    assert sum(isinstance(reply, Welcome) for reply in replies) == MOST
    refusals = [reply for reply in replies if isinstance(reply, Reject)]
    assert len(refusals) == 500 - MOST
    assert {(each.reason, each.field) for each in refusals} == {
        (RejectReason.EXCEEDS_LIMIT, "account")
    }
    assert world.log_on(b"ann", 400)


def test_a_flood_of_accounts_over_websockets_is_bounded() -> None:
    async def main() -> None:
        async with RestWorld() as world:
            access = AnyAccount(1, OpenedAccounts(MOST))
            render = world.lookup.render
            streams = OrderStreams(world.sessions, world.trading, render, 1, access.check)
            statuses: Counter[int] = Counter()
            for account in range(1, 101):
                query = f"account={account}"
                channel = streams.route(Handshake("/ws/orders", query, peer="192.0.2.1"), None)
                assert isinstance(channel, OrderStream)
                connection = OrderConnection()
                channel.opened(connection)
                # Reading opens no account.
                assert [each["type"] for each in connection.sent] == ["welcome"]
                channel.received(connection, '{"id":"1","method":"cancel_all","params":{}}')
                await until(lambda: len(connection.sent) == 2)  # noqa: B023 - used at once
                answer = connection.sent[1]
                statuses[answer["status"]] += 1
            assert statuses == {200: MOST, 422: 100 - MOST}

    asyncio.run(main())
