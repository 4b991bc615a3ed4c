"""The process that has the imports of all processes, and forks for each that is started.

`python -m crossbook.launch.fork_server DESCRIPTOR` serves the orders of a
`crossbook.launch.starter.Starter`; the descriptor is its end of a pair of sockets.
"""

import gc
import io
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NoReturn

import msgspec

from crossbook.common.process.programs import MODULES
from crossbook.launch.starter import Order
from crossbook.matcher.build import use_build


def serve(channel: socket.socket) -> tuple[int, int] | None:
    """Carry out orders. Returns the descriptors of order and output in each forked child, and None
    at the end."""
    answers: dict[int, int] = {}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    while True:
        ready, _, _ = select.select([channel.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report_ended(answers)
        if channel.fileno() not in ready:
            continue
        data, received, _, _ = socket.recv_fds(channel, 1, 3)
        if not data:
            break
        order, output, answer = received
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (woken, wake, answer, *answers.values()):
                os.close(descriptor)
            return order, output
        os.close(order)
        os.close(output)
        answers[pid] = answer
        _answer(answer, pid)
    for pid in answers:
        os.kill(pid, signal.SIGKILL)
    return None


def _report_ended(answers: dict[int, int]) -> None:
    """Reap the children that have ended, and write the exit status of each."""
    while answers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            break
        answer = answers.pop(pid)
        _answer(answer, os.waitstatus_to_exitcode(status))
        os.close(answer)


def _answer(descriptor: int, number: int) -> None:
    # A pipe without a reader: no process waits for this one.
    with suppress(BrokenPipeError):
        os.write(descriptor, b"%d\n" % number)


def become(order: Order, output: int, mains: Mapping[str, Callable[[], object]]) -> NoReturn:
    """Apply session, folder, environment, files and signals of the order, and run its module."""
    os.setsid()
    os.chdir(order.directory)
    os.environ.clear()
    os.environ.update(order.environment)
    for target in (1, 2):
        os.dup2(output, target)
    os.close(output)
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [order.module]
    mains[order.module]()
    sys.exit(0)


def imported() -> Mapping[str, Callable[[], object]]:
    """The `main` of every process, by its module, after the build of the engine is chosen."""
    use_build()
    import crossbook.gateway.__main__ as gateway
    import crossbook.matcher.__main__ as matcher
    import crossbook.publisher.__main__ as publisher
    import crossbook.recorder.__main__ as recorder

    return {
        module: found.main
        for module, found in (
            (MODULES["matcher"], matcher),
            (MODULES["publisher"], publisher),
            (MODULES["gateway"], gateway),
            (MODULES["recorder"], recorder),
        )
    }


def main() -> None:
    """Serve at the socket whose descriptor is the argument."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    # Its end comes with the socket, after the processes have been ended in their order.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mains = imported()
    # A process's collector need not scan the modules imported for the others.
    gc.collect()
    gc.freeze()
    if (descriptors := serve(channel)) is None:
        return
    channel.close()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    order, output = descriptors
    with os.fdopen(order, "rb") as pipe:
        become(msgspec.json.decode(pipe.read(), type=Order), output, mains)


if __name__ == "__main__":
    main()
