"""Routes of administration: served without the framework, behind the checks of every path."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from crossbook.common.process.log import logger
from crossbook.gateway.auth.access import Access
from crossbook.gateway.problem import Problem, internal
from crossbook.gateway.query import values_of
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.answer import send_document, send_problem
from crossbook.gateway.web.entrance import AsgiApp, Entrance


class AdminRoutes(ABC):
    """Serves `path` and all below it, and everything else by `app`. A subclass answers in `answer`.

    `name` begins the ids of requests that are refused. `methods_of` returns the methods of a path
    in the form of `Allow`, and every answer of these routes has `headers`.
    """

    def __init__(
        self,
        app: AsgiApp,
        admission: Admission,
        access: Access,
        path: str,
        name: str,
        methods_of: Callable[[str], bytes],
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self._app = app
        self._path = path
        self._name = name
        self._methods_of = methods_of
        self._headers = headers
        self._numbers = count(1)
        self._served = Entrance(self._serve, admission, access, self._request_id, methods_of)

    @abstractmethod
    async def answer(self, scope: Any, receive: Any) -> tuple[int, Any]:
        """Status and document for a request without a query, by a method that its path has; raises
        `Problem`."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        path = scope["path"]
        served = path == self._path or path.startswith(f"{self._path}/")
        await (self._served if served else self._app)(scope, receive, send)

    def _request_id(self) -> str:
        return f"{self._name}-{next(self._numbers)}"

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        headers = list(self._headers)
        try:
            status, document = await self._answer(scope, receive)
        except Exception as error:
            problem = error if isinstance(error, Problem) else internal()
            if problem is not error:
                logger().exception("request_failed", path=self._path)
            if problem.status == 405:
                headers.append((b"allow", self._methods_of(scope["path"])))
            await send_problem(send, problem, self._request_id(), headers)
            return
        await send_document(send, status, document, headers)

    async def _answer(self, scope: Any, receive: Any) -> tuple[int, Any]:
        values_of(scope["query_string"].decode("latin-1"), ())
        method, methods = scope["method"], self._methods_of(scope["path"])
        if method == "OPTIONS":
            return 204, None
        if method.encode() not in methods.split(b", "):
            text = f"the methods of this path are {methods.decode()}"
            raise Problem(405, "METHOD_NOT_ALLOWED", text)
        return await self.answer(scope, receive)
