"""What CURVE costs: the same closed loop without keys and with them, alternately in one run.

With internal ipc only order entry has keys; with internal tcp the sockets between the processes
have them too, as between hosts.

    python -m bench.curve [--repeats 3] [--seconds 3]
"""

import statistics
import sys
from typing import Annotated, Final

import typer
from msgspec import Struct

from bench import latency, machine
from bench.load import LoadPlan

FRAMES: Final = (1, 32)
CLIENTS: Final = 10
WIDTH: Final = 34

METHOD: Final = {
    "load": "closed loop, 10 clients, a window of 4,096 orders; flow of bench/flow.py",
    "order": "alternately, each run in fresh processes; the first of a pair changes",
    "keys": "AUTH=on, clients with the key of the exchange; the feed is public",
    "limits": "both count orders by account, up to a rate that nobody reaches",
    "cpu": "processor time of all processes, generator and subscriber included",
    "ratio": "median with keys over median without",
}


class CurveCase(Struct, frozen=True):
    """One load over one internal transport; acknowledged orders a second and microseconds of
    processor time an order, without keys and with them, run by run."""

    frame: int
    transport: str
    plain_per_s: list[float]
    keyed_per_s: list[float]
    plain_us: list[float]
    keyed_us: list[float]

    @property
    def ratio(self) -> float:
        """Throughput with keys over that without."""
        return statistics.median(self.keyed_per_s) / statistics.median(self.plain_per_s)


class CurveReport(Struct, frozen=True):
    """Result of `python -m bench.curve`."""

    bench: str
    machine: machine.Machine
    method: dict[str, str]
    cases: list[CurveCase]


def run(*, repeats: int = 3, duration_s: float = 3.0) -> CurveReport:
    """Measure every case."""
    described = machine.describe()
    cases = []
    transports: tuple[latency.Transport, ...] = ("ipc", "tcp")
    for transport in transports:
        for frame in FRAMES:
            load = LoadPlan(
                closed=True, chunk=frame, clients=CLIENTS, duration_s=duration_s, warm_s=0.5
            )
            found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
            for repeat in range(repeats):
                for has_keys in (False, True) if repeat % 2 == 0 else (True, False):
                    with latency.own_exchange(
                        transport, has_keys=has_keys, settings=latency.UNLIMITED
                    ) as target:
                        report, _, _ = latency.run(load, target)
                    if report.rejects.keys() & {"BUSY", "THROTTLED"}:
                        raise RuntimeError(f"the load met a limit: {report.rejects}")
                    us = sum(each.us_per_order for each in report.cpu.values())
                    found[has_keys].append((report.acked_per_s, us))
                print(f"  {repeat + 1}/{repeats} {transport} {frame}", file=sys.stderr, flush=True)
            plain, keyed = found[False], found[True]
            cases.append(
                CurveCase(
                    frame,
                    transport,
                    [per_s for per_s, _ in plain],
                    [per_s for per_s, _ in keyed],
                    [us for _, us in plain],
                    [us for _, us in keyed],
                )
            )
    method = {**METHOD, "repeats": str(repeats), "seconds": f"{duration_s:g}"}
    return CurveReport("curve", described, method, cases)


def show(report: CurveReport) -> None:
    """Print the report for a person."""
    print("curve: sockets with keys beside the same without")
    print(machine.line(report.machine))
    print(f"{'':{WIDTH}}{'without':>12}{'with keys':>12}{'ratio':>8}{'us/order':>18}")
    for case in report.cases:
        name = f"frames of {case.frame}, internal {case.transport}"
        plain, keyed = statistics.median(case.plain_per_s), statistics.median(case.keyed_per_s)
        us = f"{statistics.median(case.plain_us):.1f} to {statistics.median(case.keyed_us):.1f}"
        print(f"{name:{WIDTH}}{plain:>10,.0f}/s{keyed:>10,.0f}/s{case.ratio:>8.2f}{us:>18}")


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each kind.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Length of one run.")] = 3.0,
) -> None:
    """What keys of sockets cost, in throughput and processor time."""
    show(run(repeats=repeats, duration_s=seconds))


if __name__ == "__main__":
    typer.run(main)
