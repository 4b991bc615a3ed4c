"""Asks the processes behind the gateway what they have counted, within a bound.

Over connections of its own, which no order and no event waits behind.
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
"""How long answers are given again before the processes are asked anew: whoever asks the gateway
cannot make them work more than five times a second."""

LOOK_S: Final = 0.002
"""Between two looks for answers while some are missing."""

DRAIN_MAX: Final = 100

_NOBLOCK: Final = int(zmq.NOBLOCK)

Answers = dict[str, Metrics | None]


def kind_and_shard(process: str) -> tuple[str, int]:
    """What a process is, and of which shard.

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
        self._number = 0
        self._answers: Answers = {}
        self._fresh_until_ns = 0
        self._asking: asyncio.Task[Answers] | None = None

    async def ask(self) -> Answers:
        """What each process answered; None for one that is away, does not answer within
        `ANSWER_NS`, or answers what it should not. Never raises for anything they do."""
        if self._answers and self._clock.monotonic_ns() < self._fresh_until_ns:
            return self._answers
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_all())
        try:
            # Whoever gives up waiting does not take the answers away from the others.
            return await asyncio.shield(self._asking)
        finally:
            if self._asking is not None and self._asking.done():
                self._asking = None

    async def _ask_all(self) -> Answers:
        self._number += 1
        question = encode(MetricsRequest(self._number))
        answers: Answers = dict.fromkeys(self._processes)
        waiting = {name for name in self._processes if self._send(name, question)}
        until_ns = self._clock.monotonic_ns() + ANSWER_NS
        while waiting and self._clock.monotonic_ns() < until_ns:
            await asyncio.sleep(LOOK_S)
            for name in list(waiting):
                answers[name] = self._answer(name)
                waiting -= {name} if answers[name] is not None else set()
        self._answers, self._fresh_until_ns = answers, self._clock.monotonic_ns() + FRESH_NS
        return answers

    def _send(self, name: str, question: bytes) -> bool:
        try:
            self._processes[name].send(question, _NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _answer(self, name: str) -> Metrics | None:
        """The answer to the last question, if it has come."""
        found = None
        for payload in drained(self._processes[name], DRAIN_MAX):
            try:
                answer: Metrics = decode_metrics(payload)
            except BAD_BYTES as error:
                logger().error("malformed_metrics", process_asked=name, reason=str(error))
                continue
            if answer.request_id == self._number:
                found = answer if is_exposition(name, answer.text) else None
        return found


def is_exposition(process: str, text: str) -> bool:
    """Whether every line is about a family of this process, so that the text can stand beside
    others.

    >>> is_exposition("matcher", "# TYPE crossbook_matcher_x gauge\\ncrossbook_matcher_x 1.0\\n")
    True
    >>> is_exposition("matcher", "crossbook_gateway_x 1.0\\n")
    False
    """
    kind, _ = kind_and_shard(process)
    line = re.compile(rf"(?:# (?:HELP|TYPE) )?crossbook_{kind}_\w+[ {{].*")
    return text.endswith("\n") and all(map(line.fullmatch, text.splitlines()))
