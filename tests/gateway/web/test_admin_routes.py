"""Routes of administration, by a path with one method and another one below it."""

import asyncio
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from crossbook.gateway.auth.access import AnyAccount
from crossbook.gateway.problem import Problem, malformed
from crossbook.gateway.web.admin_routes import AdminRoutes
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.hosts import AllowedHosts

PATH = "/api/v1/admin/things"


class Things(AdminRoutes):
    """Answers with the method, or with what the test set."""

    def __init__(self) -> None:
        super().__init__(
            self.nothing, Admission(AllowedHosts()), AnyAccount(1), PATH, "things",
            lambda path: b"GET, HEAD, OPTIONS" if path == PATH else b"OPTIONS, POST",
            [(b"cache-control", b"no-store")],
        )  # fmt: skip
        self.failure: Exception | None = None
        self.answered = 0

    async def answer(self, scope: Any, receive: Any) -> tuple[int, Any]:
        """The method of the request."""
        self.answered += 1
        if self.failure is not None:
            raise self.failure
        return 201, {"method": scope["method"]}

    async def nothing(self, scope: Any, receive: Any, send: Any) -> None:
        """The application behind the routes."""
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def request(self, method: str, path: str = PATH, **headers: str) -> httpx.Response:
        """The answer to a request."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(send())


@pytest.mark.parametrize(("method", "path"), [("GET", PATH), ("POST", f"{PATH}/one")])
def test_the_path_and_all_below_it_is_answered(method: str, path: str) -> None:
    answer = Things().request(method, path)
    assert (answer.status_code, answer.json()) == (201, {"method": method})
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/v1/admin", f"{PATH}andmore", "/"])
def test_every_other_path_passes(path: str) -> None:
    things = Things()
    assert things.request("GET", path).status_code == 299
    assert not things.answered


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("DELETE", PATH, "GET, HEAD, OPTIONS"), ("GET", f"{PATH}/one", "OPTIONS, POST")],
)
def test_a_method_that_the_path_does_not_have_is_refused(
    method: str, path: str, allow: str
) -> None:
    things = Things()
    answer = things.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    error = answer.json()["error"]
    assert error["code"] == "METHOD_NOT_ALLOWED"
    assert error["message"] == f"the methods of this path are {allow}"
    assert not things.answered


def test_options_is_answered_without_a_body() -> None:
    things = Things()
    answer = things.request("OPTIONS")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not things.answered


def test_a_query_is_refused() -> None:
    things = Things()
    answer = things.request("GET", f"{PATH}?id=1")
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "id")
    assert not things.answered


def test_refused_requests_are_numbered() -> None:
    things = Things()
    things.failure = malformed("id", "no number")
    answers = [things.request("GET") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert [answer.json()["request_id"] for answer in answers] == ["things-1", "things-2"]
    assert answers[0].json()["error"]["message"] == "no number"
    # So are those that the checks of every path refuse.
    assert things.request("GET", host="evil.example").json()["request_id"] == "things-3"
    assert things.answered == 2


def test_a_problem_has_its_status_and_no_other_methods() -> None:
    things = Things()
    things.failure = Problem(404, "NOT_FOUND", "no such thing")
    answer = things.request("GET")
    assert answer.status_code == 404
    assert "allow" not in answer.headers


def test_a_fault_of_the_gateway_is_logged_and_not_shown() -> None:
    things = Things()
    things.failure = RuntimeError("a fault")
    with capture_logs() as logged:
        answer = things.request("GET")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL")
    assert "a fault" not in answer.text
    assert [(each["event"], each["path"]) for each in logged] == [("request_failed", PATH)]
