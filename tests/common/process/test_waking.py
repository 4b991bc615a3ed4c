"""Polls that another thread or a signal ends."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest
import zmq

from crossbook.common.process.waking import StopSignals, Wake

LONG_MS = 30_000


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_poll_ends_with_a_wake_of_another_thread() -> None:
    wake = Wake()
    poller = zmq.Poller()
    poller.register(wake.descriptor, zmq.POLLIN)
    assert poller.poll(0) == []
    thread = threading.Thread(target=wake.set)
    thread.start()
    assert poller.poll(LONG_MS) == [(wake.descriptor, zmq.POLLIN)]
    thread.join()
    wake.close()


def test_any_number_of_wakes_blocks_nothing() -> None:
    wake = Wake()
    for _ in range(100_000):
        wake.set()
    wake.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_calls_stop_and_ends_a_poll(number: signal.Signals) -> None:
    stopped: list[bool] = []
    signals = StopSignals(lambda: stopped.append(True))
    poller = zmq.Poller()
    poller.register(signals.descriptor, zmq.POLLIN)
    thread = threading.Thread(target=os.kill, args=(os.getpid(), number))
    thread.start()
    assert poller.poll(LONG_MS) == [(signals.descriptor, zmq.POLLIN)]
    thread.join()
    assert stopped == [True]
    signals.close()
    assert signal.set_wakeup_fd(-1) == -1
