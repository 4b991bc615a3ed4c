"""A publisher process that restarts beside a recorder, which has the trades the publisher
missed."""

import time
from collections.abc import Callable

import zmq

from crossbook import MarketData
from crossbook.common.instruments_file import load_instruments
from crossbook.common.messages.codec import decode_events, decode_history_question, encode
from crossbook.common.messages.commands import NewOrder
from crossbook.common.messages.events import TradeExecuted
from crossbook.common.messages.feed import Trade
from crossbook.common.messages.history_queries import MarketQuestion
from crossbook.common.process import sockets
from tests.system.exchange import REPOSITORY, Exchange, free_ports
from tests.worlds.plain_recorder import PlainRecorder, plain_latest

SECONDS = 20.0
BUY, SELL, IOC = 1, 2, 2
BITCOIN = load_instruments(REPOSITORY / "instruments.toml")[0]


class RecordedVenue:
    """A matcher and a publisher, a recorder of this process, and market data."""

    def __init__(self, exchange: Exchange, address: str) -> None:
        self.exchange = exchange
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        addresses = exchange.addresses
        self.commands = sockets.commands_push(self.context, addresses["MATCHER_COMMANDS"])
        self.events = sockets.events_sub(self.context, addresses["MATCHER_EVENTS"])
        self.questions = sockets.history_router(self.context, address)
        self.recorder = PlainRecorder(BITCOIN.notional_per_tick_lot)
        self.answered = 0
        self.received_events = False

    @property
    def trades(self) -> list[Trade]:
        return self.recorder.trades.get(BITCOIN.id, [])

    def send(self, side: int, lots: int, tif: int = 1) -> None:
        """Send an order at 50,000.00."""
        assert self.commands.poll(round(SECONDS * 1000), zmq.POLLOUT), "no matcher"
        order = NewOrder(
            gateway=0,
            request_seq=0,
            account=5,
            instrument=BITCOIN.id,
            side=side,
            order_type=1,
            time_in_force=tif,
            price_ticks=5_000_000,
            quantity_lots=lots,
        )
        self.commands.send(encode([order]), zmq.NOBLOCK)

    def until(self, aim: str, condition: Callable[[], bool], *markets: MarketData) -> None:
        """Record events, answer questions and receive market data until `condition` holds."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{aim}\n{self.exchange.logs()}"
            while self.events.poll(5):
                self._record(self.events.recv())
            while self.questions.poll(5):
                identity, payload = self.questions.recv_multipart()
                question = decode_history_question(payload)
                assert isinstance(question, MarketQuestion)
                answer = self.recorder.answer(question)
                self.questions.send_multipart([identity, encode(answer)])
                self.answered += 1
            for market in markets:
                market.poll(0.01)

    def _record(self, payload: bytes) -> None:
        self.received_events = True
        batch = decode_events(payload)
        trades = [
            Trade(
                seq=event.seq,
                trade_id=event.trade_id,
                price_ticks=event.price_ticks,
                quantity_lots=event.quantity_lots,
                aggressor_side=event.aggressor_side,
                maker_order_id=event.maker_order_id,
                taker_order_id=event.taker_order_id,
                time_ns=batch.time_ns,
            )
            for event in batch.events
            if isinstance(event, TradeExecuted)
        ]
        for instrument in load_instruments(REPOSITORY / "instruments.toml"):
            own = trades if instrument.id == BITCOIN.id else []
            self.recorder.record(batch.last_seq, instrument.id, own)


def test_a_restarted_publisher_goes_on_with_the_candles_of_the_record() -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    with Exchange(ready=False, RECORDER_HISTORY=address) as exchange:
        exchange.start("matcher")
        exchange.start("publisher")
        venue = RecordedVenue(exchange, address)
        channels = ("l2", "candle", "ticker")
        with MarketData(exchange.feed, exchange.snapshots, [BITCOIN.symbol], channels) as market:
            venue.until("the matcher", lambda: venue.received_events)
            venue.until("market data", lambda: market.ready, market)
            assert market.candles(BITCOIN.symbol) == {}

            def is_published() -> bool:
                ticker = market.ticker(BITCOIN.symbol)
                latest = list(market.candles(BITCOIN.symbol).values())
                return (
                    bool(venue.trades)
                    and latest == plain_latest(venue.trades, BITCOIN.notional_per_tick_lot)
                    and ticker is not None
                    and (ticker.trades, ticker.last_lots)
                    == (len(venue.trades), venue.trades[-1].quantity_lots)
                )

            venue.send(SELL, 9_000)
            venue.send(BUY, 1_000, IOC)
            venue.until(
                "the first trade", lambda: len(venue.trades) == 1 and is_published(), market
            )
            assert venue.answered == 0, "a new exchange has no past"

            exchange.kill("publisher")
            venue.send(BUY, 500, IOC)
            venue.until("a trade that was not published", lambda: len(venue.trades) == 2)
            exchange.start("publisher")
            venue.until("the past", lambda: "history_loaded" in exchange.log("publisher"), market)
            venue.until("both trades", is_published, market)
            venue.send(BUY, 250, IOC)
            venue.until("a third", lambda: len(venue.trades) == 3 and is_published(), market)
            assert venue.answered == 1
        venue.context.destroy(linger=0)
        assert exchange.stop("publisher") == 0
