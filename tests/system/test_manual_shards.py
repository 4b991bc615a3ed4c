"""The shards of an exchange with a manual clock move to one time, together."""

from crossbook.client.admin_client import AdminClient
from crossbook.client.exchange_clock import ExchangeClock
from crossbook.common.times import DAY_NS, parse_time, time_text
from tests.system.exchange import Exchange
from tests.system.sharded import OF_A_SHARD, of_every_shard, sharded
from tests.system.web import WEB
from tests.worlds.rest_world import limit

START_NS = parse_time("2030-01-01T00:00Z")
SYMBOLS = ("BTC-USDT", "ETH-USDT")


def enter(exchange: Exchange, symbol: str, expire_ns: int) -> str:
    """A GTD order; its id."""
    body = limit("buy", "1", "1.00", symbol=symbol, time_in_force="gtd")
    answer = WEB.post(
        f"{exchange.api}/api/v1/orders", json={**body, "expire_time": expire_ns // 10**6}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["order_id"])


def test_every_shard_and_all_that_follow_it_reach_one_time() -> None:
    processes = [*of_every_shard(2, OF_A_SHARD), "gateway"]
    with sharded(2, processes, CLOCK="manual", GATEWAY_ROLES="orders,api,streams") as exchange:
        exchange.wait_http()
        admin = exchange.addresses["MATCHER_ADMIN"].split(",")
        with ExchangeClock(admin, [exchange.api]) as clock:
            times_ns = [START_NS + 3_600 * 10**9 * hours for hours in (2, 1)]
            orders = [
                enter(exchange, symbol, time_ns)
                for symbol, time_ns in zip(SYMBOLS, times_ns, strict=True)
            ]
            assert clock.advance("1d") == START_NS + DAY_NS
            for order_id, time_ns in zip(orders, times_ns, strict=True):
                found = WEB.get(f"{exchange.api}/api/v1/orders/{order_id}").json()
                assert (found["order_status"], found["updated_at"]) == (
                    "EXPIRED", time_text(time_ns),
                )  # fmt: skip
            with AdminClient(admin[1]) as second:
                assert second.view().time_ns == START_NS + DAY_NS
                # As after a call that reached one shard only.
                second.advance("1h")
            assert clock.advance("1h") == START_NS + DAY_NS + 2 * 3_600 * 10**9
            assert WEB.get(f"{exchange.api}/api/v1/time").json()["timestamp"] == time_text(
                START_NS + DAY_NS + 2 * 3_600 * 10**9
            )
