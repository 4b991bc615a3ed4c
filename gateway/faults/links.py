"""The rules in force in all processes of the exchange: this gateway's, and those that it sends.

A rule is kept and counted by the process that applies it, and ends with that process. Rules for a
gateway are in force in this one alone.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import zmq

from crossbook.common.errors import BAD_BYTES
from crossbook.common.faults.kinds import AnyFault
from crossbook.common.faults.rule import kind_of
from crossbook.common.faults.table import FaultState, FaultTable, FaultTableError
from crossbook.common.faults.venue import ProcessKilled
from crossbook.common.messages.codec import encode
from crossbook.common.messages.faults import (
    AddFault,
    FaultTableRequest,
    FaultTableState,
    ListFaults,
    RemoveFaults,
    decode_fault_state,
)
from crossbook.common.process.clock import Clock
from crossbook.common.process.fault_server import ANSWER_S, kill_this_process
from crossbook.common.process.log import logger
from crossbook.common.process.sockets import drained
from crossbook.common.types import RejectReason
from crossbook.gateway.problem import Problem, refused

ANSWER_NS: Final = 1_000_000_000
"""How long a process may take to answer, and to be connected before a rule is sent to it."""

LOOK_S: Final = 0.002
"""Wait between two looks for answers."""

DRAIN_MAX: Final = 100

_NO_SYMBOL: Final = int(RejectReason.UNKNOWN_SYMBOL)
_NOBLOCK: Final = int(zmq.NOBLOCK)

Answers = dict[str, FaultTableState | None]


class FaultLinks:
    """`table` is this gateway's; `processes` has a socket to each other process by its name, which
    ends with the number of a later shard, as `publisher-1` does."""

    def __init__(
        self, table: FaultTable, processes: Mapping[str, "zmq.Socket[bytes]"], clock: Clock
    ) -> None:
        self._table = table
        self._processes = processes
        self._clock = clock
        self._request_id = 0
        self._turn = asyncio.Lock()
        # The last answer of each process.
        self._last: dict[str, FaultTableState] = {}

    def in_force(self) -> tuple[int, int]:
        """The rules in force in all processes, and how often rules were applied since the start;
        those of other processes as of their last answer."""
        own = self._table
        ids = {each.id for each in own.states()}
        ids.update(each.id for last in self._last.values() for each in last.states)
        applied = sum(sum(last.applied.values()) for last in self._last.values())
        return len(ids), own.applied.total() + applied

    async def states(self) -> tuple[list[FaultState], Counter[str], Sequence[str]]:
        """The rules in force by id, the counts of each kind since the start of its process, and the
        processes that do not answer."""
        async with self._turn:
            return self._joined(await self._list())

    async def add(self, rule: AnyFault) -> FaultState:
        """Put a rule in force in every process that applies it.

        Raises `Problem`: 422 where a process has the most rules it can have, 503 where one does not
        answer; nothing is in force then.
        """
        async with self._turn:
            targets = [name for name in self._processes if rule.applied_by(name)]
            await self._reach(targets)
            found = await self._list()
            if silent := [name for name in targets if found[name] is None]:
                text = f"no answer from {', '.join(silent)}: a fault of kind {kind_of(rule)} needs "
                raise _unavailable(f"{text}each with FAULTS=on")
            known = [each.id for each in self._joined(found)[0]]
            number = max(self._table.last_id, *known, 0) + 1
            if rule.applied_by("gateway"):
                try:
                    self._table.add(rule, number)
                except FaultTableError as error:
                    raise refused(RejectReason.EXCEEDS_LIMIT, "", str(error)) from None
            added = await self._exchange(
                targets, lambda request_id: AddFault(request_id, number, rule)
            )
            refusals = _refusals(added)
            if refusals or None in added.values():
                # In force everywhere or nowhere.
                self._table.remove(number)
                await self._exchange(targets, lambda request_id: RemoveFaults(request_id, number))
                if refusals:
                    first = refusals[0]
                    field = "symbol" if first.reason == _NO_SYMBOL else ""
                    raise refused(RejectReason(first.reason), field, first.refusal)
                silent = [name for name, answer in added.items() if answer is None]
                raise _unavailable(f"no answer from {', '.join(silent)}; nothing is in force")
            if isinstance(rule, ProcessKilled):
                self._kill(rule)
            states, _, _ = self._joined(added)
            return next(each for each in states if each.id == number)

    async def remove(self, number: int) -> int:
        """Remove the rule with this id, or all for zero; returns how many were removed.

        Raises `Problem` 503 where a process that is there does not answer: its rules may remain.
        """
        async with self._turn:
            before = await self._list()
            ids = {each.id for each in self._joined(before)[0]}
            if number:
                self._table.remove(number)
            else:
                self._table.clear()
            names = [name for name, answer in before.items() if answer is not None]
            after = await self._exchange(names, lambda request_id: RemoveFaults(request_id, number))
            if silent := [name for name in names if after[name] is None]:
                raise _unavailable(f"no answer from {', '.join(silent)}: its rules may remain")
            if failed := [each.refusal for each in after.values() if each and each.refusal]:
                raise _unavailable(f"the rules are gone, not their effect: {failed[0]}")
            return len(ids & {number} if number else ids)

    def _kill(self, rule: ProcessKilled) -> None:
        """Count the end of a process; end this one once the answer has left, if it is that."""
        for each in self._table.in_force(ProcessKilled):
            if each.rule is rule:
                self._table.applies(each)
        if rule.process == "gateway":
            wait_s = ANSWER_S + rule.after_ms / 1_000
            asyncio.get_running_loop().call_later(wait_s, kill_this_process)

    def _joined(self, answers: Answers) -> tuple[list[FaultState], Counter[str], list[str]]:
        states, applied = self._table.states(), Counter(self._table.applied)
        for answer in answers.values():
            if answer is not None:
                states += answer.states
                applied.update(answer.applied)
        # An exchange may have no recorder, and one that is away has no rules.
        silent = [
            name
            for name, answer in answers.items()
            if answer is None and not name.startswith("recorder")
        ]
        return sorted(states, key=lambda each: each.id), applied, silent

    async def _list(self) -> Answers:
        return await self._exchange(self._processes, ListFaults)

    async def _reach(self, names: Collection[str]) -> None:
        """Wait until each process is connected, for a time: one that has just started is not."""
        until_ns = self._clock.monotonic_ns() + ANSWER_NS
        while self._clock.monotonic_ns() < until_ns and not all(
            self._processes[name].poll(0, zmq.POLLOUT) for name in names
        ):
            await asyncio.sleep(LOOK_S)

    async def _exchange(
        self, names: Collection[str], request: Callable[[int], FaultTableRequest]
    ) -> Answers:
        """The answer of each process; None where it is away or does not answer in time."""
        self._request_id += 1
        frame = encode(request(self._request_id))
        answers: Answers = dict.fromkeys(names)
        waiting = {name for name in names if self._send(name, frame)}
        until_ns = self._clock.monotonic_ns() + ANSWER_NS
        while waiting and self._clock.monotonic_ns() < until_ns:
            await asyncio.sleep(LOOK_S)
            for name in list(waiting):
                answers[name] = self._answer(name)
                waiting -= {name} if answers[name] is not None else set()
        for name, answer in answers.items():
            # One that does not answer has ended, and its rules with it, as far as is known.
            self._last.pop(name, None)
            if answer is not None:
                self._last[name] = answer
        return answers

    def _send(self, name: str, frame: bytes) -> bool:
        try:
            self._processes[name].send(frame, _NOBLOCK)
        except zmq.Again:
            return False
        return True

    def _answer(self, name: str) -> FaultTableState | None:
        """The answer to the last request, if it has come."""
        for payload in drained(self._processes[name], DRAIN_MAX):
            try:
                answer = decode_fault_state(payload)
            except BAD_BYTES as error:
                logger().error("malformed_fault_state", process_asked=name, reason=str(error))
                continue
            if answer.request_id == self._request_id:
                return answer
        return None


def _refusals(added: Answers) -> list[FaultTableState]:
    """The refusals of a new rule. That a shard does not have the instrument is one only where no
    other one has it."""
    refusals = [each for each in added.values() if each is not None and each.refusal]
    others = [each for each in refusals if each.reason != _NO_SYMBOL]
    return others or (refusals if len(refusals) == len(added) else [])


def _unavailable(text: str) -> Problem:
    return Problem(503, "FAULTS_UNAVAILABLE", text)
