"""Latency curves as PNG: one run whole, or the percentiles of many side by side."""

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

BINS = 120
INK = ("#1f5fa8", "#c2571a", "#3a7d44")
PERCENTILES = ("50", "90", "99", "99.9", "max")


def draw(path: Path, title: str, series: Mapping[str, "array[int]"]) -> None:
    """Write one picture of some latencies in nanoseconds; empty series are left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = {name: sorted(values) for name, values in series.items() if values}
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    figure.suptitle(title)
    if drawn:
        low = max(1.0, min(values[0] for values in drawn.values()) / 1000)
        high = max(low * 10, max(values[-1] for values in drawn.values()) / 1000)
        edges = [low * (high / low) ** (step / BINS) for step in range(BINS + 1)]
        for (name, values), ink in zip(drawn.items(), INK, strict=False):
            micros = [value / 1000 for value in values]
            left.hist(micros, bins=edges, histtype="step", color=ink, label=name)
            nines, heights = _percentile_curve(micros)
            right.plot(nines, heights, color=ink, label=name)
        left.set_xscale("log")
        right.set_xscale("log")
        right.set_yscale("log")
    left.set(xlabel="latency, microseconds", ylabel="orders", title="histogram")
    right.set(xlabel="percentile", ylabel="latency, microseconds", title="percentiles")
    ticks = {1: "0", 2: "50", 10: "90", 100: "99", 1_000: "99.9", 10_000: "99.99"}
    right.set_xticks(list(ticks), list(ticks.values()))
    right.minorticks_off()
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_curves(
    path: Path, title: str, panels: Mapping[str, Mapping[tuple[str, int], Sequence[float]]]
) -> None:
    """Write one picture of small panels, each of curves in microseconds at `PERCENTILES`.

    Curves are named by pipeline and number of clients: "ours" is drawn whole, any other dashed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = max(1, (len(panels) + 1) // 2)
    figure, grid = plt.subplots(
        2, columns, figsize=(3.4 * columns + 1, 6.4), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    figure.suptitle(f"{title}, microseconds; ours whole, null dashed")
    clients = sorted({many for curves in panels.values() for _, many in curves})
    inks = dict(zip(clients, INK, strict=False))
    for axes, (name, curves) in zip(grid.flat, panels.items(), strict=False):
        for (runner, many), heights in curves.items():
            style = "-" if runner == "ours" else "--"
            label = f"{many} client{'s' if many > 1 else ''}" if runner == "ours" else None
            axes.plot(PERCENTILES, heights, style, color=inks[many], marker=".", label=label)
        axes.set(title=name, yscale="log")
        axes.grid(visible=True, which="both", alpha=0.25)
        axes.legend()
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel("percentile")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _percentile_curve(ordered: list[float]) -> tuple[list[float], list[float]]:
    """1 / (1 - quantile) against value, at points evenly spread over the nines."""
    count = len(ordered)
    nines, heights = [], []
    point = 1.0
    while point <= count:
        nines.append(point)
        heights.append(ordered[min(count - 1, int(count * (1 - 1 / point)))])
        point *= 1.08
    return nines, heights
