"""The open loop keeps its schedule and counts every wait from the moment an order was due."""

import threading

from bench.histogram import summarize
from bench.load import LoadGenerator, LoadOutcome, LoadPlan
from crossbook.common.messages import entry
from tests.bench.fake_gateway import StallingGateway

MS = 1_000_000
STALL_S = 0.3
OPEN = LoadPlan(rate=1_000, duration_s=1.0, clients=4, warm_s=0.0, instruments=1)


def drive(gateway: StallingGateway, load: LoadPlan) -> LoadOutcome:
    with LoadGenerator(gateway.address, load) as generator:
        generator.log_on()
        return generator.run()


def test_open_loop_sends_as_many_as_planned_and_counts_every_answer() -> None:
    with StallingGateway() as gateway:
        outcome = drive(gateway, OPEN)
        assert gateway.orders == 1_000
    assert (outcome.sent, outcome.acked, outcome.unanswered) == (1_000, 1_000, 0)
    assert len(outcome.round_trip_ns) == len(outcome.late_ns) == 1_000
    assert 0.9 < outcome.elapsed_s < 1.5
    assert min(outcome.round_trip_ns) > 0


def test_latencies_include_the_stall_of_a_stalled_server() -> None:
    with StallingGateway(stall_from_s=0.3, stall_s=STALL_S) as gateway:
        outcome = drive(gateway, OPEN)
    assert (outcome.sent, outcome.unanswered) == (1_000, 0)
    # 300 orders are due during the stall and wait for its end: 0 to 300 ms, evenly spread.
    waited = sum(latency > 50 * MS for latency in outcome.round_trip_ns)
    assert waited > 200, f"only {waited} orders show the stall"
    assert max(outcome.round_trip_ns) > (STALL_S - 0.02) * 1000 * MS
    assert summarize(outcome.round_trip_ns).p90_us > 100_000
    # The generator continued to send meanwhile.
    assert summarize(outcome.late_ns).p90_us < 100_000


def test_a_closed_loop_hides_the_stall_which_is_why_the_open_one_exists() -> None:
    load = LoadPlan(closed=True, window=8, chunk=4, clients=1, duration_s=1.0, warm_s=0.0)
    with StallingGateway(stall_from_s=0.3, stall_s=STALL_S) as gateway:
        outcome = drive(gateway, load)
    waited = sum(latency > 50 * MS for latency in outcome.round_trip_ns)
    # A window's worth of orders; a slow machine may add a few waits of its own.
    assert 0 < waited < len(outcome.round_trip_ns) // 10
    assert summarize(outcome.round_trip_ns).p90_us < 50_000


def test_latencies_include_a_stall_of_the_generator_itself() -> None:
    stalled = threading.Event()

    class Hiccup(LoadGenerator):
        def _send(self, client: int, requests: list[entry.Request]) -> None:
            if self.sent >= 300 and not stalled.is_set():
                stalled.set()
                threading.Event().wait(STALL_S)
            super()._send(client, requests)

    with StallingGateway() as gateway, Hiccup(gateway.address, OPEN) as generator:
        generator.log_on()
        outcome = generator.run()
    assert outcome.sent == 1_000
    assert max(outcome.late_ns) > (STALL_S - 0.02) * 1000 * MS
    assert sum(latency > 50 * MS for latency in outcome.round_trip_ns) > 200


def test_latencies_of_the_warm_up_are_left_out() -> None:
    with StallingGateway() as gateway:
        outcome = drive(gateway, LoadPlan(rate=1_000, duration_s=0.6, clients=2, warm_s=0.4))
    assert outcome.acked == 600
    assert len(outcome.round_trip_ns) == len(outcome.late_ns) == len(outcome.ack_seq) == 200


def test_batches_leave_as_one_frame() -> None:
    load = LoadPlan(rate=3_200, duration_s=0.5, clients=2, batch=32, warm_s=0.0)
    with StallingGateway() as gateway:
        outcome = drive(gateway, load)
    assert outcome.sent == 1_600
    assert outcome.frames <= 50


def test_closed_loop_never_has_more_than_its_window_unanswered() -> None:
    class Watched(LoadGenerator):
        highest = 0

        def _send(self, client: int, requests: list[entry.Request]) -> None:
            super()._send(client, requests)
            self.highest = max(self.highest, self._unanswered())

    load = LoadPlan(closed=True, window=100, chunk=32, clients=3, duration_s=0.3, warm_s=0.0)
    with StallingGateway() as gateway, Watched(gateway.address, load) as generator:
        generator.log_on()
        outcome = generator.run()
    assert generator.highest == 96
    assert outcome.sent == outcome.acked > 96
