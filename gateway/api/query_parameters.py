"""The query parameters of the paths, as the OpenAPI document of the application has them.

The framework alone would read 1e1 as ten, and refuse OPTIONS of an address that GET accepts.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from litestar import Litestar
from litestar.openapi.spec import OpenAPIType
from litestar.openapi.spec import Parameter as OpenApiParameter

from crossbook.gateway.problem import malformed

_WHOLE: Final = re.compile(r"-?[0-9]+", re.ASCII)
_SHOWN: Final = 40


class QueryParameters:
    """Names of parameters by operation and by path; names mean the same on every path."""

    def __init__(self, app: Litestar) -> None:
        self._by_operation: dict[str, set[str]] = {}
        self._whole: set[str] = set()
        self._words: set[str] = set()
        self._paths: list[tuple[re.Pattern[str], set[str]]] = []
        # Paths without an id come first: they are no ids.
        for path, item in sorted((app.openapi_schema.paths or {}).items(), key=_has_id):
            names: set[str] = set()
            for operation in (item.get, item.post, item.patch, item.delete):
                if operation is not None:
                    found = self._read(operation.parameters or ())
                    self._by_operation[operation.operation_id or ""] = found
                    names |= found
            self._paths.append((re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), names))

    def of_operation(self, operation: str) -> Collection[str]:
        """The names of an operation, by its id."""
        return self._by_operation[operation]

    def of_path(self, path: str) -> Collection[str]:
        """The names of all operations of a path."""
        return next((names for form, names in self._paths if form.fullmatch(path)), ())

    def check(self, values: Mapping[str, str]) -> None:
        """Raise `Problem` for a number that is not written in digits, and for a truth value that is
        neither `true` nor `false`."""
        for name, value in values.items():
            if name in self._whole and _WHOLE.fullmatch(value) is None:
                reason = f"{value[:_SHOWN]!r} is not a whole number in the digits 0 to 9"
                raise malformed(name, reason)
            if name in self._words and value not in ("true", "false"):
                raise malformed(name, f"{value[:_SHOWN]!r} is neither true nor false")

    def _read(self, parameters: Collection[Any]) -> set[str]:
        names = set()
        for parameter in parameters:
            if isinstance(parameter, OpenApiParameter) and parameter.param_in == "query":
                names.add(parameter.name)
                schema: Any = parameter.schema
                kinds = [schema.type, *(each.type for each in schema.one_of or ())]
                if OpenAPIType.INTEGER in kinds:
                    self._whole.add(parameter.name)
                if OpenAPIType.BOOLEAN in kinds:
                    self._words.add(parameter.name)
        return names


def _has_id(entry: tuple[str, Any]) -> bool:
    return "{" in entry[0]
