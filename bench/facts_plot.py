"""Stylised facts as one PNG: eight panels, the simulated and the recorded market in each."""

from collections.abc import Mapping, Sequence
from math import exp, pi, sqrt
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.stylised import autocorrelation, deviation, log_returns, mean, survival
from bench.tape import DEPTH_BPS, Tape

INK = ("#1f5fa8", "#c2571a", "#3a7d44")
LAGS_MOST = 40


def draw(path: Path, title: str, tapes: Mapping[str, Tape]) -> None:
    """Write the picture, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure, grid = plt.subplots(2, 4, figsize=(18, 8.4), layout="constrained")
    figure.suptitle(title)
    panels: list[Axes] = list(grid.flat)
    for (name, tape), ink in zip(tapes.items(), INK, strict=False):
        _series(panels, name, tape, ink)
    _label(panels)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _series(panels: Sequence[Axes], name: str, tape: Tape, ink: str) -> None:
    path, spread, depth, lives, sizes, tails, clusters, signs = panels
    returns = log_returns(tape.middles, 1)
    scale = deviation(returns) or 1.0
    count = len(tape.middles)
    hours = [tape.sample_ns * place / 1e9 / 60 for place in range(count)]
    label = f"{name}, {hours[-1]:,.0f} min" if hours else name
    path.plot(
        [minute / hours[-1] for minute in hours],
        [10_000 * (middle / tape.middles[0] - 1) for middle in tape.middles],
        color=ink, lw=1, label=label,
    )  # fmt: skip
    _tail(spread, tape.spreads_bps, ink)
    total = [mean(column) for column in zip(*tape.depth, strict=True)]
    reached, running = [], 0.0
    for lots in total:
        running += lots
        reached.append(running)
    depth.plot(
        range(1, DEPTH_BPS + 1), [lots / (running or 1) for lots in reached], color=ink, lw=1.5
    )
    _tail(lives, [max(0.05, life) for life in tape.lifetimes_s], ink)
    average = mean(tape.trade_lots) or 1.0
    _tail(sizes, [lots / average for lots in tape.trade_lots], ink)
    _tail(tails, [abs(each) / scale for each in returns if each], ink)
    lags = range(1, LAGS_MOST + 1)
    noise = 2 / max(1, len(returns)) ** 0.5
    sizes_of_returns = [abs(each) for each in returns]
    clusters.plot(lags, [autocorrelation(sizes_of_returns, lag) for lag in lags], color=ink, lw=1.5)
    clusters.axhline(noise, color=ink, lw=0.7, ls=":")
    signs.plot(lags, [autocorrelation(tape.trade_signs, lag) for lag in lags], color=ink, lw=1.5)


def _tail(axes: Axes, values: Sequence[float], ink: str) -> None:
    axes.plot(*survival(values), color=ink, lw=1.5)
    axes.set_xscale("log")
    axes.set_yscale("log")


def _label(panels: Sequence[Axes]) -> None:
    path, spread, depth, lives, sizes, tails, clusters, signs = panels
    points = [0.05 * step for step in range(1, 90)]
    tails.plot(points, [_normal_tail(point) for point in points], color="#888888", lw=1, ls="--")
    path.set(title="middle price", xlabel="share of the time", ylabel="basis points since start")
    spread.set(title="spread", xlabel="basis points", ylabel="share of samples above")
    depth.set(title="depth profile", xlabel="basis points from middle", ylabel="share of 100 bp")
    lives.set(title="lifetimes of canceled orders", xlabel="seconds", ylabel="share above")
    sizes.set(title="trade sizes", xlabel="multiples of the mean", ylabel="share above")
    tails.set(
        title="returns (dashed: normal)", xlabel="|return| / deviation", ylabel="share above",
        ylim=(5e-4, 1.2), xlim=(0.05, 20),
    )  # fmt: skip
    clusters.set(title="volatility clustering", xlabel="lag", ylabel="autocorrelation of |return|")
    signs.set(title="order splitting", xlabel="lag", ylabel="autocorrelation of trade signs")
    path.legend(fontsize=8)
    for axes in panels:
        axes.grid(visible=True, alpha=0.3)


def _normal_tail(point: float) -> float:
    """Share of a normal distribution beyond `point` deviations either way, by Simpson's rule."""
    steps = 200
    width = point / steps
    weights = [1] + [4 if step % 2 else 2 for step in range(1, steps)] + [1]
    inside = sum(weight * exp(-((step * width) ** 2) / 2) for step, weight in enumerate(weights))
    return max(1e-9, 1 - 2 * inside * width / 3 / sqrt(2 * pi))
