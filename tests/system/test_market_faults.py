"""Faults of market data in a running exchange, and the reactions of Crossbook's own clients."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crossbook import AsyncMarketData, Client, Gap, MarketData
from crossbook.client.faults import Faults
from crossbook.client.market.updates import Trades
from tests.system.exchange import Exchange, select_nothing
from tests.system.scrape import value

SYMBOL = "BTC-USDT"
CHANNELS = ("l2", "l3", "bbo", "trade", "ticker")
WAIT_S = 10.0


@pytest.fixture(name="running", scope="module")
def fixture_running() -> Iterator[Exchange]:
    with Exchange(GATEWAY_ROLES="orders,api,streams", FAULTS="on") as exchange:
        exchange.wait_http()
        yield exchange


@pytest.fixture(name="faults")
def fixture_faults(running: Exchange) -> Iterator[Faults]:
    faults = Faults(running.api)
    yield faults
    faults.clear()


@pytest.fixture(name="client")
def fixture_client(running: Exchange) -> Iterator[Client]:
    with Client(running.orders, account=5) as client:
        yield client
        client.mass_cancel()


@pytest.fixture(name="market")
def fixture_market(running: Exchange, client: Client) -> Iterator[MarketData]:
    """Market data of a book with both sides."""
    client.submit(SYMBOL, "buy", "1", "49000.00")
    client.submit(SYMBOL, "sell", "1", "51000.00")
    with MarketData(*addresses(running), [SYMBOL], CHANNELS) as market:
        market.wait_ready(WAIT_S)
        until(market, lambda: shown(market) == ([4900000], [5100000]))
        yield market


def addresses(running: Exchange) -> tuple[str, str]:
    """The feed and its request socket."""
    return running.addresses["PUBLISHER_FEED"], running.addresses["PUBLISHER_SNAPSHOTS"]


def shown(market: MarketData) -> tuple[list[int], list[int]]:
    """The prices of the local book."""
    book = market.book(SYMBOL)
    return [price for price, _ in book.bids()], [price for price, _ in book.asks()]


def until(market: MarketData, is_true: Callable[[], bool]) -> list[Any]:
    """The updates until something is true and nothing is missing."""
    deadline = time.monotonic() + WAIT_S
    updates: list[Any] = []
    while not (is_true() and market.ready):
        assert time.monotonic() < deadline, (shown(market), market.counters)
        updates += market.poll(0.05)
    return updates


def prices(*ticks: int) -> list[int]:
    """The bids of the fixture, behind those given."""
    return [*sorted(ticks, reverse=True), 4900000]


def bid(client: Client, price: str) -> int:
    """Enter an order that rests; its price in ticks."""
    client.submit(SYMBOL, "buy", "0.1", price)
    return int(price.replace(".", ""))


def test_a_dropped_message_is_requested_again(
    client: Client, faults: Faults, market: MarketData
) -> None:
    rule = faults.feed_drop(channel="l2", symbol=SYMBOL, next=1)
    first, second = bid(client, "49001.00"), bid(client, "49002.00")
    until(market, lambda: shown(market)[0] == prices(first, second))
    assert rule.applied == 1
    assert market.counters.resends >= 1
    assert market.counters.snapshots == 1


def test_a_gap_without_resends_is_repaired_by_a_snapshot(
    client: Client, faults: Faults, market: MarketData
) -> None:
    faults.feed_gap(channel="l2", symbol=SYMBOL, next=1)
    first, second = bid(client, "49001.00"), bid(client, "49002.00")
    until(market, lambda: shown(market)[0] == prices(first, second))
    assert market.counters.snapshots == 2


def test_trades_lost_for_good_are_named_as_a_gap(
    running: Exchange, client: Client, faults: Faults, market: MarketData
) -> None:
    faults.feed_gap(channel="trade", next=1)
    with Client(running.orders, account=6) as other:
        for _ in range(2):
            other.submit(SYMBOL, "sell", "0.1", "49000.00")
    gaps: list[Gap] = []
    trades: list[Trades] = []
    for event in market.events(WAIT_S):
        if isinstance(event, Gap):
            gaps.append(event)
        elif isinstance(event, Trades):
            trades.append(event)
        if gaps and trades:
            break
    (gap,) = gaps
    assert (gap.channel, gap.first) == ("trade", gap.last)
    assert [each.trade_id for each in trades[-1].trades] == [gap.last + 1]


@pytest.mark.parametrize(
    "kind", ["feed_duplicate", "feed_reorder", "feed_delay", "feed_wrong_checksum"]
)
def test_a_book_is_right_in_the_end_whatever_becomes_of_its_messages(
    client: Client, faults: Faults, market: MarketData, kind: str
) -> None:
    parameters = {"feed_delay": {"milliseconds": 100}}.get(kind, {})
    rule = faults.add(kind, channel="l2", every=2, **parameters)
    found = [bid(client, f"4900{n}.00") for n in range(1, 7)]
    until(market, lambda: shown(market)[0] == prices(*found))
    assert rule.applied >= 1
    counters = market.counters
    if kind == "feed_duplicate":
        assert counters.duplicates >= 1
    elif kind == "feed_wrong_checksum":
        assert counters.mismatches >= 1
        assert counters.snapshots >= 2
    else:
        assert counters.gaps >= 1


def test_a_topic_stands_still_unnoticed_and_is_repaired_after_it(
    client: Client, faults: Faults, market: MarketData
) -> None:
    faults.feed_stale(symbol=SYMBOL)
    price = bid(client, "49001.00")
    deadline = time.monotonic() + 0.6
    while time.monotonic() < deadline:
        market.poll(0.05)
    assert (shown(market)[0], market.ready, market.stale) == ([4900000], True, False)
    faults.clear()
    until(market, lambda: shown(market)[0] == prices(price))


def test_without_heartbeats_a_quiet_feed_counts_as_stale_while_it_is_connected(
    client: Client, faults: Faults, market: MarketData
) -> None:
    faults.feed_heartbeat_stopped()
    # The ticker is sent once a second, heartbeat or not.
    faults.feed_drop(channel="ticker")
    deadline = time.monotonic() + WAIT_S
    while not market.stale:
        assert time.monotonic() < deadline
        market.poll(0.1)
    price = bid(client, "49001.00")
    until(market, lambda: shown(market)[0] == prices(price))
    assert not market.stale


def test_a_disconnected_consumer_connects_again_and_misses_nothing(
    client: Client, faults: Faults, market: MarketData
) -> None:
    rule = faults.feed_disconnect(0.2, next=2)
    found: list[int] = []
    deadline = time.monotonic() + WAIT_S
    while rule.applied < 2:
        assert time.monotonic() < deadline
        found.append(bid(client, f"49{len(found) + 1:03}.00"))
        market.poll(0.05)
    found.append(bid(client, "49999.00"))
    until(market, lambda: shown(market)[0] == prices(*found))


def test_an_asyncio_consumer_does_the_same(
    running: Exchange, client: Client, faults: Faults, market: MarketData
) -> None:
    async def main() -> None:
        async with AsyncMarketData(*addresses(running), [SYMBOL], ("l2",)) as other:
            await other.wait_ready(WAIT_S)
            faults.feed_drop(channel="l2", next=1)
            found = [bid(client, f"4900{n}.00") for n in range(1, 4)]
            async with asyncio.timeout(WAIT_S):
                async for _ in other.updates():
                    bids = [price for price, _ in other.book(SYMBOL).bids()]
                    if bids == prices(*found) and other.ready:
                        return

    asyncio.run(main())


@pytest.mark.parametrize(
    ("side", "left"),
    [("both", ([], [])), ("bids", ([], [5100000])), ("asks", ([4900000], []))],
)
def test_a_book_without_a_side_is_shown_everywhere_and_back_after_clear(
    running: Exchange,
    client: Client,
    faults: Faults,
    market: MarketData,
    side: Any,
    left: tuple[list[int], list[int]],
) -> None:
    rule = faults.book_empty(side, SYMBOL)
    until(market, lambda: shown(market) == left)
    if side != "asks":
        bid(client, "49001.00")
    with MarketData(*addresses(running), [SYMBOL], CHANNELS) as later:
        later.wait_ready(WAIT_S)
        assert shown(later) == left
        assert [len(list(later.orders(SYMBOL).orders(n))) for n in (1, 2)] == list(map(len, left))
    assert rule.applied >= 1
    faults.clear()
    bids = [4900000] if side == "asks" else prices(4900100)
    until(market, lambda: shown(market) == (bids, [5100000]))
    assert market.counters.mismatches == 0
    assert market.counters.snapshots == 1


def test_faults_of_the_feed_are_counted_by_the_publisher(
    running: Exchange, client: Client, faults: Faults, market: MarketData
) -> None:
    before = faults.applied()["feed_drop"]
    faults.feed_drop(channel="l2", next=1)
    bid(client, "49001.00")
    until(market, lambda: shown(market)[0] == prices(4900100))
    assert faults.applied()["feed_drop"] == before + 1
    (state,) = faults.states()
    assert (state.process, state.applied) == ("publisher", 1)
    select_nothing(0.2)  # A publisher's exposition is up to 100 ms old.
    counted = value(running.api, "crossbook_publisher_faults_total", kind="feed_drop")
    assert counted == before + 1
