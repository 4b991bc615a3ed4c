"""REST routes of market data and of the process itself."""

from typing import Annotated, Final, Literal

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import PathParameter, QueryParameter

from crossbook.common.types import MAX_INT, MAX_SYMBOL
from crossbook.gateway.api import market_documents
from crossbook.gateway.api.rest_orders import Acting, InLookup, Limit, MinSeq, errors
from crossbook.gateway.operations.operations import METRICS_TYPE, MetricsText
from crossbook.gateway.operations.readiness import Health, Readiness
from crossbook.gateway.problem import malformed

SymbolPath = Annotated[
    str,
    PathParameter(
        description="instrument",
        min_length=1,
        max_length=MAX_SYMBOL,
        examples=[Example(value="BTC-USDT")],
    ),
]
InMetrics = NamedDependency[MetricsText]
TIME_MS_MAX: Final = MAX_INT // 1_000_000


class MarketRoutes(Controller):
    """Public market data."""

    path = "/api/v1"
    tags = ("market data",)

    @get("/instruments", operation_id="list_instruments", summary="All instruments")
    async def instruments(self, lookup: InLookup) -> market_documents.InstrumentListDocument:
        """All instruments."""
        return lookup.list_instruments()

    @get(
        "/orderbook/{symbol:str}",
        operation_id="get_orderbook",
        summary="The best levels of a book",
        responses=errors(400, 404, 503),
    )
    async def orderbook(
        self,
        lookup: InLookup,
        symbol: SymbolPath,
        levels: Annotated[
            int, QueryParameter(description="levels of each side", ge=1, le=1_000)
        ] = 10,
        min_seq: MinSeq = 0,
    ) -> market_documents.OrderBookDocument:
        """The best levels of a book."""
        return await lookup.book(symbol, levels, min_seq)

    @get(
        "/time",
        operation_id="get_time",
        summary="The exchange's time",
        responses=errors(400, 503),
    )
    async def time(
        self,
        lookup: InLookup,
        min_time_ns: Annotated[
            int,
            QueryParameter(
                description="wait up to some two seconds until order entry, market data and the "
                "record have all reached this time, in ns since the Unix epoch",
                ge=0,
                le=MAX_INT,
            ),
        ] = 0,
        record: Annotated[
            bool, QueryParameter(description="false: do not wait for the record of the past")
        ] = True,
    ) -> market_documents.TimeDocument:
        """The exchange's time."""
        if min_time_ns:
            await lookup.time.wait_for(min_time_ns, with_record=record)
        return lookup.time.document()

    @get(
        "/trades/{symbol:str}",
        operation_id="list_trades",
        summary="Public trades",
        description="The last trades, or those from `from_trade_id` on, oldest first.",
        responses=errors(400, 404, 503),
    )
    async def trades(
        self,
        lookup: InLookup,
        account: Acting,
        symbol: SymbolPath,
        from_trade_id: Annotated[int | None, QueryParameter(ge=1, le=MAX_INT)] = None,
        limit: Limit = 100,
        min_seq: MinSeq = 0,
    ) -> market_documents.TradeList:
        """Public trades."""
        return await lookup.trades(account, symbol, from_trade_id, limit, min_seq)

    @get(
        "/candles/{symbol:str}",
        operation_id="list_candles",
        summary="Candles",
        description="The last candles, or those that begin in `from`..`to`, without empty ones.",
        responses=errors(400, 404, 503),
    )
    async def candles(
        self,
        lookup: InLookup,
        account: Acting,
        symbol: SymbolPath,
        interval: Annotated[
            Literal["1s", "1m", "5m", "15m", "1h", "4h", "1d"],
            QueryParameter(description="length of a candle"),
        ] = "1m",
        from_ms: Annotated[
            int,
            QueryParameter(
                name="from", description="ms since the Unix epoch; 0: none", ge=0, le=TIME_MS_MAX
            ),
        ] = 0,
        to_ms: Annotated[
            int,
            QueryParameter(
                name="to", description="ms since the Unix epoch; 0: now", ge=0, le=TIME_MS_MAX
            ),
        ] = 0,
        limit: Limit = 500,
        min_seq: MinSeq = 0,
    ) -> market_documents.CandleList:
        """Candles of one length."""
        if 0 < to_ms < from_ms:
            raise malformed("to", f"{to_ms} is before from, {from_ms}")
        return await lookup.candles(
            account, symbol, interval, from_ms * 1_000_000, to_ms * 1_000_000, limit, min_seq
        )

    @get(
        "/ticker/{symbol:str}",
        operation_id="get_ticker",
        summary="Figures of the last 24 hours",
        responses=errors(400, 404, 503),
    )
    async def ticker(self, lookup: InLookup, symbol: SymbolPath) -> market_documents.TickerDocument:
        """The last 24 hours of an instrument."""
        return lookup.ticker(symbol)


class ProcessRoutes(Controller):
    """The gateway process itself, for operators."""

    tags = ("operations",)

    @get("/health", operation_id="health", summary="Whether the process runs")
    async def health(self) -> Health:
        """Answer while the process runs."""
        return Health("ok")

    @get(
        "/ready",
        operation_id="ready",
        summary="Whether orders can be entered and market data is live",
        responses={
            503: ResponseSpec(
                Readiness, generate_examples=False, description="A part is missing or starting"
            )
        },
    )
    async def ready(self, lookup: InLookup) -> Response[Readiness]:
        """Whether a client can use the gateway, and which part is missing."""
        document = await lookup.readiness()
        return Response(document, status_code=503 if document.status == "not_ready" else 200)

    @get(
        "/metrics",
        operation_id="metrics",
        summary="Metrics of all processes in Prometheus' text format",
        media_type=METRICS_TYPE,
    )
    async def metrics(self, metrics_text: InMetrics) -> str:
        """Prometheus' text format; docs/reference/metrics.md describes each metric."""
        return await metrics_text()
