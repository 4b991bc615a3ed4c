"""Cost against size as one PNG: a small panel for each kind of size, both axes logarithmic."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

INK = ("#1f5fa8", "#c2571a", "#3a7d44", "#7d3a6b", "#8a7a1c", "#4a4a4a", "#2a9d9d", "#b03030")
UNITS = {"us": "microseconds", "s": "seconds", "MB": "MB"}


class Curve(Protocol):
    """A curve to draw: `bench.growth.Series`."""

    @property
    def panel(self) -> str:
        """What grows."""

    @property
    def name(self) -> str:
        """The costs."""

    @property
    def unit(self) -> str:
        """In which unit."""

    @property
    def sizes(self) -> list[int]:
        """Where it was measured."""

    @property
    def values(self) -> list[float]:
        """What it was."""


def draw(path: Path, title: str, lines: Sequence[Curve]) -> None:
    """Write the picture, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    panels = list(dict.fromkeys(line.panel for line in lines))
    columns = 4
    rows = -(-len(panels) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(17, 4.2 * rows), layout="constrained", squeeze=False
    )
    figure.suptitle(title, fontsize=10)
    for axes, panel in zip(grid.flat, panels, strict=False):
        units = []
        own = [line for line in lines if line.panel == panel]
        for line, ink in zip(own, INK, strict=False):
            units.append(UNITS[line.unit])
            label = f"{line.name}, {line.unit}" if line.unit == "MB" else line.name
            style = "--" if "," in line.name else "-"
            axes.plot(line.sizes, line.values, style, color=ink, marker="o", ms=3, label=label)
        axes.set(xscale="log", yscale="log", xlabel=panel, ylabel=" or ".join(dict.fromkeys(units)))
        low, high = axes.get_ylim()
        if high < 20 * low:
            # A flat curve must look flat.
            axes.set_ylim(low / 3, high * 3)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize=7)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    figure.savefig(path, dpi=100)
    plt.close(figure)
