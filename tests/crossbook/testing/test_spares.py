"""The exchange that is started before a test needs it."""

import psutil

from crossbook.testing.plan import Plan
from crossbook.testing.processes import reap
from crossbook.testing.spares import Spares

PLAN = Plan.of({}, recorder=False)


def test_a_prepared_exchange_is_taken_once() -> None:
    spares = Spares()
    spares.prepare(PLAN)
    spares.prepare(PLAN)
    first = spares.take(PLAN)
    second = spares.take(PLAN)
    try:
        assert first is not second
        first.wait_ready()
        second.wait_ready()
        assert first.http_port != second.http_port
    finally:
        first.close()
        second.close()


def test_an_exchange_of_another_plan_is_not_taken_and_the_next_preparation_ends_it() -> None:
    spares = Spares()
    spares.prepare(PLAN)
    other = spares.take(Plan.of({"ACCOUNTS": "off"}, recorder=False))
    other.close()
    spare = spares.take(PLAN)
    pids = [spare.pid(name) for name in spare.names]
    spare.close()
    assert not any(map(psutil.pid_exists, pids))
    spares.prepare(PLAN)
    spares.prepare(other.plan)
    kept = spares.take(other.plan)
    assert kept.plan == other.plan
    kept.close()
    spares.close()
    reap(wait=True)
