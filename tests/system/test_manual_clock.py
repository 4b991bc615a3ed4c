"""Every rule that depends on time, on all interfaces of real processes whose clock the test moves.

The heartbeats of the matcher are rare, so that no result can depend on them.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest
from websockets.sync.client import connect

from crossbook.client.admin_client import AdminClient
from crossbook.client.client import Client
from crossbook.client.exchange_clock import ExchangeClock
from crossbook.client.market_data import MarketData
from crossbook.common.messages.commands import SetInstrumentState
from crossbook.common.times import DAY_NS, parse_time, time_text
from crossbook.common.types import InstrumentState
from tests.system.exchange import RECORDED, Exchange
from tests.system.scrape import wait_for
from tests.system.web import WEB
from tests.worlds.rest_world import limit

SYMBOL = "BTC-USDT"
START_NS = parse_time("2030-01-01T00:00Z")
ACCOUNTS = count(100)
PRICES = count(10_000)


class TimedExchange:
    """An exchange and its clock."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.admin = exchange.addresses["MATCHER_ADMIN"]
        self.clock = ExchangeClock([self.admin], [exchange.api])

    def advance(self, by: str) -> None:
        """Move the time, and return when everything has followed."""
        self.clock.advance(by)

    def to_next(self, length: str) -> None:
        """Move to the next whole minute, hour or day."""
        length_ns = {"minute": 60, "hour": 3_600, "day": 86_400}[length] * 10**9
        now_ns = self.clock.now_ns()
        self.advance(f"{length_ns - now_ns % length_ns}ns")

    def get(self, path: str, account: int = 1) -> Any:
        """The document at a path."""
        answer = WEB.get(f"{self.exchange.api}{path}", headers={"X-Account": str(account)})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def enter(self, account: int, side: str, price: str, **more: Any) -> str:
        """Enter an order; its id."""
        answer = WEB.post(
            f"{self.exchange.api}/api/v1/orders",
            json=limit(side, "1", price, **more),
            headers={"X-Account": str(account)},
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["order_id"])

    def trade(self, price: str) -> None:
        """One trade of one coin."""
        self.enter(2, "sell", price)
        self.enter(3, "buy", price)

    def order(self, account: int, order_id: str) -> tuple[str, str | None, str]:
        """Status, reason and time of the last change of an order."""
        found = self.get(f"/api/v1/orders/{order_id}", account)
        return found["order_status"], found["reason"], found["updated_at"]

    def now(self) -> str:
        """The present time."""
        return str(self.get("/api/v1/time")["timestamp"])

    def messages(self, stream: Any, kind: str, until: Any) -> list[Any]:
        """The messages of a kind, to the first one that `until` holds for."""
        found = []
        while True:
            message = json.loads(stream.recv(10.0))
            if message["type"] == kind:
                found.append(message)
                if until(message):
                    return found


@pytest.fixture(scope="module")
def timed() -> Iterator[TimedExchange]:
    with Exchange(
        order=RECORDED, GATEWAY_ROLES="orders,api,streams", CLOCK="manual", HEARTBEAT_MS="1000"
    ) as exchange:
        exchange.wait_http()
        made = TimedExchange(exchange)
        with made.clock:
            yield made


@pytest.fixture
def account() -> int:
    return next(ACCOUNTS)


@pytest.fixture
def price() -> str:
    """A price that no order of another test has, each above the last."""
    return f"{next(PRICES)}.00"


def test_time_stands_still_until_it_is_moved(timed: TimedExchange, account: int) -> None:
    began = timed.now()
    order_id = timed.enter(account, "buy", "1.00")
    assert timed.order(account, order_id)[2] == began
    assert timed.get(f"/api/v1/orderbook/{SYMBOL}")["timestamp"] == began
    timed.advance("90s")
    assert timed.now() == time_text(parse_time(began) + 90 * 10**9)
    assert timed.get("/ready")["clock"] == "manual"
    assert timed.get("/api/v1/time")["clock"] == "manual"
    later = timed.enter(account, "buy", "1.00")
    assert timed.order(account, later)[2] == timed.now()


def test_gtd_orders_expire_at_their_own_times_within_one_advance(
    timed: TimedExchange, account: int
) -> None:
    now_ns = timed.clock.now_ns()
    times_ns = [now_ns + minutes * 60 * 10**9 for minutes in (50, 10, 30)]
    orders = [
        timed.enter(account, "buy", "1.00", time_in_force="gtd", expire_time=time_ns // 10**6)
        for time_ns in times_ns
    ]
    timed.advance("9m59s999ms")
    assert {timed.order(account, each)[0] for each in orders} == {"NEW"}
    timed.advance("1h")
    assert [timed.order(account, each) for each in orders] == [
        ("EXPIRED", "EXPIRE_TIME", time_text(time_ns)) for time_ns in times_ns
    ]


def test_a_day_order_expires_at_the_end_of_its_day(timed: TimedExchange, account: int) -> None:
    timed.to_next("day")
    midnight_ns = timed.clock.now_ns() + DAY_NS
    order_id = timed.enter(account, "buy", "1.00", time_in_force="day")
    timed.advance("23h59m59s")
    assert timed.order(account, order_id)[0] == "NEW"
    timed.advance("1s")
    assert timed.order(account, order_id) == ("EXPIRED", "EXPIRE_TIME", time_text(midnight_ns))


def test_cancel_after_cancels_when_it_is_not_renewed(timed: TimedExchange, account: int) -> None:
    order_id = timed.enter(account, "buy", "1.00")
    url, headers = f"{timed.exchange.api}/api/v1/cancel-after", {"X-Account": str(account)}
    for _ in range(2):
        now_ns = timed.clock.now_ns()
        answer = WEB.post(url, json={"timeout_s": 60}, headers=headers).json()
        assert answer["cancel_at"] == time_text(now_ns + 60 * 10**9)
        timed.advance("59s")
        assert timed.order(account, order_id)[0] == "NEW"
    timed.advance("1m")
    assert timed.order(account, order_id) == (
        "CANCELED", "CANCEL_AFTER", time_text(now_ns + 60 * 10**9),
    )  # fmt: skip


def test_a_zeromq_client_receives_reports_and_times_of_the_moved_clock(
    timed: TimedExchange, account: int
) -> None:
    with Client(timed.exchange.orders, account) as client:
        now_ns = timed.clock.now_ns()
        assert client.ping().time_ns == now_ns
        ack = client.submit(
            SYMBOL, "buy", "1", "1.00", time_in_force="gtd", expire_time=now_ns + 60 * 10**9
        )
        assert ack.time_ns == now_ns
        timed.advance("5m")
        assert client.ping().time_ns == now_ns + 300 * 10**9
        reports = [each for each in client.executions(1.0) if each.order_id == ack.order_id]
        assert reports[-1].time_ns == now_ns + 60 * 10**9


def test_a_halt_ends_at_its_time_on_every_interface(timed: TimedExchange) -> None:
    until_ns = timed.clock.now_ns() + 300 * 10**9
    with (
        AdminClient(timed.admin) as admin,
        connect(f"{timed.exchange.api.replace('http', 'ws')}/ws/ticker/{SYMBOL}") as stream,
    ):
        admin.act(
            SetInstrumentState(
                gateway=0,
                request_seq=0,
                account=0,
                instrument=1,
                state=InstrumentState.HALTED,
                until_ns=until_ns,
            )
        )
        halted = timed.messages(stream, "state", lambda each: each["state"] == "halted")[-1]
        assert halted["state_until"] == time_text(until_ns)
        timed.advance("4m59s")
        assert timed.get(f"/api/v1/ticker/{SYMBOL}")["state"] == "halted"
        timed.advance("1s")
        assert timed.get(f"/api/v1/ticker/{SYMBOL}")["state"] == "open"
        assert timed.get(f"/api/v1/orderbook/{SYMBOL}")["state"] == "open"
        opened = timed.messages(stream, "state", lambda each: each["state"] == "open")[-1]
        assert opened["ts"] == until_ns // 1_000


def test_candles_of_every_length_close_on_the_streams_without_another_trade(
    timed: TimedExchange, price: str
) -> None:
    timed.to_next("day")
    day = timed.now()
    lengths = {"1s": "1s", "1m": "1m", "5m": "4m", "15m": "10m", "1h": "45m", "4h": "3h",
               "1d": "20h"}  # fmt: skip
    with ExitStack() as stack:
        streams = {
            length: stack.enter_context(
                connect(
                    f"{timed.exchange.api.replace('http', 'ws')}/ws/candles/{SYMBOL}"
                    f"?interval={length}"
                )
            )
            for length in lengths
        }
        timed.trade(price)
        for length, stream in streams.items():
            running = timed.messages(stream, "candle", lambda each: each["close"] == price)[-1]
            assert (running["open_time"], running["final"]) == (day, False), length
        for length, wait in lengths.items():
            timed.advance(wait)
            final = timed.messages(streams[length], "candle", lambda each: each["final"])
            assert len(final) == 1, length
            assert (final[0]["open_time"], final[0]["trades"]) == (day, 1)


def test_candles_over_rest_and_on_the_feed_begin_where_the_clock_stands(
    timed: TimedExchange, price: str
) -> None:
    with MarketData(
        timed.exchange.feed, timed.exchange.snapshots, [SYMBOL], ["candle", "ticker"]
    ) as market:
        market.wait_ready()
        began = []
        for wait in ("1m", "2h", "1d", "30d"):
            timed.advance(wait)
            timed.to_next("minute")
            timed.trade(price)
            timed.advance("1s")
            began.append(timed.clock.now_ns() - 10**9)
            while (candle := market.candles(SYMBOL).get(60)) is None or (
                candle.open_ns != began[-1]
            ):
                assert market.poll(5.0), "no candle"
        listed = timed.get(f"/api/v1/candles/{SYMBOL}?interval=1m&limit=4")["candles"]
        assert [each["open_time"] for each in listed] == [time_text(each) for each in began]
        days = timed.get(f"/api/v1/candles/{SYMBOL}?interval=1d&limit=2")["candles"]
        assert parse_time(days[1]["open_time"]) - parse_time(days[0]["open_time"]) >= 30 * DAY_NS


def test_the_ticker_forgets_a_trade_after_a_day_and_keeps_its_price(
    timed: TimedExchange, price: str
) -> None:
    timed.advance("2d")
    timed.to_next("hour")
    timed.trade(price)
    timed.advance("23h59m")
    ticker = timed.get(f"/api/v1/ticker/{SYMBOL}")
    assert (ticker["volume"], ticker["trades"], ticker["high"]) == ("1.00000", 1, price)
    assert ticker["timestamp"] == timed.now()
    with connect(f"{timed.exchange.api.replace('http', 'ws')}/ws/ticker/{SYMBOL}") as stream:
        timed.advance("1m")
        ticker = timed.get(f"/api/v1/ticker/{SYMBOL}")
        assert (ticker["volume"], ticker["trades"], ticker["last"]) == ("0.00000", 0, price)
        shown = timed.messages(stream, "ticker", lambda each: each["trades"] == 0)[-1]
        assert shown["last"] == price


def test_an_advance_is_in_the_journal_and_a_restart_goes_on_from_it(
    timed: TimedExchange, account: int
) -> None:
    timed.advance("1h")
    before = timed.now()
    order_id = timed.enter(account, "buy", "1.00", time_in_force="gtd",
                           expire_time=timed.clock.now_ns() // 10**6 + 60_000)  # fmt: skip
    for process in ("matcher", "publisher", "gateway", "recorder"):
        timed.exchange.kill(process)
        timed.exchange.start(process)
        timed.exchange.wait_http()
    assert timed.now() == before
    assert timed.order(account, order_id)[0] == "NEW"
    timed.advance("1m")
    assert timed.order(account, order_id)[0] == "EXPIRED"


def test_nothing_refuses_the_clock_and_time_counts_in_the_metrics(timed: TimedExchange) -> None:
    timed.advance("366d")
    wait_for(timed.exchange, "crossbook_up", 1, process="matcher")
    metrics = WEB.get(f"{timed.exchange.api}/metrics").text
    assert "crossbook_matcher_clock_refused 0.0" in metrics
    assert "crossbook_matcher_clock_refusals_total 0.0" in metrics
    assert "crossbook_matcher_clock_ahead_seconds 0.0" in metrics
    assert "crossbook_matcher_clock_manual 1.0" in metrics
    assert timed.get("/ready")["status"] == "ready"
