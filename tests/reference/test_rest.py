"""docs/reference/rest.md has every route of the API with its parameters, documents and errors."""

import asyncio
import re
from typing import Any, Final

import pytest

from tests.reference.pages import page, rows, section
from tests.worlds.rest_world import RestWorld

PAGE: Final = page("rest")
OF_EVERY_ROUTE: Final = {"400", "404"}
"""Errors that the page names once for all routes."""


async def _document() -> Any:
    async with RestWorld() as world:
        return (await world.client.get("/openapi.json")).json()


DOCUMENT: Final = asyncio.run(_document())
OPERATIONS: Final = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
ROUTES: Final = {row[0].strip("`"): row[1:] for row in rows(section(PAGE, "Routes"))}


def names(text: str) -> set[str]:
    """The words in backquotes."""
    return set(re.findall(r"`(\w+)`", text))


def schema_names(part: Any) -> set[str]:
    """The documents that a part of the OpenAPI document refers to."""
    return set(re.findall(r"#/components/schemas/(\w+)", str(part)))


def test_every_route_is_listed_and_no_other_one() -> None:
    assert ROUTES.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("route", OPERATIONS)
def test_route_has_its_parameters_documents_and_errors(route: str) -> None:
    operation = OPERATIONS[route]
    request, answer, errors = ROUTES[route]
    parameters = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    body = schema_names(operation.get("requestBody", {}).get("content", {}))
    assert parameters | body <= names(request)
    statuses = operation["responses"]
    good = {status: told for status, told in statuses.items() if status < "300"}
    assert all(status in answer for status in good)
    assert {name for told in good.values() for name in schema_names(told)} <= names(answer)
    refused = statuses.keys() - good.keys() - OF_EVERY_ROUTE
    assert set(re.findall(r"\b\d{3}\b", errors)) == refused


def test_every_document_is_listed_with_its_fields() -> None:
    listed = {
        row[0].strip("`"): re.findall(r"`(\w+)`", row[1])
        for row in rows(section(PAGE, "Documents"))
    }
    schemas = DOCUMENT["components"]["schemas"]
    assert listed == {name: list(schema["properties"]) for name, schema in schemas.items()}
