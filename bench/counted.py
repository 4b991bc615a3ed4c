"""The engine's work for a message, counted: bytecodes, calls and memory, none of it timed.

Counts are the same on every machine with the same Python, so a slowdown of a hundredth shows where
timing would need hours. Work inside one call of C code is one bytecode: `bench.instructions`
counts that.
"""

import gc
import sys
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from msgspec import Struct

from bench.flows import EngineFlow
from crossbook.matcher.engine.engine import Engine


class Count(Struct):
    """Work on one flow, for each message of it."""

    bytecodes: float
    calls: float
    """Of Python functions, resumed generators included."""
    blocks: float
    """Memory blocks of up to 512 bytes that are there afterwards: of the events and the state.
    Zero where Python keeps no count of them."""
    tracked: float
    """Objects among them that the garbage collector goes through."""
    functions: dict[str, float]
    """Bytecodes by function, the larger ones."""


LEAST = 1.0
"""Bytecodes per message below which a function is not named."""


def count(flow: EngineFlow, kind: type[Engine] = Engine) -> Count:
    """Run the flow three times: once to fill caches, once counting steps, once memory."""
    messages = len(flow.commands)
    flow.run(kind)
    steps, calls = _steps(lambda: flow.run(kind))
    blocks, tracked = _memory(flow, kind)
    functions: Counter[str] = Counter()
    for code, number in steps.items():
        functions[code.co_qualname] += number
    return Count(
        round(steps.total() / messages, 2),
        round(calls / messages, 3),
        round(blocks / messages, 2),
        round(tracked / messages, 3),
        {
            name: round(number / messages, 2)
            for name, number in functions.most_common()
            if number >= LEAST * messages
        },
    )


def _steps(run: Callable[[], object]) -> tuple[Counter[CodeType], int]:
    """Bytecodes by code object, and calls, under a tracer of their own."""
    steps: Counter[CodeType] = Counter()
    calls = 0

    def step(frame: FrameType, event: str, _: Any) -> Any:
        if event == "opcode":
            steps[frame.f_code] += 1
        return step

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal calls
        calls += 1
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        run()
    finally:
        sys.settrace(before)
    return steps, calls


def _memory(flow: EngineFlow, kind: type[Engine]) -> tuple[int, int]:
    """Blocks and tracked objects that engine and events hold in the end."""
    engine = flow.engine(kind)
    apply = engine.apply
    outcomes: list[Any] = [None] * len(flow.commands)
    gc.collect()
    gc.disable()
    try:
        tracked = len(gc.get_objects())
        blocks = sys.getallocatedblocks()
        for place, (command, time_ns) in enumerate(flow.commands):
            outcomes[place] = apply(command, time_ns)
        blocks = sys.getallocatedblocks() - blocks
        tracked = len(gc.get_objects()) - tracked
    finally:
        gc.enable()
    return blocks, tracked
