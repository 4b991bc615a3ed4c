"""The effect of a stalled subscriber and a stalled order-entry client on all others.

Both live in one process (`bench.audience`), which is stopped (SIGSTOP) and continued turn by turn
while the load continues unchanged; at the end it stays stopped for long. Latencies of all others
are pooled by what the process was doing when the order was due.
"""

import os
import signal
import statistics
import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec
import psutil
import zmq
from msgspec import Struct

from bench import histogram, machine
from bench.audience import SYMBOLS, AudienceProcess, CrowdArrivals, Followed, Levels
from bench.histogram import Summary
from bench.load import FIRST_ACCOUNT, LoadGenerator, LoadPlan
from crossbook.common.messages import codec, matcher_queries
from crossbook.common.process import sockets
from tests.system.exchange import PROCESSES, Exchange

RUNNING, STALLED, LONG, AFTER = "running", "stalled", "long", "after"
MEMORY_SECONDS = 0.2
_NS = 1_000_000_000

METHOD = {
    "load": "open loop, latency counts from the due moment, as in `bench latency`",
    "states": "one process stopped by SIGSTOP and continued, turn by turn, within one exchange",
    "not counted": "orders due in the first part of a turn, where a stopped process catches up",
    "others": "acks of all order-entry clients; BBOs at all subscribers of the crowd process",
    "stalled": "one subscriber to every channel of four instruments and one session of an account "
    "that trades, in the stopped process",
    "memory": "resident size of a process over its size when the turns began",
}


class StalledPlan(Struct, frozen=True):
    """How to measure."""

    rate: float = 1_000.0
    clients: int = 8
    subscribers: int = 100
    """The stalled one included."""
    turns: int = 8
    """Turns of each state."""
    window_s: float = 2.0
    settle_s: float = 0.5
    """First part of each turn that is not counted."""
    long_s: float = 20.0
    """How long it is stopped at the end."""
    after_s: float = 4.0
    """Load after that."""
    warm_s: float = 2.0

    @property
    def duration_s(self) -> float:
        """Seconds of load."""
        turns = 2 * self.turns * (self.settle_s + self.window_s)
        return self.warm_s + turns + self.long_s + self.after_s


class Compared(Struct, frozen=True):
    """One latency of the others, by the state of the stopped process."""

    running: Summary
    stalled: Summary
    long: Summary
    p99_ratio: float
    """Stalled to running, all turns pooled."""
    p50_ratio: float
    p99_ratio_quiet: float
    """The lower quartile of the stalled turns' p99 to that of the running turns': other work of
    the machine only lengthens them, so the quieter turns are the most exact."""
    p99_ratio_of_turns: list[float]
    """The same of each stalled turn and the running one before it."""


class StalledReport(Struct, frozen=True):
    """Result of `python -m bench stalled`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    plan: StalledPlan
    sent: int
    acked: int
    rejects: dict[str, int]
    unanswered: int
    ack: Compared
    bbo: Compared
    lost_by_others: int
    """Feed messages the crowd missed."""
    grown_mb: dict[str, dict[str, float]]
    """Process -> state -> the most it had grown in it."""
    followed: Followed
    cut_off_after_s: float
    """From the end of the long stall until the stalled session detected that it was closed; -1: it
    was not."""
    gap_after_s: float
    """The same for its market data: it detected a gap."""
    whole_after_s: float
    """Its market data missed nothing any more; -1: it had missed nothing."""
    books_equal: bool
    """The stalled subscriber's books are the matcher's in the end."""


class StalledTurns:
    """Stops and continues a process by plan, in a thread of its own, and samples memory."""

    def __init__(
        self, plan: StalledPlan, stopped: AudienceProcess, watched: Mapping[str, int]
    ) -> None:
        self._plan = plan
        self._stopped = stopped
        self._watched = {name: psutil.Process(pid) for name, pid in watched.items()}
        self._first: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run)
        self._quit = threading.Event()
        self.spans: list[tuple[int, int, str]] = []
        """Counted time: from, to, state."""
        self.continued_ns = 0
        self.grown_mb: dict[str, dict[str, float]] = {name: {} for name in watched}

    def __enter__(self) -> "StalledTurns":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._quit.set()
        self._thread.join()
        self._stopped.signal(signal.SIGCONT)

    def state_of(self, moments: Iterable[int]) -> list[int]:
        """The span each moment lies in, as an index into `spans`; -1 for none."""
        starts = [start for start, _, _ in self.spans]
        places = []
        for moment in moments:
            place = bisect_right(starts, moment) - 1
            places.append(place if place >= 0 and moment < self.spans[place][1] else -1)
        return places

    def _run(self) -> None:
        plan = self._plan
        if self._quit.wait(plan.warm_s):
            return
        self._look(RUNNING)
        for turn in range(2 * plan.turns):
            state = STALLED if turn % 2 else RUNNING
            self._stopped.signal(signal.SIGSTOP if turn % 2 else signal.SIGCONT)
            self._spend(state, plan.settle_s, plan.window_s)
        self._spend(LONG, 0.0, plan.long_s)
        self.continued_ns = time.monotonic_ns()
        self._stopped.signal(signal.SIGCONT)
        self._spend(AFTER, 0.0, plan.after_s)

    def _spend(self, state: str, settle_s: float, window_s: float) -> None:
        begin_ns = time.monotonic_ns() + int(settle_s * _NS)
        end_ns = begin_ns + int(window_s * _NS)
        while (left_ns := end_ns - time.monotonic_ns()) > 0:
            if self._quit.wait(min(left_ns / _NS, MEMORY_SECONDS)):
                break
            self._look(state)
        self.spans.append((begin_ns, end_ns, state))

    def _look(self, state: str) -> None:
        for name, process in self._watched.items():
            resident = process.memory_info().rss / 2**20
            grown = resident - self._first.setdefault(name, resident)
            most = self.grown_mb[name]
            most[state] = round(max(most.get(state, grown), grown), 1)


def run(plan: StalledPlan) -> StalledReport:
    """Start an exchange, load it and stop and continue one listener of it."""
    described = machine.describe()
    load = LoadPlan(plan.rate, plan.duration_s, plan.clients, warm_s=plan.warm_s)
    with (
        Exchange(HEARTBEAT_MS="500", JOURNAL_SEGMENT_MB="64", LOG_LEVEL="WARNING") as exchange,
        LoadGenerator(exchange.orders, load) as generator,
        AudienceProcess("crowd", exchange.feed, str(plan.subscribers - 1)) as crowd,
    ):
        generator.log_on()
        addresses = (exchange.feed, exchange.snapshots, exchange.orders)
        with AudienceProcess("follower", *addresses, str(FIRST_ACCOUNT)) as follower:
            pids = {name: exchange.pid(name) for name in PROCESSES}
            with StalledTurns(plan, follower, {**pids, "generator": os.getpid()}) as turns:
                outcome = generator.run()
            followed = msgspec.msgpack.decode(follower.stop(), type=Followed)
        arrivals = msgspec.msgpack.decode(crowd.stop(), type=CrowdArrivals)
        books_equal = followed.books == matcher_books(exchange)
    due_ns, delay_ns = _bbo_delays(arrivals, outcome.ack_seq, outcome.ack_due_ns)
    since = turns.continued_ns
    return StalledReport(
        bench="stalled",
        machine=described,
        method=METHOD,
        plan=plan,
        sent=outcome.sent,
        acked=outcome.acked,
        rejects=outcome.rejects,
        unanswered=outcome.unanswered,
        ack=compare(turns, outcome.ack_due_ns, outcome.round_trip_ns),
        bbo=compare(turns, due_ns, delay_ns),
        lost_by_others=arrivals.lost,
        grown_mb=turns.grown_mb,
        followed=followed,
        cut_off_after_s=_first_after(followed.cut_off_ns, since),
        gap_after_s=_first_after(followed.gap_ns, since),
        whole_after_s=_first_after(followed.whole_ns[-1:], since),
        books_equal=books_equal,
    )


def compare(turns: StalledTurns, due_ns: Sequence[int], latency_ns: Sequence[int]) -> Compared:
    """Latencies by the state in which their orders were due."""
    by_span: list[array[int]] = [array("q") for _ in turns.spans]
    for place, latency in zip(turns.state_of(due_ns), latency_ns, strict=True):
        if place >= 0:
            by_span[place].append(latency)
    pooled = {state: array("q") for state in (RUNNING, STALLED, LONG, AFTER)}
    for (_, _, state), latencies in zip(turns.spans, by_span, strict=True):
        pooled[state] += latencies
    of_turns = [
        _percentile(later, 0.99) / max(_percentile(earlier, 0.99), 1)
        for ((_, _, state), later), (_, earlier) in _neighbours(turns, by_span)
        if state == STALLED
    ]
    running, stalled = pooled[RUNNING], pooled[STALLED]
    quiet = {
        state: _percentile(
            [
                _percentile(latencies, 0.99)
                for (_, _, other), latencies in zip(turns.spans, by_span, strict=True)
                if other == state
            ],
            0.25,
        )
        for state in (RUNNING, STALLED)
    }
    return Compared(
        running=histogram.summarize(running),
        stalled=histogram.summarize(stalled),
        long=histogram.summarize(pooled[LONG]),
        p99_ratio=round(_percentile(stalled, 0.99) / max(_percentile(running, 0.99), 1), 3),
        p50_ratio=round(_percentile(stalled, 0.5) / max(_percentile(running, 0.5), 1), 3),
        p99_ratio_quiet=round(quiet[STALLED] / max(quiet[RUNNING], 1), 3),
        p99_ratio_of_turns=[round(ratio, 3) for ratio in of_turns],
    )


def matcher_state(exchange: Exchange) -> matcher_queries.Books:
    """The matcher's own books as they stand."""
    with (
        zmq.Context() as context,
        sockets.matcher_queries_dealer(context, exchange.queries) as dealer,
    ):
        if not dealer.poll(5_000, zmq.POLLOUT):
            raise TimeoutError("the matcher cannot be reached")
        dealer.send(codec.encode(matcher_queries.BooksRequest(1)))
        if not dealer.poll(30_000):
            raise TimeoutError("the matcher does not send its books")
        reply = codec.decode_matcher_reply(dealer.recv())
    assert isinstance(reply, matcher_queries.Books), reply
    return reply


def matcher_books(exchange: Exchange) -> dict[str, tuple[Levels, Levels]]:
    """The price levels of the matcher's own books of the traded instruments."""
    by_place = sorted(matcher_state(exchange).books, key=lambda book: book.instrument)
    return {
        symbol: (_levels(book.bids), _levels(book.asks))
        for symbol, book in zip(SYMBOLS, by_place, strict=False)
    }


def show(report: StalledReport) -> None:
    """Print the report as a table."""
    plan = report.plan
    print(
        f"stalled: open loop, {plan.rate:,.0f} orders/s, {plan.clients} clients and "
        f"{plan.subscribers} subscribers, {plan.turns} turns of {plan.window_s:g} s each way, "
        f"then {plan.long_s:g} s stopped"
    )
    print(machine.line(report.machine))
    rejects = ", ".join(f"{name} {count:,}" for name, count in report.rejects.items())
    print(
        f"{report.sent:,} sent, {report.acked:,} acked, {report.unanswered:,} unanswered; rejects: "
        f"{rejects or 'none'}; {report.lost_by_others:,} messages lost by the other subscribers"
    )
    print(histogram.HEADER)
    for name, compared in (("ack", report.ack), ("BBO", report.bbo)):
        print(histogram.line(f"{name}, all running", compared.running))
        print(histogram.line(f"{name}, stalled", compared.stalled))
        print(histogram.line(f"{name}, long stalled", compared.long))
    for name, compared in (("ack", report.ack), ("BBO", report.bbo)):
        of_turns = compared.p99_ratio_of_turns
        each = ", ".join(f"{ratio:.2f}" for ratio in of_turns)
        print(
            f"order to {name}, the others, stalled / running: p99 {compared.p99_ratio:.2f}, p50 "
            f"{compared.p50_ratio:.2f}; p99 of the quieter turns {compared.p99_ratio_quiet:.2f}; "
            f"p99 of each turn, median {statistics.median(of_turns):.2f}: {each}"
        )
    for name, most in report.grown_mb.items():
        grown = ", ".join(f"{state} {mb:.1f}" for state, mb in most.items())
        print(f"memory of {name}, MB above the beginning: {grown}")
    counters = report.followed.counters
    print(
        f"the stalled subscriber: {counters.gaps} gaps, {counters.resends} resends, "
        f"{counters.snapshots} snapshots; knew of a gap {_after(report.gap_after_s)}, had all "
        f"again {_after(report.whole_after_s)}; books equal: {report.books_equal}"
    )
    print(
        f"the stalled session: {report.followed.executions:,} executions, cut off "
        f"{len(report.followed.cut_off_ns)} times, knew {_after(report.cut_off_after_s)}"
    )


def _neighbours(
    turns: StalledTurns, by_span: "list[array[int]]"
) -> "Iterable[tuple[tuple[tuple[int, int, str], array[int]], tuple[object, array[int]]]]":
    """Each span with its latencies, and the one before it."""
    for earlier, later in pairwise(zip(turns.spans, by_span, strict=True)):
        yield later, earlier


def _bbo_delays(
    arrivals: CrowdArrivals, ack_seq: "array[int]", ack_due_ns: "array[int]"
) -> "tuple[array[int], array[int]]":
    """Due moment and delay of every best bid and offer received that names an order of the load."""
    due = dict(zip(ack_seq, ack_due_ns, strict=True))
    seqs, times = array("q"), array("q")
    seqs.frombytes(arrivals.seqs)
    times.frombytes(arrivals.times_ns)
    dues, delays = array("q"), array("q")
    for seq, moment in zip(seqs, times, strict=True):
        if seq in due:
            dues.append(due[seq])
            delays.append(moment - due[seq])
    return dues, delays


def _levels(orders: Sequence[matcher_queries.RestingOrder]) -> Levels:
    levels: dict[int, int] = {}
    for order in orders:
        levels[order.price_ticks] = levels.get(order.price_ticks, 0) + order.shown_lots
    return list(levels.items())


def _percentile(latencies: Sequence[int], share: float) -> int:
    ordered = sorted(latencies)
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0


def _first_after(moments: Iterable[int], since_ns: int) -> float:
    later = [moment for moment in moments if moment >= since_ns]
    return round((later[0] - since_ns) / _NS, 3) if later else -1.0


def _after(seconds: float) -> str:
    return f"{seconds:.3f} s after it went on" if seconds >= 0 else "never"
