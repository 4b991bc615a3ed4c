"""docs/reference/rest.md has every route of the API with its parameters, documents and errors."""

import asyncio
import re
from typing import Any, Final

import pytest

from crossbook.gateway import book_waits, query
from crossbook.gateway.api import documents, request_body, rest_orders, trading
from crossbook.gateway.web import admission, http_connection
from tests.reference.pages import page, rows, section
from tests.worlds.rest_world import RestWorld

PAGE: Final = page("rest")
OF_EVERY_ROUTE: Final = {"400", "404"}
"""Errors that the page names once for all routes."""


ROUTES: Final = {row[0].strip("`"): row[1:] for row in rows(section(PAGE, "Routes"))}


@pytest.fixture(scope="module", name="document")
def fixture_document() -> Any:
    """The OpenAPI document."""

    async def get() -> Any:
        async with RestWorld() as world:
            return (await world.client.get("/openapi.json")).json()

    return asyncio.run(get())


def operations_of(document: Any) -> dict[str, Any]:
    """Each operation of the document by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def names(text: str) -> set[str]:
    """The words in backquotes."""
    return set(re.findall(r"`(\w+)`", text))


def schema_names(part: Any) -> set[str]:
    """The documents that a part of the OpenAPI document refers to."""
    return set(re.findall(r"#/components/schemas/(\w+)", str(part)))


def test_every_route_is_listed_and_no_other_one(document: Any) -> None:
    assert ROUTES.keys() == operations_of(document).keys()


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_has_its_parameters_documents_and_errors(document: Any, route: str) -> None:
    operation = operations_of(document)[route]
    request, answer, errors = ROUTES[route]
    parameters = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    body = schema_names(operation.get("requestBody", {}).get("content", {}))
    assert parameters | body <= names(request)
    statuses = operation["responses"]
    good = {status: described for status, described in statuses.items() if status < "300"}
    assert all(status in answer for status in good)
    assert {name for described in good.values() for name in schema_names(described)} <= names(
        answer
    )
    refused = statuses.keys() - good.keys() - OF_EVERY_ROUTE
    assert set(re.findall(r"\b\d{3}\b", errors)) == refused


def test_every_document_is_listed_with_its_fields(document: Any) -> None:
    listed = {
        row[0].strip("`"): re.findall(r"`(\w+)`", row[1])
        for row in rows(section(PAGE, "Documents"))
    }
    schemas = document["components"]["schemas"]
    assert listed == {name: list(schema["properties"]) for name, schema in schemas.items()}


def test_limits_are_listed_as_they_are() -> None:
    text = section(PAGE, "Limits")
    for name, value in {
        "body": f"256 KB ({request_body.BODY_MAX:,} bytes)",
        "orders in a batch": f"{documents.BATCH_MAX}",
        "path": f"{admission.PATH_MAX} bytes",
        "query parameters": f"{query.PARAMETERS_MAX}",
        "target and headers of a request": f"16 KB ({http_connection.HEADERS_MAX:,} bytes)",
        "time until a request is complete": f"{http_connection.REQUEST_WITHIN_S:.0f} s",
        "HTTP connections of a gateway": f"{http_connection.HTTP_CONNECTIONS_MAX:,}",
        "rows of an answer (`limit`), levels of a side": f"{rest_orders.PAGE_MAX:,}",
        "wait for the answer to a command": f"{trading.ANSWER_S:.0f} s",
        "wait for `min_seq`": f"{book_waits.WAIT_S:.0f} s",
    }.items():
        assert f"| {name} | {value} |" in text
