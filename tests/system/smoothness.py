"""How smooth the page stays while a market trades: frames, long tasks, and its contents.

python -m tests.system.smoothness [seconds] [orders per second]
"""

import sys
from typing import Any

from msgspec import Struct

from tests.system.browser import Browser
from tests.system.exchange import RECORDED, Exchange, select_nothing
from tests.system.page import Page
from tests.system.steady_load import SteadyLoad

WATCH = """
  const seen = window.seen = {frames: [], longTasks: [], crossed: 0, drawn: 0};
  new PerformanceObserver((list) => seen.longTasks.push(...list.getEntries()
    .map((entry) => entry.duration))).observe({type: "longtask"});
  const price = (selector) => {
    const row = [...document.querySelectorAll(selector)].find((each) => each.shown.price);
    return row ? Number(row.shown.price) : null;
  };
  let before = performance.now();
  let shown = "";
  const look = (now) => {
    seen.frames.push(now - before);
    before = now;
    const ask = [...document.querySelectorAll("#ladder .sell.level")].reverse()
      .find((row) => row.shown.price);
    const bid = price("#ladder .buy.level");
    if (ask && bid !== null && Number(ask.shown.price) <= bid) seen.crossed += 1;
    const text = document.getElementById("ladder-seq").textContent;
    if (text !== shown) seen.drawn += 1;
    shown = text;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);"""


class Smoothness(Struct):
    """The observations of some seconds; times in milliseconds."""

    seconds: float
    orders_per_s: float
    frames_per_s: float
    frame_p99_ms: float
    frame_longest_ms: float
    long_tasks: int
    long_task_longest_ms: float
    busy_percent: float
    books_drawn_per_s: float
    crossed: int

    def __str__(self) -> str:
        return (
            f"{self.seconds:.0f} s at {self.orders_per_s:,.0f} orders/s: "
            f"{self.frames_per_s:.0f} frames/s (p99 {self.frame_p99_ms:.0f} ms, "
            f"longest {self.frame_longest_ms:.0f} ms), {self.long_tasks} tasks over 50 ms "
            f"(longest {self.long_task_longest_ms:.0f} ms), scripts and layout "
            f"{self.busy_percent:.0f} % of the time, {self.books_drawn_per_s:.0f} books drawn/s, "
            f"{self.crossed} of them crossed"
        )


def measure(browser: Browser, exchange: Exchange, seconds: float, rate: int) -> Smoothness:
    """Watch the page of `exchange` for some seconds while it is sent orders at a steady rate."""
    page = Page(browser, exchange.api).open()
    with SteadyLoad(exchange.orders, rate) as load:
        rows = "return document.querySelectorAll('#tape .trade').length >= 20"
        browser.wait("the market trades", rows)
        before, sent = _counters(browser), load.sent
        browser.run(WATCH)
        select_nothing(seconds)
        seen: dict[str, Any] = browser.run("return window.seen")
        after, sent = _counters(browser), load.sent - sent
        page.wait_state("live")
    frames = sorted(seen["frames"][1:])
    passed = after["Timestamp"] - before["Timestamp"]
    return Smoothness(
        seconds=passed,
        orders_per_s=sent / passed,
        frames_per_s=len(frames) / passed,
        frame_p99_ms=frames[len(frames) * 99 // 100],
        frame_longest_ms=frames[-1],
        long_tasks=len(seen["longTasks"]),
        long_task_longest_ms=max(seen["longTasks"], default=0.0),
        busy_percent=100 * (after["TaskDuration"] - before["TaskDuration"]) / passed,
        books_drawn_per_s=seen["drawn"] / passed,
        crossed=seen["crossed"],
    )


def _counters(browser: Browser) -> dict[str, float]:
    browser.driver.execute_cdp_cmd("Performance.enable", {})
    metrics = browser.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return {metric["name"]: metric["value"] for metric in metrics}


def main() -> None:
    """Print the result of one run."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    rate = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams") as exchange:
        exchange.wait_http()
        with Browser() as browser:
            print(measure(browser, exchange, seconds, rate))


if __name__ == "__main__":
    main()
