"""Two matchers behind one gateway, as real processes: one is killed while the other trades on."""

import contextlib
from collections.abc import Iterator

from common.entry import Execution
from common.errors import CrossbookError
from common.shards import shard_of
from common.types import RejectReason
from crossbook import Client, OrderRejected, OutcomeUnknown
from tests.system.exchange import BOUND_BY, Exchange, free_ports

FIRST, SECOND = "BTC-USDT", "ETH-USDT"
"""An instrument of each shard."""

PROCESSES = ("matcher", "matcher-1", "gateway")


@contextlib.contextmanager
def sharded(*processes: str, **settings: str) -> Iterator[Exchange]:
    """An exchange of two shards; `processes` are those to start."""
    names = [name for process in ("matcher", "publisher", "recorder") for name in BOUND_BY[process]]
    ports = iter(free_ports(2 * len(names)))
    addresses = {
        name: f"tcp://127.0.0.1:{next(ports)},tcp://127.0.0.1:{next(ports)}" for name in names
    }
    with Exchange(ready=False, SHARDS="2", **addresses, **settings) as exchange:
        for process in processes:
            exchange.start(process)
        yield exchange


def client_of(exchange: Exchange, account: int) -> Client:
    """A client that both matchers have answered."""
    client = Client(exchange.orders, account, timeout_s=10.0)

    def both_answer() -> bool:
        with contextlib.suppress(CrossbookError):
            return client.mass_cancel(FIRST).seq > 0 and client.mass_cancel(SECOND).seq > 0
        return False

    exchange.wait_until("both matchers answer", both_answer, 30)
    return client


def test_one_matcher_is_killed_and_nothing_is_lost_or_doubled() -> None:
    with sharded(*PROCESSES) as exchange, client_of(exchange, 7) as client:
        kept = client.submit(SECOND, "sell", "1", "4000", client_order_id="kept")
        assert (shard_of(kept.order_id), shard_of(client.submit(FIRST, "buy", "1", "9").seq)) == (
            1,
            0,
        )
        position = client.last_seqs[1]
        exchange.kill("matcher-1")
        exchange.wait_until("the gateway knows", lambda: _is_busy(exchange), 10)
        first = [client.submit(FIRST, "buy", "1", str(10 + n)).seq for n in range(50)]
        assert first == list(range(first[0], first[0] + 50))
        exchange.start("matcher-1")
        exchange.wait_until("the second matcher is back", lambda: _takes(client, "back"), 20)
        repeated = client.submit(SECOND, "sell", "1", "4000", client_order_id="kept")
        assert repeated.repeated
        assert repeated.order_id == kept.order_id
        with client_of(exchange, 8) as other:
            filled = other.submit(SECOND, "buy", "1", "4000")
            assert [each.kind for each in _of(other, filled.seq)] == [2]
        told = client.catch_up(position)
        assert [each.order_id for each in told if each.kind == 2] == [kept.order_id]
        assert all(shard_of(each.seq) == 1 for each in told)
        names = {each.client_order_id for each in client.open_orders(SECOND)}
        assert names == {"back"}
        assert len(client.open_orders()) == 52
        assert client.mass_cancel().count == 52


def _is_busy(exchange: Exchange) -> bool:
    """Whether the second shard is refused at once, by a cancel that changes nothing."""
    with Client(exchange.orders, 9, timeout_s=0.5) as client:
        try:
            client.cancel(SECOND, 1)
        except OrderRejected as refused:
            return refused.reason == RejectReason.BUSY
        except OutcomeUnknown:
            # It left before the gateway knew.
            return False
    return False


def _takes(client: Client, name: str) -> bool:
    with contextlib.suppress(OrderRejected):
        return client.submit(SECOND, "sell", "1", "4002", client_order_id=name).order_id > 0
    return False


def _of(client: Client, seq: int) -> list[Execution]:
    """The executions of a number."""
    for execution in client.executions(2.0):
        if execution.seq == seq:
            return [execution]
    return []
