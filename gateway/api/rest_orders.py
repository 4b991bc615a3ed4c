"""REST routes of order entry and of an account, under `/api/v1`."""

from collections.abc import Callable
from typing import Annotated, Final, Literal

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import Body, PathParameter, QueryParameter

from crossbook.common.types import MAX_CLIENT_ORDER_ID, MAX_INT, MAX_SYMBOL
from crossbook.gateway.api import documents
from crossbook.gateway.api.bodies import decoder, order_number
from crossbook.gateway.api.lookup import Lookup
from crossbook.gateway.api.trading import Trading
from crossbook.gateway.problem import ErrorDocument

LIMIT_EXAMPLE: Final = {
    "symbol": "BTC-USDT",
    "order_type": "limit",
    "side": "buy",
    "quantity": "1.0",
    "price": "50000.00",
}
MARKET_EXAMPLE: Final = {
    "symbol": "BTC-USDT",
    "order_type": "market",
    "side": "sell",
    "quantity": "0.1",
}

PAGE_MAX: Final = 1_000
"""Rows of one answer at most."""

BODIES: Final[dict[str, Callable[[bytes], object]]] = {
    "submit_order": decoder(documents.OrderRequest),
    "submit_orders": decoder(documents.BatchRequest),
    "amend_order": decoder(documents.AmendRequest),
    "amend_order_by_client_order_id": decoder(documents.AmendRequest),
    "cancel_after": decoder(documents.CancelAfterRequest),
}
"""The strict decoder of each operation that has a body."""

ORDERS_PATH: Final = "/api/v1/orders"
NAMED_PATH: Final = "/by-client-order-id"
"""Below `ORDERS_PATH`. The id is a query parameter, because it may have any ASCII character."""

_WHY: Final = {
    400: "Malformed: the error names the field",
    404: "No such order, instrument or path",
    409: "Another open order has this client_order_id",
    413: "The body is too large",
    415: "The body is not application/json",
    422: "Refused by a market rule, named by its code",
    503: "Busy, or a process does not answer: nothing was changed, try again",
    504: "The outcome is unknown: query it before sending again",
}

InTrading = NamedDependency[Trading]
InLookup = NamedDependency[Lookup]
Acting = NamedDependency[int]
"""The account a request acts for."""

NewOrder = Annotated[
    documents.OrderRequest,
    Body(examples=[Example(summary="a limit order", value=LIMIT_EXAMPLE)]),
]
NewOrders = Annotated[
    documents.BatchRequest,
    Body(
        examples=[Example(summary="two orders", value={"orders": [LIMIT_EXAMPLE, MARKET_EXAMPLE]})]
    ),
]
NewTerms = Annotated[
    documents.AmendRequest,
    Body(examples=[Example(summary="a smaller total", value={"quantity": "0.5"})]),
]
Timeout = Annotated[
    documents.CancelAfterRequest,
    Body(examples=[Example(summary="a minute", value={"timeout_s": 60})]),
]
OrderId = Annotated[
    str,
    PathParameter(
        description="order id as given at entry",
        pattern=r"^ORD-[0-9]{10,19}$",
        examples=[Example(value="ORD-0000000001")],
    ),
]
SymbolQuery = Annotated[
    str | None,
    QueryParameter(description="only this instrument", min_length=1, max_length=MAX_SYMBOL),
]
ClientOrderIdQuery = Annotated[
    str,
    QueryParameter(
        description="the name that the client gave the order",
        min_length=1,
        max_length=MAX_CLIENT_ORDER_ID,
        examples=[Example(value="mine-1")],
    ),
]
MinSeq = Annotated[
    int,
    QueryParameter(
        description="the answer reflects this `seq` at least; it is delayed for up to two seconds",
        ge=0,
        le=MAX_INT,
    ),
]
Limit = Annotated[int, QueryParameter(description="rows at most", ge=1, le=PAGE_MAX)]
Cursor = Annotated[
    str | None,
    QueryParameter(description="`next_cursor` of the previous answer", min_length=1, max_length=19),
]


def errors(*statuses: int) -> dict[int, ResponseSpec]:
    """Descriptions of the error answers of a route."""
    return {
        status: ResponseSpec(ErrorDocument, generate_examples=False, description=_WHY[status])
        for status in statuses
    }


class OrderRoutes(Controller):
    """Entering, changing, cancelling and looking up orders."""

    path = ORDERS_PATH
    tags = ("orders",)

    @post(
        "/",
        operation_id="submit_order",
        summary="Enter an order",
        description=(
            "The answer comes when the order is durable, with its first fills. With a "
            "`client_order_id` the same request may be repeated safely: a repeat changes "
            "nothing and is answered with 200 and the present state of the earlier order."
        ),
        responses=errors(400, 409, 413, 415, 422, 503, 504)
        | {
            200: ResponseSpec(
                documents.OrderAnswer,
                generate_examples=False,
                description="The order had been entered before; nothing was changed",
            )
        },
    )
    async def submit(
        self,
        trading: InTrading,
        account: Acting,
        data: NewOrder,
    ) -> Response[documents.OrderAnswer]:
        """Enter an order."""
        status, answer = await trading.submit(account, data)
        return Response(answer, status_code=status)

    @post(
        "/batch",
        operation_id="submit_orders",
        summary="Enter several orders",
        description="Entered in this sequence; the outcome of each is an answer or an error.",
        status_code=200,
        responses=errors(400, 413, 415),
    )
    async def submit_batch(
        self,
        trading: InTrading,
        account: Acting,
        data: NewOrders,
    ) -> documents.BatchAnswer:
        """Enter several orders."""
        return await trading.submit_all(account, data)

    @get(
        "/",
        operation_id="list_orders",
        summary="List orders",
        description="Open and ended orders, newest first.",
        responses=errors(400, 422, 503),
    )
    async def listed(
        self,
        lookup: InLookup,
        account: Acting,
        symbol: SymbolQuery = None,
        status: Annotated[
            Literal["open", "ended"] | None,
            QueryParameter(description="only open or only ended orders"),
        ] = None,
        client_order_id: Annotated[
            str | None, QueryParameter(min_length=1, max_length=MAX_CLIENT_ORDER_ID)
        ] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
        min_seq: MinSeq = 0,
    ) -> documents.OrderList:
        """List orders."""
        return await lookup.orders(account, symbol, status, client_order_id, limit, cursor, min_seq)

    @get(
        NAMED_PATH,
        operation_id="get_order_by_client_order_id",
        summary="The last order of this client order id, with its fills",
        responses=errors(400, 404, 503),
    )
    async def named(
        self,
        lookup: InLookup,
        account: Acting,
        client_order_id: ClientOrderIdQuery,
        min_seq: MinSeq = 0,
    ) -> documents.OrderDocument:
        """The last order with this client order id."""
        return await lookup.order_named(account, client_order_id, min_seq)

    @patch(
        NAMED_PATH,
        operation_id="amend_order_by_client_order_id",
        summary="Amend the open order of this client order id",
        description="The same as the amend by order id.",
        responses=errors(400, 404, 413, 415, 422, 503, 504),
    )
    async def amend_named(
        self,
        trading: InTrading,
        account: Acting,
        client_order_id: ClientOrderIdQuery,
        data: NewTerms,
    ) -> documents.OrderAnswer:
        """Amend the open order with this client order id."""
        return await trading.amend(account, client_order_id, data)

    @delete(
        NAMED_PATH,
        operation_id="cancel_order_by_client_order_id",
        summary="Cancel the open order of this client order id",
        status_code=200,
        responses=errors(400, 404, 503, 504),
    )
    async def cancel_named(
        self, trading: InTrading, account: Acting, client_order_id: ClientOrderIdQuery
    ) -> documents.OrderAnswer:
        """Cancel the open order with this client order id."""
        return await trading.cancel(account, client_order_id)

    @get(
        "/{order_id:str}",
        operation_id="get_order",
        summary="One order with its fills",
        responses=errors(400, 404, 503),
    )
    async def one(
        self, lookup: InLookup, account: Acting, order_id: OrderId, min_seq: MinSeq = 0
    ) -> documents.OrderDocument:
        """One order."""
        return await lookup.order(account, order_number(order_id), min_seq)

    @patch(
        "/{order_id:str}",
        operation_id="amend_order",
        summary="Amend an open order",
        description=(
            "`quantity` is the new total, the filled part included. A smaller quantity at the same "
            "price keeps the place in the queue; any other change re-enters the order, which may "
            "trade."
        ),
        responses=errors(400, 404, 413, 415, 422, 503, 504),
    )
    async def amend(
        self,
        trading: InTrading,
        account: Acting,
        order_id: OrderId,
        data: NewTerms,
    ) -> documents.OrderAnswer:
        """Amend an open order."""
        return await trading.amend(account, order_number(order_id), data)

    @delete(
        "/{order_id:str}",
        operation_id="cancel_order",
        summary="Cancel an open order",
        status_code=200,
        responses=errors(400, 404, 503, 504),
    )
    async def cancel(
        self, trading: InTrading, account: Acting, order_id: OrderId
    ) -> documents.OrderAnswer:
        """Cancel an open order."""
        return await trading.cancel(account, order_number(order_id))

    @delete(
        "/",
        operation_id="cancel_orders",
        summary="Cancel all open orders",
        status_code=200,
        responses=errors(400, 422, 503, 504),
    )
    async def cancel_all(
        self,
        trading: InTrading,
        account: Acting,
        symbol: SymbolQuery = None,
        side: Annotated[
            Literal["buy", "sell"] | None, QueryParameter(description="only this side")
        ] = None,
    ) -> documents.MassCancelAnswer:
        """Cancel all open orders."""
        return await trading.cancel_all(account, symbol, side)


class AccountRoutes(Controller):
    """The account a request acts for, and its fills."""

    path = "/api/v1"
    tags = ("account",)

    @get(
        "/account",
        operation_id="get_account",
        summary="Balances and fees",
        responses=errors(400, 503, 504),
    )
    async def account(self, trading: InTrading, account: Acting) -> documents.AccountDocument:
        """The account a request acts for."""
        return await trading.balances(account)

    @post(
        "/cancel-after",
        operation_id="cancel_after",
        summary="Cancel all open orders after a time, unless renewed",
        description="A dead man's switch: each request sets a new time; zero switches it off.",
        status_code=200,
        responses=errors(400, 413, 415, 422, 503, 504),
    )
    async def cancel_after(
        self, trading: InTrading, account: Acting, data: Timeout
    ) -> documents.CancelAfterAnswer:
        """Set, renew or end the dead man's switch of the account."""
        return await trading.cancel_after(account, data)

    @get(
        "/fills",
        operation_id="list_fills",
        summary="List own fills",
        description="Newest first.",
        responses=errors(400, 422, 503),
    )
    async def fills(
        self,
        lookup: InLookup,
        account: Acting,
        symbol: SymbolQuery = None,
        order_id: Annotated[
            str | None, QueryParameter(description="only this order", pattern=r"^ORD-[0-9]{10,19}$")
        ] = None,
        limit: Limit = 100,
        cursor: Cursor = None,
        min_seq: MinSeq = 0,
    ) -> documents.FillList:
        """List own fills."""
        number = order_number(order_id) if order_id is not None else None
        return await lookup.fills(account, symbol, number, limit, cursor, min_seq)
