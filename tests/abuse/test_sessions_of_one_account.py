"""One account opens session after session. Each of its executions goes to all of them, so an
account may have only a few at a gateway."""

from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from crossbook.client.client import Client
from crossbook.errors import OrderRejected
from tests.system.exchange import Exchange

MOST = 3
ACCOUNT = 7


def test_sessions_of_one_account_are_bounded_and_the_others_go_on() -> None:
    with (
        Exchange(GATEWAY_ROLES="orders,api", MAX_ACCOUNT_SESSIONS=str(MOST)) as exchange,
        ExitStack() as stack,
    ):
        exchange.wait_http()
        stream = f"{exchange.api.replace('http', 'ws')}/ws/orders?account={ACCOUNT}"
        clients = [
            stack.enter_context(Client(exchange.orders, account=ACCOUNT)) for _ in range(MOST - 1)
        ]
        socket = stack.enter_context(connect(stream))
        assert "welcome" in str(socket.recv(10))

        with pytest.raises(OrderRejected) as refused:
            stack.enter_context(Client(exchange.orders, account=ACCOUNT)).ping()
        assert f"account {ACCOUNT} has {MOST} sessions" in str(refused.value)
        with pytest.raises(ConnectionClosed) as closed:
            stack.enter_context(connect(stream)).recv(10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
        assert "MAX_ACCOUNT_SESSIONS" in closed.value.rcvd.reason

        stack.enter_context(Client(exchange.orders, account=ACCOUNT + 1)).ping()
        clients[0].ping()
        socket.close()
        exchange.wait_until("a place is free", lambda: _may_open(exchange, stack), 10)


def _may_open(exchange: Exchange, stack: ExitStack) -> bool:
    try:
        stack.enter_context(Client(exchange.orders, account=ACCOUNT)).ping()
    except OrderRejected:
        return False
    return True
