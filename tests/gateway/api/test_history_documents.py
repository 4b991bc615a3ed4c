"""Documents of history over REST, each compared whole: orders, fills, trades and candles."""

import asyncio
from typing import Any

from msgspec.structs import replace

from crossbook.common.messages.codec import decode_history_question, encode
from crossbook.common.messages.history_queries import (
    Candle,
    CandleRecords,
    CandlesQuestion,
    FillRecord,
    FillRecords,
    FillsQuestion,
    HistoryAnswer,
    HistoryQuestion,
    OrderRecord,
    OrderRecords,
    OrdersQuestion,
    TradeRecord,
    TradeRecords,
    TradesQuestion,
)
from crossbook.common.types import (
    Liquidity,
    OrderStatus,
    OrderType,
    Prevention,
    RejectReason,
    Side,
    TimeInForce,
)
from tests.worlds.rest_world import NOW_NS, RestWorld

SECOND_NS = 1_000_000_000
SEQ = 70

FILLS = [
    FillRecord(
        fill_id=91, seq=45, trade_id=17, instrument=1, order_id=31, client_order_id="mine-1",
        side=Side.BUY, price_ticks=5_000_012, quantity_lots=250_000, fee=125_000_300,
        liquidity=Liquidity.MAKER, time_ns=NOW_NS + 2 * SECOND_NS,
    ),
    FillRecord(
        fill_id=88, seq=44, trade_id=16, instrument=2, order_id=30, client_order_id="",
        side=Side.SELL, price_ticks=300_050, quantity_lots=5, fee=-7,
        liquidity=Liquidity.TAKER, time_ns=NOW_NS + SECOND_NS,
    ),
]  # fmt: skip
FILL = {
    "trade_id": 17, "price": "50000.12", "quantity": "2.50000", "fee": "0.0125000300",
    "fee_asset": "BTC", "liquidity": "maker",
}  # fmt: skip

STOP = OrderRecord(
    order_id=31, client_order_id="mine-1", instrument=1, side=Side.BUY,
    order_type=OrderType.STOP_LIMIT, time_in_force=TimeInForce.GTD, price_ticks=5_000_012,
    quantity_lots=700_000, quote_amount=0, status=OrderStatus.CANCELED, filled_lots=250_000,
    remaining_lots=3, filled_notional=250_000 * 5_000_012 * 10, reason=RejectReason.DISCONNECTED,
    created_ns=NOW_NS, updated_ns=NOW_NS + 3 * SECOND_NS, updated_seq=46, trigger_ticks=4_990_000,
    display_lots=100_000, expire_ns=NOW_NS + 60 * SECOND_NS, post_only=1,
    prevention=Prevention.EXPIRE_MAKER, working=0, fills=FILLS[:1],
)  # fmt: skip
MARKET = OrderRecord(
    order_id=30, client_order_id="", instrument=2, side=Side.SELL, order_type=OrderType.MARKET,
    time_in_force=TimeInForce.IOC, price_ticks=0, quantity_lots=0, quote_amount=2_000_000_000,
    status=OrderStatus.FILLED, filled_lots=5, remaining_lots=0, filled_notional=150_025_000,
    reason=0, created_ns=NOW_NS - SECOND_NS, updated_ns=NOW_NS - SECOND_NS, updated_seq=44,
)  # fmt: skip
STOP_DOCUMENT = {
    "order_id": "ORD-0000000031", "client_order_id": "mine-1", "symbol": "BTC-USDT",
    "side": "buy", "order_type": "stop_limit", "time_in_force": "gtd", "price": "50000.12",
    "quantity": "7.00000", "quote_quantity": None, "order_status": "CANCELED",
    "filled_quantity": "2.50000", "remaining_quantity": "0.00003", "average_price": "50000.12",
    "filled_quote_quantity": "125000.30000000", "quote_left": None, "stop_price": "49900.00",
    "display_quantity": "1.00000", "expire_time": 1_761_482_156_789, "post_only": True,
    "self_trade_prevention": "expire_maker", "working": False, "reason": "DISCONNECTED",
    "created_at": "2025-10-26T12:34:56.789Z", "updated_at": "2025-10-26T12:34:59.789Z",
    "seq": 46, "fills": None,
}  # fmt: skip
MARKET_DOCUMENT = {
    "order_id": "ORD-0000000030", "client_order_id": None, "symbol": "ETH-USDT",
    "side": "sell", "order_type": "market", "time_in_force": "ioc", "price": None,
    "quantity": None, "quote_quantity": "20.00000000", "order_status": "FILLED",
    "filled_quantity": "0.0005", "remaining_quantity": "0.0000", "average_price": "3000.50",
    "filled_quote_quantity": "1.50025000", "quote_left": "18.49975000", "stop_price": None,
    "display_quantity": None, "expire_time": None, "post_only": False,
    "self_trade_prevention": "none", "working": True, "reason": None,
    "created_at": "2025-10-26T12:34:55.789Z", "updated_at": "2025-10-26T12:34:55.789Z",
    "seq": 44, "fills": None,
}  # fmt: skip


def get(
    path: str, answer: HistoryAnswer, account: int = 1
) -> tuple[int, Any, list[HistoryQuestion]]:
    """The status and the document of a path, and the questions to the recorder, which answers each
    with `answer`."""
    questions: list[HistoryQuestion] = []

    async def main() -> tuple[int, Any]:
        async with RestWorld() as world:

            def send(frame: bytes) -> bool:
                questions.append(decode_history_question(frame))
                return True

            def respond() -> None:
                before = len(questions)
                world.history.send(send)
                for question in questions[before:]:
                    made = replace(answer, request_id=question.request_id)
                    world.history.receive(encode(made))

            world.answer_questions = respond
            headers = {"X-Account": str(account)}
            found = await world.client.get(f"/api/v1/{path}", headers=headers)
            return found.status_code, found.json()

    return *asyncio.run(main()), [replace(each, request_id=0) for each in questions]


def test_an_order_is_shown_with_all_its_fields_and_its_fills() -> None:
    status, document, questions = get(
        "orders/ORD-0000000031", OrderRecords(0, SEQ, [STOP], more=False), account=7
    )
    assert (status, document) == (200, {**STOP_DOCUMENT, "fills": [FILL]})
    assert questions == [OrdersQuestion(0, 0, 7, order_id=31, limit=1)]


def test_orders_are_listed_without_fills_and_with_a_cursor_where_there_are_more() -> None:
    listed = [STOP_DOCUMENT, MARKET_DOCUMENT]
    for more, cursor in ((False, None), (True, "30")):
        status, document, questions = get("orders", OrderRecords(0, SEQ, [STOP, MARKET], more))
        assert status == 200
        assert document == {"orders": listed, "next_cursor": cursor, "seq": SEQ}
        assert questions == [OrdersQuestion(0, 0, 1, limit=100)]


def test_every_argument_of_a_list_of_orders_is_in_the_question() -> None:
    path = "orders?symbol=ETH-USDT&status={}&client_order_id=mine-2&limit=3&cursor=44"
    for word, open_only, ended_only in (("open", True, False), ("ended", False, True)):
        _, _, questions = get(path.format(word), OrderRecords(0, SEQ, [], more=False))
        assert questions == [
            OrdersQuestion(
                0, 0, 1, instrument=2, client_order_id="mine-2", open_only=open_only,
                ended_only=ended_only, before_order_id=44, limit=3,
            )
        ]  # fmt: skip


def test_fills_are_listed_with_all_their_fields() -> None:
    first = {
        **FILL, "order_id": "ORD-0000000031", "client_order_id": "mine-1", "symbol": "BTC-USDT",
        "side": "buy", "timestamp": "2025-10-26T12:34:58.789Z", "seq": 45,
    }  # fmt: skip
    second = {
        "trade_id": 16, "price": "3000.50", "quantity": "0.0005", "fee": "-0.00000007",
        "fee_asset": "USDT", "liquidity": "taker", "order_id": "ORD-0000000030",
        "client_order_id": None, "symbol": "ETH-USDT", "side": "sell",
        "timestamp": "2025-10-26T12:34:57.789Z", "seq": 44,
    }  # fmt: skip
    for more, cursor in ((False, None), (True, "88")):
        status, document, questions = get("fills", FillRecords(0, SEQ, FILLS, more))
        assert status == 200
        assert document == {"fills": [first, second], "next_cursor": cursor, "seq": SEQ}
        assert questions == [FillsQuestion(0, 0, 1, limit=100)]


def test_every_argument_of_a_list_of_fills_is_in_the_question() -> None:
    path = "fills?symbol=ETH-USDT&order_id=ORD-0000000030&limit=3&cursor=90"
    _, document, questions = get(path, FillRecords(0, SEQ, [], more=False))
    assert document == {"fills": [], "next_cursor": None, "seq": SEQ}
    assert questions == [FillsQuestion(0, 0, 1, instrument=2, order_id=30, before=90, limit=3)]


def test_trades_are_listed_with_all_their_fields() -> None:
    trade = TradeRecord(
        trade_id=17, seq=45, price_ticks=5_000_012, quantity_lots=250_000,
        aggressor_side=Side.SELL, maker_order_id=31, taker_order_id=45, time_ns=NOW_NS,
    )  # fmt: skip
    status, document, questions = get("trades/BTC-USDT", TradeRecords(0, SEQ, [trade], more=True))
    listed = {
        "trade_id": 17, "seq": 45, "price": "50000.12", "quantity": "2.50000",
        "aggressor_side": "sell", "maker_order_id": "ORD-0000000031",
        "taker_order_id": "ORD-0000000045", "timestamp": "2025-10-26T12:34:56.789Z",
    }  # fmt: skip
    assert status == 200
    assert document == {"symbol": "BTC-USDT", "trades": [listed], "seq": SEQ}
    assert questions == [
        TradesQuestion(request_id=0, min_seq=0, instrument=1, from_trade_id=0, limit=100)
    ]  # fmt: skip
    _, _, questions = get(
        "trades/ETH-USDT?from_trade_id=9&limit=4", TradeRecords(0, SEQ, [], more=False)
    )
    assert questions == [
        TradesQuestion(request_id=0, min_seq=0, instrument=2, from_trade_id=9, limit=4)
    ]  # fmt: skip


def test_candles_are_listed_with_all_their_fields() -> None:
    candle = Candle(
        interval_s=300, open_ns=NOW_NS - NOW_NS % (300 * SECOND_NS), open_ticks=5_000_001,
        high_ticks=5_000_009, low_ticks=4_999_998, close_ticks=5_000_003, volume_lots=250_001,
        quote_volume=12_500_030_000_001, trades=6, first_trade_id=11, last_trade_id=17, seq=45,
    )  # fmt: skip
    status, document, questions = get(
        "candles/BTC-USDT?interval=5m&from=1761480000000&to=1761483000001&limit=9",
        CandleRecords(0, SEQ, [candle], more=False),
    )
    listed = {
        "open_time": "2025-10-26T12:30:00.000Z", "open": "50000.01", "high": "50000.09",
        "low": "49999.98", "close": "50000.03", "volume": "2.50001",
        "quote_volume": "125000.30000001", "trades": 6,
    }  # fmt: skip
    assert status == 200
    assert document == {
        "symbol": "BTC-USDT", "interval": "5m", "candles": [listed], "seq": SEQ
    }  # fmt: skip
    from_ns, to_ns = 1_761_480_000_000_000_000, 1_761_483_000_001_000_000
    assert questions == [
        CandlesQuestion(
            request_id=0, min_seq=0, instrument=1, interval_s=300, from_ns=from_ns, to_ns=to_ns,
            limit=9,
        )
    ]  # fmt: skip
