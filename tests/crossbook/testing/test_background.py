"""Traders beside the bot of a test: a simulated market, and recorded order flow."""

import gzip
from pathlib import Path

import pytest

from crossbook.replay.sample_flow import sample_path, write_sample
from crossbook.testing import Exchange, ExchangeError
from crossbook.testing.background import AGENTS_ACCOUNT, FLOW_ACCOUNT

SYMBOL = "BTC-USDT"


def test_a_market_trades_from_the_start_and_leaves_nothing(venue: Exchange) -> None:
    with venue.market(seed=7, rate=2_000) as market:
        shown = venue.request("GET", f"/api/v1/orderbook/{SYMBOL}")[1]
        assert shown["bids"]
        assert shown["asks"]
        market.wait_for_ticks(5)
        assert len(venue.wait_for_trades(SYMBOL, 3)) >= 3
        assert market.is_running
    assert not market.is_running
    assert not [each for agent in range(12) for each in venue.open_orders(AGENTS_ACCOUNT + agent)]


def test_equal_seeds_make_the_same_trades() -> None:
    found = []
    for _ in range(2):
        with Exchange() as exchange:
            exchange.market(seed=11, rate=5_000).wait_for_ticks(30)
            found.append(exchange.trades(SYMBOL))
    shared = min(map(len, found))
    assert shared > 5
    assert found[0][:shared] == found[1][:shared]


def test_a_stepped_market_waits_for_the_test_and_moves_a_manual_clock() -> None:
    digests = []
    for seed in (7, 7, 8):
        with Exchange(clock="manual") as exchange:
            began = exchange.now()
            market = exchange.market(seed=seed, stepped=True)
            market.step(2.0)
            assert (exchange.now() - began).total_seconds() == pytest.approx(2.1)
            bot = exchange.client(exchange.account(USDT="10000000"))
            bot.submit(SYMBOL, "buy", "1", order_type="market", client_order_id="bot")
            market.step(0.5)
            exchange.advance("1h")
            market.stop()
            digests.append(exchange.journal_digest())
    assert digests[0] == digests[1] != digests[2]


def test_a_market_that_is_not_stepped_leaves_the_time_to_the_test(venue: Exchange) -> None:
    with (
        venue.market(seed=7, rate=2_000) as market,
        pytest.raises(ValueError, match="this market trades by itself"),
    ):
        market.step()


def test_a_step_shorter_than_a_tick_is_refused(venue: Exchange) -> None:
    with (
        venue.market(seed=7, stepped=True) as market,
        pytest.raises(ValueError, match=r"seconds=0\.01: is less than a tick of 0\.1 s"),
    ):
        market.step(0.01)


def test_a_market_of_an_unknown_instrument_is_refused_at_once(venue: Exchange) -> None:
    with pytest.raises(ValueError, match="DOGE is not traded here"):
        venue.market(symbols=["DOGE"])


def test_recorded_flow_trades_among_others(venue: Exchange) -> None:
    flow = venue.replay(sample_path(), speed=None, symbol="ETH-USDT")
    flow.wait_for_commands(500)
    client = venue.client(venue.account(USDT="1000000", ETH="1000"))
    client.submit("ETH-USDT", "buy", "0.1", order_type="market")
    flow.wait()
    assert flow.sent == flow.total == 3_000
    assert flow.report is not None
    assert flow.report.result is None
    assert venue.open_orders(FLOW_ACCOUNT) == []


def test_recorded_flow_alone_is_compared(venue: Exchange, tmp_path: Path) -> None:
    write_sample(tmp_path, "flow_BTC-USD", count=200)
    path = tmp_path / "flow_BTC-USD.cmd.csv.gz"
    flow = venue.replay(path, speed=None, among_others=False)
    flow.wait()
    assert flow.report is not None
    assert flow.report.equal
    fills = tmp_path / "flow_BTC-USD.expect.csv.gz"
    lines = gzip.decompress(fills.read_bytes()).splitlines(keepends=True)
    fills.write_bytes(gzip.compress(b"".join(lines[:-1])))
    with pytest.raises(AssertionError, match=r"flow_BTC-USD .*:\nfill \d of command"):
        venue.replay(path, speed=None, among_others=False).wait()


def test_recorded_flow_stops_between_two_commands(venue: Exchange) -> None:
    flow = venue.replay(sample_path(), speed=0.001, symbol="ETH-USDT")
    flow.stop()
    assert flow.sent < flow.total
    again = venue.replay(sample_path(), speed=0.001, symbol="ETH-USDT")
    with again, pytest.raises(ExchangeError, match="not done within"):
        again.wait(0.05)


@pytest.mark.parametrize("speed", [0, -1, 1_000_001])
def test_an_invalid_speed_is_refused(venue: Exchange, speed: float) -> None:
    with pytest.raises(ValueError, match=f"speed={speed}: is not above 0"):
        venue.replay(sample_path(), speed=speed)


def test_a_recording_without_an_instrument_in_its_name_needs_a_symbol(
    venue: Exchange, tmp_path: Path
) -> None:
    write_sample(tmp_path, "flow", count=20)
    with pytest.raises(ValueError, match=r"flow.cmd.csv.gz: name a symbol, one of BTC-USDT"):
        venue.replay(tmp_path / "flow.cmd.csv.gz")
    with pytest.raises(ValueError, match="symbol='DOGE': is not traded here"):
        venue.replay(tmp_path / "flow.cmd.csv.gz", symbol="DOGE")
