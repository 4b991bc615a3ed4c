"""Makes the picture at the top of the README: the page in front of a simulated market.

python -m tests.system.picture [path] [seconds of trading before]
"""

import subprocess
import sys
from pathlib import Path

from tests.system.browser import DESKTOP, Browser
from tests.system.exchange import RECORDED, REPOSITORY, Exchange, select_nothing
from tests.system.page import Page

ACCOUNT = 7
BYTES_MOST = 300_000
SMALL = "0.002"


def save(path: Path, seconds: float) -> None:
    """Let a market trade for some seconds, trade in it, and save the view."""
    roles = "orders,api,streams"
    with Exchange(order=RECORDED, GATEWAY_ROLES=roles, ACCOUNTS="on") as exchange:
        exchange.wait_http()
        simulator = subprocess.Popen(
            [sys.executable, "-m", "crossbook", "simulate", "--seed", "1",
             "--gateway", exchange.orders],
            cwd=exchange.directory,
            env=exchange.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            with Browser() as browser:
                browser.resize(DESKTOP)
                page = Page(browser, exchange.api, ACCOUNT).open()
                select_nothing(seconds)
                _trade(page)
                select_nothing(2.0)
                browser.screenshot(path)
        finally:
            simulator.terminate()
            simulator.wait(20)


def _trade(page: Page) -> None:
    """Some fills, a stop that waits, and orders that rest: near the market, and away from it."""
    browser = page.browser
    for side, other in (("buy", "ask"), ("sell", "bid"), ("buy", "ask")):
        browser.one(f"[data-price={other}]").click()
        page.enter(side, SMALL, browser.run("return document.getElementById('ticket-price').value"))
        select_nothing(0.7)
    page.choose("order_type", "stop")
    browser.type("#ticket-trigger", "64000")
    browser.one("#ticket-form label.sell").click()
    browser.one("#ticket-submit").click()
    select_nothing(0.3)
    page.choose("order_type", "limit")
    for side, places in (("buy", (9, 6)), ("sell", (10, 7))):
        prices = [price for each, price, _ in page.levels() if each == side]
        for place in places:
            price = prices[place] if side == "buy" else prices[-1 - place]
            page.enter(side, "0.015", price)
            select_nothing(0.3)
    browser.one("[data-price=ask]").click()


def main() -> None:
    """Make the picture."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs" / "page.png"
    save(path, float(sys.argv[2]) if len(sys.argv) > 2 else 75.0)
    size = path.stat().st_size
    print(f"{path}: {size:,} bytes")
    if size > BYTES_MOST:
        sys.exit(f"too large for the README: at most {BYTES_MOST:,} bytes")


if __name__ == "__main__":
    main()
