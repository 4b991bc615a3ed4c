"""The REST application: routes, errors, the OpenAPI document and its page."""

import re
from collections.abc import Callable, Collection
from itertools import count
from typing import Annotated, Any, Final, cast
from weakref import WeakKeyDictionary

from litestar import Litestar, Request, Response, Router, get
from litestar.di import Provide
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import License, Tag
from litestar.params import HeaderParameter
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ControllerRouterHandler

from crossbook.common.process.log import logger
from crossbook.common.types import MAX_ACCOUNT
from crossbook.gateway.api.bodies import explain
from crossbook.gateway.api.docs_routes import docs_routes
from crossbook.gateway.api.identity import HEADER
from crossbook.gateway.api.lookup import Lookup
from crossbook.gateway.api.order_route import OrderRoute, check_media_type
from crossbook.gateway.api.page_routes import PAGE_PARAMETERS, page_routes
from crossbook.gateway.api.query_parameters import QueryParameters
from crossbook.gateway.api.request_body import BODY_MAX
from crossbook.gateway.api.rest_market import MarketRoutes, ProcessRoutes
from crossbook.gateway.api.rest_orders import BODIES, AccountRoutes, OrderRoutes
from crossbook.gateway.api.trading import Trading
from crossbook.gateway.auth.access import Access
from crossbook.gateway.limits.account_limits import UNLIMITED, AccountLimits
from crossbook.gateway.limits.http import AccountLimitsOfHttp
from crossbook.gateway.operations.operations import MetricsText
from crossbook.gateway.problem import ErrorDocument, Problem, internal
from crossbook.gateway.query import values_of
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.entrance import PAGE_ADDRESS, AsgiApp, Entrance
from crossbook.gateway.web.hosts import AllowedHosts

_CODES: Final = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}

_MISSING: Final = re.compile(r"Missing required \w+ parameter '(\w+)'")
"""The framework's text for a missing parameter; only that text names the parameter."""


def make_app(
    trading: Trading,
    lookup: Lookup,
    metrics: MetricsText,
    access: Access,
    request_id_prefix: str,
    hosts: AllowedHosts | None = None,
    origins: Collection[str] = (),
    limits: AccountLimits = UNLIMITED,
) -> AsgiApp:
    """The application. `access` decides for which account a request acts; pages of `origins` may
    read market data."""
    routes = _PREPARED.pop() if _PREPARED else _Routes()
    routes.parts = {"trading": trading, "lookup": lookup, "metrics_text": metrics}
    checks = routes.checks
    checks.begin(request_id_prefix)
    inner: AsgiApp = OrderRoute(routes.app, trading, checks.request_id)
    if limits.buckets:
        inner = AccountLimitsOfHttp(inner, limits)
    made = Entrance(
        inner,
        Admission(hosts or AllowedHosts()),
        access,
        checks.request_id,
        routes.methods,
        routes.public_paths,
        origins,
    )
    _ROUTES_OF[made] = routes
    return made


def give_back(app: AsgiApp) -> None:
    """Keep the routes of an application that serves no more for the next one of this process."""
    _PREPARED.append(_ROUTES_OF.pop(app))


def prepare() -> None:
    """Make the routes of the next application now: nine tenths of the time that `make_app` takes,
    for a process that forks gateways."""
    _PREPARED.append(_Routes())


class _Routes:
    """The routes of one application, complete but for the `parts` of its exchange."""

    def __init__(self) -> None:
        self.parts: dict[str, Any] = {}
        self.checks = _RouteChecks()
        self.app = Litestar(
            route_handlers=[
                OrderRoutes,
                AccountRoutes,
                MarketRoutes,
                ProcessRoutes,
                openapi_document,
                page_routes(),
                docs_routes(),
            ],
            dependencies={
                "trading": Provide(lambda: self.parts["trading"], sync_to_thread=False),
                "lookup": Provide(lambda: self.parts["lookup"], sync_to_thread=False),
                "metrics_text": Provide(lambda: self.parts["metrics_text"], sync_to_thread=False),
                "account": Provide(self.checks.account),
            },
            before_request=self.checks.check,
            exception_handlers={Exception: self.checks.answer},
            request_max_body_size=BODY_MAX,
            openapi_config=_openapi(),
            signature_types=[Trading, Lookup],
            logging_config=None,
            debug=False,
        )
        self.checks.parameters = QueryParameters(self.app)
        self.methods = _methods(self.app)
        self.public_paths = _public_paths(self.app)


_PREPARED: Final[list[_Routes]] = []
"""Routes without an application."""

_ROUTES_OF: Final[WeakKeyDictionary[AsgiApp, _Routes]] = WeakKeyDictionary()
"""The routes of each application that serves."""


class _RouteChecks:
    """The parts all routes share: checks of body and query, and the answer to a failed request."""

    def __init__(self) -> None:
        self.parameters: QueryParameters | None = None
        self.begin("")

    def begin(self, prefix: str) -> None:
        """Begin the ids of requests at the first one with this prefix."""
        self.prefix = prefix
        self._numbers = count(1)

    def request_id(self) -> str:
        """A new id, for the answer to a failed request."""
        return f"{self.prefix}-{next(self._numbers)}"

    async def account(
        self,
        request: Request[Any, Any, Any],
        x_account: Annotated[
            int | None,
            HeaderParameter(
                name=HEADER, description="the account to act for", ge=1, le=MAX_ACCOUNT
            ),
        ] = None,
    ) -> int:
        """The account a request acts for, as `Entrance` has read it. The header is an argument only
        to be in the OpenAPI document."""
        acting: int = cast(Any, request.scope)["account"]
        return acting

    async def check(self, request: Request[Any, Any, Any]) -> None:
        """Refuse malformed bodies and unknown query parameters. The framework alone would accept
        the text "60" as a number, and its errors have another form."""
        operation = getattr(request.route_handler, "operation_id", None)
        if request.method in ("POST", "PATCH"):
            check_media_type(cast(Any, request.scope)["content_type"])
            if isinstance(operation, str):
                BODIES[operation](await request.body())
        parameters = cast(QueryParameters, self.parameters)
        known: Collection[str] = ()
        repeated: Collection[str] = ()
        if isinstance(operation, str):
            known = parameters.of_operation(operation)
        elif request.method == "OPTIONS":
            known = parameters.of_path(request.url.path)
        elif request.url.path == PAGE_ADDRESS:
            # The page itself shows what is wrong with its address.
            known = repeated = PAGE_PARAMETERS
        query = cast(Any, request.scope)["query_string"].decode("latin-1")
        parameters.check(values_of(query, known, repeated))

    def answer(self, request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        """The error document of an exception."""
        problem = error if isinstance(error, Problem) else _problem_of(request, error)
        headers = dict(getattr(error, "headers", None) or {})
        if problem.retry_after_s is not None:
            headers["Retry-After"] = str(problem.retry_after_s)
        return Response(
            ErrorDocument(problem.detail, self.request_id()),
            status_code=problem.status,
            headers=headers,
            media_type="application/json",
        )


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Crossbook",
        version="1",
        description=(
            "A crypto exchange core. Prices, quantities and money are decimal text; a request acts "
            "for the account of its `X-Account` header, or with `AUTH=on` of the key that signs it "
            "(docs/reference/signing.md). The WebSocket streams have other "
            "paths: `/ws/market-data/{symbol}`, `/ws/trades/{symbol}`, `/ws/candles/{symbol}`, "
            "`/ws/ticker/{symbol}`, `/ws/orders` (docs/reference/streams.md)."
        ),
        license=License(name="MIT", identifier="MIT"),
        tags=[
            Tag(name="orders"),
            Tag(name="account"),
            Tag(name="market data"),
            Tag(name="operations"),
        ],
        openapi_router=_NoRoutes("/openapi", route_handlers=[]),
    )


class _NoRoutes(Router):
    """In the place of the framework's pages about the API, which load scripts from elsewhere."""

    def register(self, value: ControllerRouterHandler) -> list[BaseRoute]:
        """Serve nothing."""
        return []


@get("/openapi.json", include_in_schema=False, sync_to_thread=False)
def openapi_document(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The OpenAPI document."""
    return request.app.openapi_schema.to_schema()


def _methods(app: Litestar) -> Callable[[str], bytes]:
    """Returns the methods of a path, in the form of `Allow`."""
    found = [
        (
            re.compile(re.sub(r"\{([^}]+)\}", _wildcard, route.path_format)),
            b", ".join(sorted(method.encode() for method in _with_head(route.methods))),
        )
        # Paths without parameters come first, and longer ones before shorter ones.
        for route in sorted(app.routes, key=lambda each: ("{" in each.path, -len(each.path)))
        if isinstance(route, HTTPRoute)
    ]

    def methods_of(path: str) -> bytes:
        return next((methods for pattern, methods in found if pattern.fullmatch(path)), b"OPTIONS")

    return methods_of


def _wildcard(parameter: re.Match[str]) -> str:
    return ".+" if parameter[1].endswith("_path") else "[^/]+"


def _with_head(methods: Collection[str]) -> set[str]:
    return {*methods, "HEAD"} if "GET" in methods else set(methods)


def _public_paths(app: Litestar) -> Callable[[str], bool]:
    """Returns whether a path is one of public market data."""
    patterns = [
        re.sub(r"\{[^}]+\}", "[^/]+", path)
        for path, item in (app.openapi_schema.paths or {}).items()
        if item.get is not None and set(item.get.tags or ()) == set(MarketRoutes.tags)
    ]
    pattern = re.compile("|".join(patterns))
    return lambda path: pattern.fullmatch(path) is not None


def _problem_of(request: Request[Any, Any, Any], error: Exception) -> Problem:
    """The problem for an exception of the framework."""
    if isinstance(error, ValidationException):
        faults = error.extra if isinstance(error.extra, list) else []
        fault = faults[0] if faults else {}
        field = str(fault.get("key", ""))
        if not field:
            missing = _MISSING.match(error.detail)
            field = missing[1] if missing else ""
        return explain(str(fault.get("message", error.detail)), field or None)
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, "MALFORMED" if error.status_code < 500 else "INTERNAL")
        return Problem(error.status_code, code, error.detail)
    logger().error("request_failed", path=request.url.path, exc_info=error)
    return internal()
