"""Requests for the metrics of the processes behind the gateway, answered in bounded time.

They use connections of their own, so that no order and no event waits behind them.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.messages.codec import decode_metrics, encode
from crossbook.common.messages.process_metrics import Metrics, MetricsRequest
from crossbook.common.process.clock import Clock
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import drained

ANSWER_NS: Final = 1_000_000_000
"""How long a process may take to answer before it counts as down."""

FRESH_NS: Final = 200_000_000
"""How long answers are reused before the processes get another request: clients of the gateway
cannot make them answer more than five times a second."""

LOOK_S: Final = 0.002
"""Wait between two checks for answers while some are missing."""

DRAIN_MAX: Final = 100

_NOBLOCK: Final = int(zmq.NOBLOCK)

ProcessAnswers = dict[str, Metrics | None]


def kind_and_shard(process: str) -> tuple[str, int]:
    """The kind of a process and its shard.

    >>> kind_and_shard("matcher"), kind_and_shard("recorder-1")
    (('matcher', 0), ('recorder', 1))
    """
    kind, _, shard = process.partition("-")
    return kind, int(shard or 0)


class Probes:
    """One connection to each process, by its name; that of a later shard ends with its number, as
    `matcher-1` does."""

    def __init__(self, processes: Mapping[str, "zmq.Socket[bytes]"], clock: Clock) -> None:
        self._processes = processes
        self._clock = clock
        self._request_id = 0
        self._answers: ProcessAnswers = {}
        self._absent: set[str] = set()
        self._fresh_until_ns = 0
        self._fetching: asyncio.Task[ProcessAnswers] | None = None

    async def fetch(self) -> ProcessAnswers:
        """The answer of each process; None when it is away, does not answer within `ANSWER_NS`, or
        sends anything else. Raises nothing because of what a process does."""
        if self._is_fresh():
            return self._answers
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_all())
        try:
            # A caller that stops waiting does not cancel the request of the others.
            return await asyncio.shield(self._fetching)
        finally:
            if self._fetching is not None and self._fetching.done():
                self._fetching = None

    def _is_fresh(self) -> bool:
        """Whether the last answers may be used again: not where a process has connected since, as
        all do after the gateway's start."""
        return self._clock.monotonic_ns() < self._fresh_until_ns and not any(
            self._processes[name].poll(0, zmq.POLLOUT) for name in self._absent
        )

    async def _fetch_all(self) -> ProcessAnswers:
        self._request_id += 1
        request = encode(MetricsRequest(self._request_id))
        answers: ProcessAnswers = dict.fromkeys(self._processes)
        waiting = {name for name in self._processes if self._send(name, request)}
        self._absent = set(self._processes) - waiting
        until_ns = self._clock.monotonic_ns() + ANSWER_NS
        while waiting and self._clock.monotonic_ns() < until_ns:
            await asyncio.sleep(LOOK_S)
            for name in list(waiting):
                answers[name] = self._answer(name)
                waiting -= {name} if answers[name] is not None else set()
        self._answers, self._fresh_until_ns = answers, self._clock.monotonic_ns() + FRESH_NS
        return answers

    def _send(self, name: str, request: bytes) -> bool:
        try:
            self._processes[name].send(request, _NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _answer(self, name: str) -> Metrics | None:
        """The answer to the last request, if it has come."""
        found = None
        for payload in drained(self._processes[name], DRAIN_MAX):
            try:
                answer: Metrics = decode_metrics(payload)
            except BAD_BYTES as error:
                logger().error("malformed_metrics", process_asked=name, reason=str(error))
                continue
            if answer.request_id == self._request_id:
                found = answer if is_exposition(name, answer.text) else None
        return found


def is_exposition(process: str, text: str) -> bool:
    """Whether every line is about a family of this process, so that the text can be joined with
    others.

    >>> is_exposition("matcher", "# TYPE crossbook_matcher_x gauge\\ncrossbook_matcher_x 1.0\\n")
    True
    >>> is_exposition("matcher", "crossbook_gateway_x 1.0\\n")
    False
    """
    kind, _ = kind_and_shard(process)
    line = re.compile(rf"(?:# (?:HELP|TYPE) )?crossbook_{kind}_\w+[ {{].*")
    return text.endswith("\n") and all(map(line.fullmatch, text.splitlines()))
