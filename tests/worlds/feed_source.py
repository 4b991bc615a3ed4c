"""A publisher of one instrument without sockets: it makes random changes, and returns frames and
replies.

Its book is a plain list, so that the book of a follower is compared with one that shares no code
with it.
"""

import random
from binascii import crc32

from msgspec import Raw

from crossbook.common.following.candles import SECOND_NS, CandleSeries
from crossbook.common.following.feed_topic import CHANNELS
from crossbook.common.instruments import example
from crossbook.common.messages.codec import encode
from crossbook.common.messages.feed import (
    HEARTBEAT_TOPIC,
    BestBidOffer,
    Candles,
    DepthUpdate,
    FeedReject,
    FeedReply,
    FeedRequest,
    Heartbeat,
    InstrumentList,
    MarketState,
    OrderChange,
    OrdersUpdate,
    Range,
    RangeRequest,
    Snapshot,
    SnapshotRequest,
    Ticker,
    TooOld,
    Trade,
    Trades,
    topic,
)
from crossbook.common.sequence import first_of
from crossbook.common.types import RejectReason

Frames = tuple[bytes, int, bytes]
SYMBOL = "BTC-USDT"


class FeedSource:
    """One life of a publisher; `epoch` numbers it and `history` is the number of messages it can
    resend."""

    def __init__(self, seed: int, epoch: int = 5, history: int = 10_000) -> None:
        self.random = random.Random(seed)
        self.history = history
        self.orders: list[tuple[int, int, int, int]] = []  # (id, side, price, lots), oldest first
        self.seq = 100
        self.trade_id = 0
        self.last = {topic(channel, SYMBOL): first_of(epoch) - 1 for channel in CHANNELS}
        self.series = CandleSeries()
        self.ticker: Ticker | None = None
        self.state = MarketState(
            symbol=SYMBOL, seq=100, state=1, until_ns=0, indicative_ticks=0, indicative_lots=0,
            surplus_lots=0, time_ns=0,
        )  # fmt: skip
        self.sent: dict[str, dict[int, bytes]] = {name: {} for name in self.last}
        self.previous = {"l2": 0, "l3": 0}
        self.answer_wrongly = False

    def levels(self, side: int) -> list[tuple[int, int]]:
        totals: dict[int, int] = {}
        for _, order_side, price, lots in self.orders:
            if order_side == side:
                totals[price] = totals.get(price, 0) + lots
        return sorted(totals.items(), reverse=side == 1)

    def side_orders(self, side: int) -> list[tuple[int, int, int]]:
        listed = [(number, price, lots) for number, s, price, lots in self.orders if s == side]
        return sorted(listed, key=lambda order: order[1] * (-1 if side == 1 else 1))

    def checksum(self) -> int:
        text = "".join(
            f"{price}{lots}" for price, lots in self.levels(2)[:10] + self.levels(1)[:10]
        )
        return crc32(text.encode())

    def step(self) -> list[Frames]:
        """Publish one change; returns the frames in the order sent."""
        before = {side: dict(self.levels(side)) for side in (1, 2)}
        first = self.seq + 1
        changes = [self._change() for _ in range(self.random.randint(1, 3))]
        after = {side: dict(self.levels(side)) for side in (1, 2)}
        frames = [
            self._send(
                "l3",
                OrdersUpdate(
                    symbol=SYMBOL,
                    first_seq=first,
                    seq=self.seq,
                    prev_seq=self._chain("l3"),
                    changes=changes,
                    time_ns=0,
                ),
            )
        ]
        bids, asks = (
            [
                (price, after[side].get(price, 0))
                for price in sorted({*before[side], *after[side]})
                if before[side].get(price) != after[side].get(price)
            ]
            for side in (1, 2)
        )
        if bids or asks:
            update = DepthUpdate(
                symbol=SYMBOL, first_seq=first, seq=self.seq, prev_seq=self._chain("l2"), bids=bids,
                asks=asks, checksum=self.checksum(), time_ns=0,
            )  # fmt: skip
            frames.append(self._send("l2", update))
            best = (self.levels(1)[:1] or [(0, 0)])[0] + (self.levels(2)[:1] or [(0, 0)])[0]
            frames.append(self._send("bbo", BestBidOffer(SYMBOL, self.seq, *best, 0)))
        if self.random.random() < 0.3:
            self.trade_id += 1
            trade = Trade(
                seq=self.seq, trade_id=self.trade_id, price_ticks=5, quantity_lots=1,
                aggressor_side=1, maker_order_id=1, taker_order_id=2,
                time_ns=self.seq * SECOND_NS // 9,
            )  # fmt: skip
            frames.append(self._send("trade", Trades(SYMBOL, [trade])))
            self.series.add(5, 1, 5, trade.trade_id, trade.seq, trade.time_ns, 1)
            candles = Candles(SYMBOL, self.seq, self.series.drain_changed(), 0)
            frames.append(self._send("candle", candles))
            self.ticker = Ticker(SYMBOL, self.seq, *[self.trade_id] * 16)
            frames.append(self._send("ticker", self.ticker))
        return frames

    def change_state(self, state: int, until_ns: int = 0) -> list[Frames]:
        """Put the instrument into another state; return the sent frame."""
        self.seq += 1
        self.state = MarketState(
            symbol=SYMBOL, seq=self.seq, state=state, until_ns=until_ns, indicative_ticks=0,
            indicative_lots=0, surplus_lots=0, time_ns=0,
        )  # fmt: skip
        return [self._send("state", self.state)]

    def heartbeat(self) -> Frames:
        return (HEARTBEAT_TOPIC.encode(), 1, encode(Heartbeat(self.seq, 0, 0, dict(self.last))))

    def answer(self, request: FeedRequest) -> FeedReply:
        number = request.request_id
        if isinstance(request, SnapshotRequest):
            if request.symbol != SYMBOL:
                return FeedReject(number, RejectReason.UNKNOWN_SYMBOL, "symbol", "unknown")
            checksum = self.checksum() ^ self.answer_wrongly
            bids, asks = (self.side_orders(1), self.side_orders(2)) if request.orders else ([], [])
            return Snapshot(
                request_id=number, symbol=SYMBOL, seq=self.seq, topics=dict(self.last),
                bids=self.levels(1), asks=self.levels(2), checksum=checksum, time_ns=0,
                last_trade_id=self.trade_id, bid_orders=bids, ask_orders=asks, ticker=self.ticker,
                candles=self.series.latest(), state=self.state,
            )  # fmt: skip
        if isinstance(request, RangeRequest):
            held = self.sent[request.topic]
            if request.from_seq not in held:
                oldest = min(held, default=self.last[request.topic] + 1)
                return TooOld(number, request.topic, oldest, self.last[request.topic])
            # At most five at once, so that consumers have to request more.
            end = min(request.to_seq, self.last[request.topic], request.from_seq + 4)
            payloads = [Raw(held[seq]) for seq in range(request.from_seq, end + 1)]
            return Range(number, request.topic, request.from_seq, payloads)
        return InstrumentList(number, [example()])

    def _change(self) -> OrderChange:
        self.seq += 1
        draw = self.random
        if self.orders and draw.random() < 0.5:
            place = draw.randrange(len(self.orders))
            number, side, price, lots = self.orders[place]
            change = draw.choice(("remove", "reduce", "requeue"))
            if change == "reduce" and lots > 1:
                self.orders[place] = (number, side, price, lots - 1)
                return OrderChange(
                    seq=self.seq, order_id=number, side=side, price_ticks=price, shown_lots=lots - 1
                )
            del self.orders[place]
            if change == "requeue":
                price = self._price(side)
                self.orders.append((number, side, price, lots + 1))
                return OrderChange(
                    seq=self.seq,
                    order_id=number,
                    side=side,
                    price_ticks=price,
                    shown_lots=lots + 1,
                    requeued=True,
                )
            return OrderChange(
                seq=self.seq, order_id=number, side=side, price_ticks=price, shown_lots=0
            )
        side = draw.choice((1, 2))
        price, lots = self._price(side), draw.randint(1, 9)
        self.orders.append((self.seq, side, price, lots))
        return OrderChange(
            seq=self.seq, order_id=self.seq, side=side, price_ticks=price, shown_lots=lots
        )

    def _price(self, side: int) -> int:
        return self.random.randint(1, 30) + (0 if side == 1 else 30)

    def _chain(self, channel: str) -> int:
        before, self.previous[channel] = self.previous[channel], self.seq
        return before

    def _send(self, channel: str, message: object) -> Frames:
        name = topic(channel, SYMBOL)
        self.last[name] += 1
        payload = encode(message)
        held = self.sent[name]
        held[self.last[name]] = payload
        while len(held) > self.history:
            del held[min(held)]
        return (name.encode(), self.last[name], payload)
