"""The process that has the imports of all processes, and forks for each that is started.

It forks from the beginning on, and imports the other modules while no order waits.
`python -m crossbook.launch.fork_server DESCRIPTOR` serves the orders of a
`crossbook.launch.starter.Starter`; the descriptor is its end of a pair of sockets.
"""

import gc
import io
import os
import select
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, NoReturn

import msgspec
from setproctitle import setproctitle, setthreadtitle

from crossbook.common.process.programs import FORK_SERVER, MODULES
from crossbook.launch.starter import FOLDER, PROCESSES, RUN_ENDED, StartOrder
from crossbook.matcher.build import use_build

ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end a process, and not the fork server."""

SWITCH_S: Final = sys.getswitchinterval()

RUNS_COLLECTED: Final = 50
"""Runs of a module after which a process frees what is left of all before."""


def serve(channel: socket.socket, loading: Iterator[object]) -> tuple[int, int] | None:
    """Carry out orders, and advance `loading` whenever none waits. Returns the descriptors of
    orders and output in each forked child, and None at the end."""
    answers: dict[int, int] = {}
    folders: list[bytes] = []
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    has_loaded = False
    while True:
        ready, _, _ = select.select([channel.fileno(), woken], [], [], None if has_loaded else 0)
        if not ready:
            has_loaded = next(loading, None) is None
        if woken in ready:
            os.read(woken, 4096)
            _report_ended(answers)
        if channel.fileno() not in ready:
            continue
        data, received, _, _ = socket.recv_fds(channel, 1, 3)
        if not data:
            break
        if data[0] == FOLDER:
            with os.fdopen(received[0], "rb") as pipe:
                folders.append(pipe.read())
            continue
        orders, output, answer = received
        # The child raises it again, into its own output.
        with suppress(Exception):
            use_build()
            MAINS[PROCESSES[data[0]]]()
        # The collector of the child need not scan the modules that were imported before.
        gc.freeze()
        # A signal to the child waits until it has handlers of its own.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (woken, wake, answer, *answers.values()):
                os.close(descriptor)
            return orders, output
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
        os.close(orders)
        os.close(output)
        answers[pid] = answer
        _answer(answer, pid)
    for pid in answers:
        os.kill(pid, signal.SIGKILL)
    for pid in answers:
        os.waitpid(pid, 0)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
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


def become(orders: socket.socket, output: int) -> NoReturn:
    """Carry out the orders for this process, one after the other, and exit with the last status.

    A module that ended with status 0 is run again for the next order, as long as the other end of
    `orders` is open: it is as new, but for the memory and the modules of the process.
    """
    os.setsid()
    for target in (1, 2):
        os.dup2(output, target)
    os.close(output)
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)
    status: Any = 0
    runs = 0
    with orders.makefile("rb") as lines:
        while not status and (line := lines.readline()):
            runs += 1
            if runs % RUNS_COLLECTED == 0:
                # Each run freezes what it has made, and half a megabyte of it are cycles.
                gc.unfreeze()
                gc.collect()
            try:
                _run(msgspec.json.decode(line, type=StartOrder))
            except SystemExit as error:
                status = error.code
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
            if not status:
                with suppress(OSError):
                    orders.send(RUN_ENDED)
    sys.exit(status)


def _run(order: StartOrder) -> None:
    """Apply folder, environment and signals of the order, and run its module."""
    os.chdir(order.directory)
    os.environ.clear()
    os.environ.update(order.environment)
    sys.setswitchinterval(SWITCH_S)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)
    gc.enable()
    sys.argv = [order.module]
    # Else every process would have the name of the fork server.
    setproctitle(_title(order))
    use_build()
    MAINS[order.module]()()


def _title(order: StartOrder) -> str:
    """The command line that starts the module without a fork, and its shard where several run."""
    shard = order.environment.get("SHARD") if order.environment.get("SHARDS", "1") != "1" else None
    return f"python -m {order.module}" + (f" (shard {shard})" if shard else "")


def _matcher() -> Callable[[], None]:
    from crossbook.matcher.__main__ import main

    return main


def _gateway() -> Callable[[], None]:
    from crossbook.gateway.__main__ import main

    return main


def _publisher() -> Callable[[], None]:
    from crossbook.publisher.__main__ import main

    return main


def _recorder() -> Callable[[], None]:
    # The library of databases imports the driver at the first connection.
    import sqlite3  # noqa: F401

    from crossbook.recorder.__main__ import main

    return main


def _settings() -> object:
    # The search for misspelt names takes half of a start; its results stay.
    from crossbook.common.process.config import Settings, names_found

    names_found()
    return Settings()


def _interfaces() -> object:
    # The modules that a process would import late, and the routes that every gateway makes alike.
    import tomllib

    import uvicorn.lifespan.off

    import crossbook.gateway.binance.assembly
    import crossbook.gateway.faults.assembly
    import crossbook.gateway.interfaces
    from crossbook.gateway.api.rest import prepare

    prepare()
    return tomllib, uvicorn.lifespan.off, crossbook.gateway


def _faults() -> object:
    import crossbook.common.process.fault_server
    import crossbook.gateway.faults.http
    import crossbook.gateway.faults.order_stream
    import crossbook.gateway.faults.routes

    return crossbook.gateway.faults.routes


MAINS: Final[Mapping[str, Callable[[], Callable[[], None]]]] = {
    MODULES["matcher"]: _matcher,
    MODULES["gateway"]: _gateway,
    MODULES["publisher"]: _publisher,
    MODULES["recorder"]: _recorder,
}
"""Module -> the import of its `main`; first those without which no order is accepted."""


def imports() -> Iterator[object]:
    """Import what the processes need, one part with each step."""
    parts: list[Callable[[], object]] = [
        use_build,
        *MAINS.values(),
        _settings,
        _interfaces,
        _faults,
    ]
    for load in parts:
        # A child that needs it raises it again, into its own output.
        with suppress(Exception):
            yield load()


def main() -> None:
    """Serve at the socket whose descriptor is the first argument."""
    # Imports make no garbage worth a search, and each process begins with a collector of its own.
    gc.disable()
    channel = socket.socket(fileno=int(sys.argv[1]))
    # The room for titles is found once, before the environment of a process replaces this one.
    setproctitle(f"python -m {FORK_SERVER}")
    # Python 3.12 and later count threads by a field behind this name, and a space in it would make
    # each fork warn of threads that are not there.
    setthreadtitle("fork_server")
    # Its end comes with the socket, after the processes have been ended in their order. SIG_IGN
    # would lose what is sent to a child before it has handlers.
    for number in ENDINGS:
        signal.signal(number, lambda *_: None)
    if (descriptors := serve(channel, imports())) is None:
        return
    channel.close()
    orders, output = descriptors
    become(socket.socket(fileno=orders), output)


if __name__ == "__main__":
    main()
