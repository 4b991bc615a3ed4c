"""The face's market streams, put together with the feed and the record of a gateway."""

import asyncio
from collections.abc import Sequence

from crossbook.common.instruments import Instrument
from crossbook.common.messages.history_queries import Candle
from crossbook.gateway.binance.market.intervals import Interval
from crossbook.gateway.binance.market.recorded_market import RecordedMarket
from crossbook.gateway.binance.streams.latest import TICKER_NS
from crossbook.gateway.binance.streams.market import Answered, StreamedMarket
from crossbook.gateway.binance.streams.streams import FaceStreams
from crossbook.gateway.problem import Problem


class AskRecord:
    """Requests earlier candles from the record, one task each on the running event loop."""

    def __init__(self, record: RecordedMarket) -> None:
        self._record = record
        # The loop holds tasks weakly.
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(
        self,
        instrument: Instrument,
        interval: Interval,
        begin_ns: int,
        end_ns: int,
        answered: Answered,
    ) -> None:
        """Request the candles of the interval that begins at `begin_ns`."""
        task = asyncio.get_running_loop().create_task(
            self._ask(instrument, interval, begin_ns, answered)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(
        self, instrument: Instrument, interval: Interval, begin_ns: int, answered: Answered
    ) -> None:
        found: Sequence[Candle] | None = None
        try:
            found = await self._record.candles(instrument, interval, begin_ns, begin_ns)
        except Problem:
            # The stream asks again.
            found = None
        answered(found)


def market_streams(
    view: StreamedMarket, record: RecordedMarket, lifetime_s: int, *, is_manual: bool = False
) -> FaceStreams:
    """The streams of a gateway; their `number_of` is that of its `MarketQueries`. Where the
    exchange's clock is manual, nothing waits for a least time between two events."""
    ticker_ns = 0 if is_manual else TICKER_NS
    return FaceStreams(view, AskRecord(record), lifetime_s, ticker_ns, ticker_ns // 4)
