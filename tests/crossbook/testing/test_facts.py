"""Facts of an exchange: whole listings, as of the last command, past the gateway."""

import pytest

from crossbook.common.messages.history_queries import ROWS_MAX
from crossbook.replay.recording_files import read_recording
from crossbook.replay.sample_flow import sample_path
from crossbook.testing import Exchange, ExchangeError, Fill
from crossbook.testing.background import FLOW_ACCOUNT

SYMBOL = "BTC-USD"


def test_listings_longer_than_an_answer_are_whole_and_in_order() -> None:
    with Exchange() as exchange:
        flow = exchange.replay(sample_path(), speed=None, symbol=SYMBOL)
        flow.wait()
        expected = read_recording(sample_path()).fills
        assert expected is not None
        count = sum(map(len, expected.values()))
        assert 2 * count > ROWS_MAX
        trades = exchange.trades(SYMBOL)
        assert len(trades) == count
        assert [each.trade_id for each in trades] == sorted(each.trade_id for each in trades)
        # One account stands for all recorded traders: it is both sides of each trade.
        fills = exchange.fills(FLOW_ACCOUNT, SYMBOL)
        assert len(fills) == 2 * count
        assert fills[0].seq <= fills[-1].seq
        orders = exchange.orders(FLOW_ACCOUNT, SYMBOL)
        assert len(orders) > ROWS_MAX
        assert len({each.order_id for each in orders}) == len(orders)


def test_facts_need_no_gateway() -> None:
    with Exchange() as exchange:
        exchange.book(SYMBOL, asks=[("100.00", "1")])
        exchange.client(7).submit(SYMBOL, "buy", "0.5", "100.00")
        exchange.kill("gateway")
        assert exchange.fills(7) == [Fill(SYMBOL, "buy", "0.5", 100)]
        assert exchange.book_of(SYMBOL).asks == [("100", "0.5")]
        exchange.kill("matcher")
        with pytest.raises(ExchangeError, match="matcher does not run: what it holds"):
            exchange.fills(7)
        exchange.restart("gateway")
        with pytest.raises(ExchangeError, match="matcher: ended by the test; `restart` it"):
            exchange.processes.wait_ready()
        exchange.restart("matcher")
        assert exchange.fills(7) == [Fill(SYMBOL, "buy", "0.5", 100)]
