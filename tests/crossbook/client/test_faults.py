"""`Faults`: every method puts its rule in force, and errors name field, value and limit."""

import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.error import HTTPError

import pytest

from crossbook.client.faults import Fault, Faults
from crossbook.common.errors import CrossbookError
from crossbook.common.faults.kinds import KINDS, FaultRuleError
from crossbook.common.faults.order_entry import (
    AnswerLate,
    AnswerTwice,
    AnswerUnknown,
    CloseConnection,
    Delay,
    ExecutionsDisconnect,
    ExecutionsLate,
    ExecutionsOutOfOrder,
    ExecutionsSilent,
    NoAnswer,
    Refuse,
)
from crossbook.common.faults.rule import FaultRule
from crossbook.common.faults.table import RULES_MAX, FaultTable
from crossbook.errors import FaultRefused, GatewayUnavailable
from tests.gateway.faults.fault_world import served_world


@pytest.fixture(name="world", scope="module")
def fixture_world() -> Iterator[tuple[Faults, FaultTable]]:
    with served_world() as world:
        yield Faults(f"http://127.0.0.1:{world.port}/"), world.table


@pytest.fixture(name="faults")
def fixture_faults(world: tuple[Faults, FaultTable]) -> Iterator[Faults]:
    yield world[0]
    world[0].clear()


MADE: list[tuple[Callable[[Faults], Fault], FaultRule]] = [
    (lambda f: f.delay(200, account=1, next=3), Delay(milliseconds=200, account=1, next=3)),
    (
        lambda f: f.delay(5, "uniform", 9, seed=4),
        Delay(milliseconds=5, distribution="uniform", milliseconds_max=9, seed=4),
    ),
    (lambda f: f.refuse("BUSY", every=2), Refuse(code="BUSY", every=2)),
    (
        lambda f: f.refuse(status=429, retry_after_s=1, message="slow"),
        Refuse(status=429, retry_after_s=1, message="slow"),
    ),
    (lambda f: f.close_connection(path="/api/*"), CloseConnection(path="/api/*")),
    (lambda f: f.answer_unknown(symbol="BTC-USDT"), AnswerUnknown(symbol="BTC-USDT")),
    (lambda f: f.answer_twice(interface="zeromq"), AnswerTwice(interface="zeromq")),
    (lambda f: f.answer_late(7, probability=0.5), AnswerLate(milliseconds=7, probability=0.5)),
    (lambda f: f.no_answer(client_order_id="a*"), NoAnswer(client_order_id="a*")),
    (lambda f: f.executions_silent(account=2), ExecutionsSilent(account=2)),
    (lambda f: f.executions_disconnect(session=5), ExecutionsDisconnect(session=5)),
    (lambda f: f.executions_late(3), ExecutionsLate(milliseconds=3)),
    (lambda f: f.executions_out_of_order(next=1), ExecutionsOutOfOrder(next=1)),
]


@pytest.mark.parametrize(("make", "rule"), MADE)
def test_a_method_puts_its_rule_in_force(
    faults: Faults, make: Callable[[Faults], Fault], rule: FaultRule
) -> None:
    made = make(faults)
    assert made.rule == rule
    assert [state.rule for state in faults.states()] == [rule]
    assert made.state.concerned == made.applied == 0


def test_every_kind_of_order_entry_has_a_method() -> None:
    assert {type(rule) for _, rule in MADE} <= set(KINDS.values())
    assert {name for name in KINDS if not hasattr(Faults, name)} == set()


def test_a_rule_is_counted_and_removed(faults: Faults) -> None:
    before = faults.applied()["refuse"]
    fault = faults.refuse(status=418, path="/health", next=5)
    with pytest.raises(HTTPError, match="418"):
        urllib.request.urlopen(f"{faults.url}/health", timeout=5)
    assert (fault.applied, fault.state.left) == (1, 4)
    assert faults.applied()["refuse"] == before + 1
    fault.remove()
    assert faults.applied()["refuse"] == before + 1
    with pytest.raises(FaultRefused, match=f"no rule has the id {fault.id}"):
        fault.remove()
    with pytest.raises(FaultRefused, match=f"no rule has the id {fault.id}"):
        _ = fault.applied


def test_a_rule_ends_with_its_block_even_if_it_was_removed_inside(faults: Faults) -> None:
    with faults.no_answer() as fault:
        assert [state.id for state in faults.states()] == [fault.id]
    assert faults.states() == []
    with faults.no_answer():
        faults.clear()


def test_clear_removes_all(faults: Faults) -> None:
    faults.no_answer()
    faults.delay(4)
    assert faults.clear() == 2
    assert faults.states() == []
    assert faults.silent() == []


def test_a_malformed_rule_is_refused_before_it_is_sent() -> None:
    faults = Faults("http://127.0.0.1:1")
    with pytest.raises(FaultRuleError, match="900000: Expected `float` <= 600000") as caught:
        faults.delay(900_000)
    assert caught.value.field == "milliseconds"
    with pytest.raises(FaultRuleError, match="give one of next, every and probability"):
        faults.no_answer(next=1, every=2)
    with pytest.raises(FaultRuleError, match="'slow': kinds are delay"):
        faults.add("slow")


def test_a_refusal_of_the_exchange_has_its_code_and_text(
    world: tuple[Faults, FaultTable], faults: Faults
) -> None:
    for _ in range(RULES_MAX):
        world[1].add(NoAnswer())
    with pytest.raises(FaultRefused, match=f"{RULES_MAX} rules are in force") as caught:
        faults.no_answer()
    assert caught.value.code == "EXCEEDS_LIMIT"


def test_an_exchange_out_of_reach_is_named() -> None:
    with pytest.raises(GatewayUnavailable, match=r"no answer from http://127\.0\.0\.1:1: "):
        Faults("http://127.0.0.1:1").states()


class _Stranger(BaseHTTPRequestHandler):
    """A server that is no exchange."""

    status, body = 200, b"{}"

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (200, b"{}", "answered something else"),
        (500, b"<html>", "answered with status 500"),
        (404, b'{"error": {"code": "NOT_FOUND", "message": "no"}}', "start it with FAULTS=on"),
    ],
)
def test_answers_of_another_server_are_named(status: int, body: bytes, text: str) -> None:
    kind = type("Handler", (_Stranger,), {"status": status, "body": body})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(CrossbookError, match=text):
            Faults(f"http://127.0.0.1:{server.server_port}").states()
        thread.join()
