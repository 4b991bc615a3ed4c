"""The page at `/` in a real browser, in front of the real processes."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.system import browser as chromium
from tests.system.browser import PHONE, Browser
from tests.system.exchange import Exchange
from tests.system.page import Page
from tests.system.scrape import value

ME = 7
OTHER = 8

pytestmark = pytest.mark.skipif(not chromium.AVAILABLE, reason=chromium.MISSING)


@pytest.fixture(autouse=True)
def no_open_orders(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test nothing is left in the shared books."""
    yield
    if "venue" in request.fixturenames:
        for account in (ME, OTHER):
            call_api(request.getfixturevalue("venue"), "DELETE", "/orders", account)


def call_api(venue: Exchange, method: str, path: str, account: int, body: Any = None) -> Any:
    """The answer of the API to a request."""
    request = urllib.request.Request(
        f"{venue.api}/api/v1{path}",
        json.dumps(body).encode() if body is not None else None,
        {"X-Account": str(account), "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def enter(
    venue: Exchange, account: int, side: str, quantity: str, price: str, symbol: str = "BTC-USDT"
) -> Any:
    """Enter a limit order past the page."""
    order = {"symbol": symbol, "order_type": "limit", "side": side,
             "quantity": quantity, "price": price}  # fmt: skip
    return call_api(venue, "POST", "/orders", account, order)


def test_the_page_shows_the_book(venue: Exchange, window: Browser) -> None:
    enter(venue, OTHER, "buy", "0.50000", "49999.00")
    page = Page(window, venue.api, ME).open()
    page.wait_levels([["buy", "49999.00", "0.50000"]])
    enter(venue, OTHER, "buy", "0.25000", "49999.00")
    enter(venue, OTHER, "sell", "1.00000", "50001.50")
    page.wait_levels([["sell", "50001.50", "1.00000"], ["buy", "49999.00", "0.75000"]])
    assert "spread 2.50" in window.text("#ladder")
    assert window.complaints() == []


def test_an_order_appears_fills_and_disappears(venue: Exchange, window: Browser) -> None:
    page = Page(window, venue.api, ME).open()
    filled = len(page.wait_fills(0))
    page.enter("buy", "0.5", "50000")
    (row,) = page.wait_orders(1)
    assert "BTC-USDT ▲ buy limit 50000.00 0.5 0" in row
    page.wait_levels([["buy", "50000.00", "0.50000"]])
    window.wait(
        "the own level is marked",
        "return document.querySelector('.level.buy .own').textContent === '●'",
    )
    enter(venue, OTHER, "sell", "0.2", "50000")
    page.wait_fills(filled + 1)
    window.wait(
        "the row shows the fill",
        "return document.querySelector('#orders tr').cells[5].textContent === '0.2'",
    )
    page.wait_levels([["buy", "50000.00", "0.30000"]])
    enter(venue, OTHER, "sell", "0.3", "50000")
    page.wait_orders(0)
    newest, older = page.wait_fills(filled + 2)
    assert "▲ buy 50000.00 0.3" in newest
    assert "▲ buy 50000.00 0.2" in older
    assert "maker" in newest
    page.wait_levels([])
    trades = window.text("#tape")
    assert trades.index("0.30000") < trades.index("0.20000"), "the newest trade is on top"
    assert "▼" in trades, "a seller took"
    assert window.complaints() == []


def test_an_order_is_cancelled_by_its_button(venue: Exchange, window: Browser) -> None:
    page = Page(window, venue.api, ME).open()
    for count, price in enumerate(("49000", "49001", "49002"), 1):
        page.enter("buy", "0.1", price)
        page.wait_orders(count)
    window.one("#orders tr:nth-child(2) .cancel").click()
    rows = page.wait_orders(2)
    assert "49001.00" not in " ".join(rows)
    window.one("#cancel-all").click()
    page.wait_orders(0)
    page.wait_levels([])


def test_a_refused_order_names_its_field(venue: Exchange, window: Browser) -> None:
    page = Page(window, venue.api, ME).open()
    page.enter("sell", "0.5", "50000.005")
    error = "return document.getElementById(`ticket-${arguments[0]}-error`).textContent"
    assert "multiple of 0.01" in window.wait("the price is refused", error, "price")
    price = window.one("#ticket-price")
    assert price.get_attribute("aria-invalid") == "true"
    assert price.get_attribute("aria-describedby") == "ticket-price-error"
    assert window.run("return document.activeElement.id") == "ticket-price"
    page.enter("sell", "", "50000")
    assert "needs a quantity" in window.wait("the quantity is refused", error, "quantity")
    assert window.run(error, "price") == "", "the corrected field is no longer wrong"
    page.wait_orders(0)


def test_the_ticket_works_by_keyboard_alone(venue: Exchange, window: Browser) -> None:
    page = Page(window, venue.api, ME).open()
    window.one("body").send_keys(Keys.TAB)
    assert window.run("return document.activeElement.className") == "skip"
    window.driver.switch_to.active_element.send_keys(Keys.ENTER)
    tab, down = Keys.TAB, Keys.ARROW_RIGHT
    for keys in (tab, down, tab, tab):
        window.driver.switch_to.active_element.send_keys(keys)
    # Side sell is chosen; type and time are passed; then Bid, Ask, the price and the quantity.
    for keys in (tab, tab, tab, "51000", tab, "0.1" + Keys.ENTER):
        window.driver.switch_to.active_element.send_keys(keys)
    (row,) = page.wait_orders(1)
    assert "▼ sell limit 51000.00 0.1" in row


def test_instrument_and_account_are_switched(venue: Exchange, window: Browser) -> None:
    enter(venue, OTHER, "buy", "1", "3000", "ETH-USDT")
    page = Page(window, venue.api, ME).open()
    page.wait_levels([])
    window.one("#instrument option[value='ETH-USDT']").click()
    page.wait_levels([["buy", "3000.00", "1.0000"]])
    page.wait_orders(0)
    window.type("#account", str(OTHER), enter=True)
    (row,) = page.wait_orders(1)
    assert "ETH-USDT" in row
    window.driver.refresh()
    page.wait_levels([["buy", "3000.00", "1.0000"]])
    page.wait_orders(1)
    assert f"account={OTHER}" in window.driver.current_url


def test_the_page_shows_and_survives_a_restart_of_the_gateway(
    mortal: Exchange, window: Browser
) -> None:
    enter(mortal, ME, "buy", "0.5", "48000")
    page = Page(window, mortal.api, ME).open()
    page.wait_orders(1)
    page.wait_levels([["buy", "48000.00", "0.50000"]])
    mortal.kill("gateway")
    page.wait_state("lost")
    assert "reconnecting" in page.wait_banner("reconnecting")
    page.wait_banner("No answer from the gateway")
    assert window.run("return document.documentElement.classList.contains('stale')")
    page.wait_levels([["buy", "48000.00", "0.50000"]])
    mortal.start("gateway")
    page.wait_state("live")
    page.wait_banner("Live again")
    assert not window.run("return document.documentElement.classList.contains('stale')")
    enter(mortal, OTHER, "sell", "0.1", "48000")
    page.wait_levels([["buy", "48000.00", "0.40000"]])
    page.wait_orders(1)
    mortal.stop("gateway")
    assert "The gateway stops" in page.wait_banner("reconnecting")
    mortal.start("gateway")
    page.wait_state("live")
    page.enter("buy", "0.1", "47000")
    page.wait_orders(2)


def test_the_page_shows_a_silent_matcher_and_greys_its_market(
    mortal: Exchange, window: Browser
) -> None:
    page = Page(window, mortal.api, ME).open()
    mortal.kill("matcher")
    page.wait_state("stale")
    page.wait_banner("the exchange is silent")
    page.wait_banner("The matcher takes no orders")
    assert window.run("return getComputedStyle(document.querySelector('.ladder')).filter") != "none"
    mortal.start("matcher")
    page.wait_state("live", seconds=30.0)
    page.wait_banner("Live again")
    page.enter("buy", "0.1", "47000")
    page.wait_orders(1)


def test_a_page_that_was_left_holds_no_connection(venue: Exchange, window: Browser) -> None:
    def connections() -> float | None:
        return value(venue.api, "crossbook_gateway_websockets")

    page = Page(window, venue.api, ME).open()
    assert connections()
    window.open("about:blank")
    venue.wait_until("the page's streams are closed", lambda: connections() == 0)
    enter(venue, OTHER, "buy", "0.5", "48000")
    window.driver.back()
    page.wait_levels([["buy", "48000.00", "0.50000"]])
    page.wait_state("live")


def test_candles_come_from_the_past_and_live(venue: Exchange, window: Browser) -> None:
    def trade(quantity: str) -> None:
        enter(venue, OTHER, "buy", quantity, "50000")
        enter(venue, ME, "sell", quantity, "50000")

    trade("0.5")
    page = Page(window, venue.api, ME, "&interval=1d").open()
    window.wait("a candle is shown", "return document.getElementById('candle-reading').textContent")
    volume = (
        "return parseFloat(document.getElementById('candle-reading').textContent.split('V')[1])"
    )
    before = window.run(volume)
    trade("0.25")
    window.wait(
        "the candle grows",
        f"{volume.replace('return', 'return Math.abs(')} - {before} - 0.25) < 1e-9",
    )
    assert window.run("return document.querySelectorAll('#candles canvas').length") > 0
    credit = window.text(".credit")
    assert "TradingView" in credit
    page.wait_state("live")


@pytest.mark.parametrize("size", [PHONE, (320, 640), (768, 1024), (1180, 800)])
def test_no_width_scrolls_sideways(venue: Exchange, window: Browser, size: tuple[int, int]) -> None:
    window.resize(size)
    page = Page(window, venue.api, ME).open()
    page.enter("buy", "0.12345", "49999.99")
    page.wait_orders(1)
    wide = window.run("return document.documentElement.scrollWidth")
    assert wide <= size[0]
    script = """return [...document.querySelectorAll("button, input, select")].filter((each) => {
        const { left, right } = each.getBoundingClientRect();
        return left < 0 || right > innerWidth + 0.5;
      }).filter((each) => !each.closest(".scroll")).map((each) => each.outerHTML)"""
    assert window.run(script) == []


def test_every_control_has_a_name(venue: Exchange, window: Browser) -> None:
    page = Page(window, venue.api, ME).open()
    page.enter("buy", "0.1", "49000")
    page.wait_orders(1)
    window.one("#ticket-advanced summary").click()
    window.one("#orders .change").click()
    nodes = window.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {"button", "textbox", "spinbutton", "combobox", "radio", "checkbox", "link", "image",
             "table", "region"}  # fmt: skip
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") in roles
    ]
    assert {role for role, _ in named} == roles
    assert [role for role, name in named if not name.strip()] == []
    live = window.run("return document.querySelectorAll('[role=status], [role=alert]').length")
    assert live >= 4


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_text_stands_out(venue: Exchange, window: Browser, scheme: str) -> None:
    page = Page(window, venue.api, ME).open()
    window.prefer(scheme)
    page.enter("buy", "0.1", "49000")
    page.wait_orders(1)
    pairs = [("text", "panel"), ("muted", "panel"), ("up", "panel"), ("down", "panel"),
             ("accent", "panel"), ("text", "raised"), ("muted", "raised"), ("on-side", "buy"),
             ("on-side", "sell"), ("text", "warn"), ("text", "bad"), ("text", "good")]  # fmt: skip
    ratios = window.run(CONTRAST, pairs)
    weak = {pair: ratio for pair, ratio in zip(map(tuple, pairs), ratios, strict=True)
            if ratio < 4.5}  # fmt: skip
    assert weak == {}, "WCAG AA requires 4.5"


CONTRAST = """
  const style = getComputedStyle(document.documentElement);
  const probe = document.body.appendChild(document.createElement("i"));
  const light = (name) => {
    probe.style.color = style.getPropertyValue(`--${name}`);
    const parts = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  return arguments[0].map(([one, other]) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  });"""
