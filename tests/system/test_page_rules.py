"""The market's rules through the page: every type of order, money, and amends."""

from collections.abc import Iterator

import pytest

from tests.system import browser as chromium
from tests.system.browser import PHONE, Browser
from tests.system.exchange import RECORDED, Exchange
from tests.system.page import Page
from tests.system.test_page import ME, OTHER, call_api, enter

THIRD = 9

AVAILABLE = """
  const shown = document.querySelector("#ticket-available .number").textContent;
  return shown.replaceAll("\\u2009", "")"""

ERROR = "return document.getElementById(`${arguments[0]}-error`).textContent"

ANSWER = "return document.getElementById('ticket-answer').textContent"

SIDEWAYS = """return [...document.querySelectorAll("button, input, select")].filter((each) => {
    const { left, right } = each.getBoundingClientRect();
    return left < 0 || right > innerWidth + 0.5;
  }).map((each) => each.outerHTML)"""

pytestmark = pytest.mark.skipif(not chromium.AVAILABLE, reason=chromium.MISSING)


@pytest.fixture(scope="module")
def bank() -> Iterator[Exchange]:
    """An exchange with a page that keeps accounts."""
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams", ACCOUNTS="on") as shared:
        shared.wait_http()
        yield shared


@pytest.fixture
def page(bank: Exchange, window: Browser) -> Iterator[Page]:
    """The page of an account with its money shown; afterwards no order of it is left."""
    order = enter(bank, ME, "buy", "0.1", "1000")
    call_api(bank, "DELETE", f"/orders/{order['order_id']}", ME)
    yield Page(window, bank.api, ME).open()
    for account in (ME, OTHER, THIRD):
        call_api(bank, "DELETE", "/orders", account)


def trade(bank: Exchange, price: str) -> None:
    """Let two other accounts trade at a price."""
    enter(bank, OTHER, "sell", "0.1", price)
    enter(bank, THIRD, "buy", "0.1", price)


def fills(bank: Exchange) -> int:
    """The number of fills of the account. The page shows them once it has the history."""
    return len(call_api(bank, "GET", "/fills", ME)["fills"])


@pytest.mark.parametrize(
    ("kind", "trigger", "waits"),
    [("stop", "51000", "stop waits for 51000.00 market"),
     ("stop_limit", "51001", "stop limit waits for 51001.00 60000.00")],
)  # fmt: skip
def test_a_stop_waits_until_others_trade_at_its_trigger(
    bank: Exchange, page: Page, kind: str, trigger: str, waits: str
) -> None:
    trade(bank, "50000")
    filled = fills(bank)
    enter(bank, OTHER, "sell", "0.2", "52000")
    page.choose("order_type", kind)
    page.browser.type("#ticket-trigger", trigger)
    if kind == "stop_limit":
        page.browser.type("#ticket-price", "60000")
    page.browser.type("#ticket-quantity", "0.2")
    page.browser.one("#ticket-submit").click()
    (row,) = page.wait_orders(1)
    assert f"▲ buy {waits} 0.2 0" in row
    page.browser.driver.refresh()
    page.wait_orders(1)
    page.wait_order(waits)
    trade(bank, trigger)
    page.wait_orders(0)
    assert "▲ buy 52000.00 0.2" in page.wait_fills(filled + 1)[0]
    assert page.browser.complaints() == []


def test_a_triggered_order_that_rests_is_no_longer_shown_as_waiting(
    bank: Exchange, page: Page
) -> None:
    trade(bank, "50000")
    call_api(bank, "POST", "/orders", ME, {
        "symbol": "BTC-USDT", "side": "sell", "order_type": "take_profit_limit",
        "stop_price": "50500", "price": "59000", "quantity": "0.2",
    })  # fmt: skip
    (row,) = page.wait_orders(1)
    assert "▼ sell take profit limit waits for 50500.00 59000.00 0.2 0" in row
    trade(bank, "50500")
    page.browser.wait(
        "it is shown as triggered",
        "return document.querySelector('#orders').textContent.includes('triggered at')",
    )
    page.wait_levels([["sell", "59000.00", "0.20000"]])


def test_a_post_only_order_that_would_take_is_refused(bank: Exchange, page: Page) -> None:
    enter(bank, OTHER, "sell", "0.5", "50000")
    page.browser.one("#ticket-advanced summary").click()
    page.browser.one("#ticket-post-only").click()
    assert page.browser.text("#ticket-extras") == "post-only"
    page.enter("buy", "0.1", "50000")
    assert page.browser.wait("it is refused", ERROR, "ticket-price") == "it would trade at once"
    assert "POST_ONLY_WOULD_TAKE" in page.browser.run(ANSWER)
    page.wait_orders(0)
    page.enter("buy", "0.1", "49999")
    page.wait_orders(1)


def test_a_fault_in_a_folded_field_is_unfolded(page: Page) -> None:
    page.browser.one("#ticket-advanced summary").click()
    page.browser.type("#ticket-display", "5")
    page.browser.one("#ticket-advanced summary").click()
    assert page.browser.text("#ticket-extras") == "iceberg"
    page.browser.type("#ticket-quantity", "0.1")
    page.enter("buy", "0.1", "49000")
    assert page.browser.wait("it is refused", ERROR, "ticket-display")
    assert page.browser.run("return document.activeElement.id") == "ticket-display"
    page.browser.type("#ticket-display", "0.04")
    page.browser.one("#ticket-submit").click()
    page.wait_levels([["buy", "49000.00", "0.04000"]])
    page.wait_orders(1)


def test_an_order_until_a_time_needs_one_ahead(bank: Exchange, page: Page) -> None:
    page.choose("time_in_force", "gtd")
    page.enter("buy", "0.1", "49000")
    page.wait_orders(1)
    (order,) = call_api(bank, "GET", "/orders?status=open", ME)["orders"]
    assert order["time_in_force"] == "gtd"
    page.browser.run("document.getElementById('ticket-expiry').value = '2020-01-01T00:00'")
    page.browser.one("#ticket-submit").click()
    assert page.browser.wait("the time is refused", ERROR, "ticket-expiry")


def test_a_market_order_spends_an_amount(bank: Exchange, page: Page) -> None:
    enter(bank, OTHER, "sell", "1", "50000")
    filled = fills(bank)
    page.choose("order_type", "market")
    page.choose("measure", "quote_quantity")
    page.browser.type("#ticket-amount", "25000")
    page.browser.one("#ticket-submit").click()
    assert "▲ buy 50000.00 0.5" in page.wait_fills(filled + 1)[0]
    page.browser.wait("it is filled", "return document.getElementById('ticket-answer')"
                      ".textContent.includes('filled, 0.50000 at 50\\u2009000.00')")  # fmt: skip


def test_an_order_is_amended_in_its_row(page: Page) -> None:
    page.enter("buy", "0.5", "49000")
    page.wait_orders(1)
    page.browser.one("#orders .change").click()
    assert page.browser.run("return document.activeElement.id") == "amend-price"
    page.browser.type("#amend-price", "49000.001", enter=True)
    assert "multiple of 0.01" in page.browser.wait("it is refused", ERROR, "amend-price")
    page.browser.type("#amend-price", "48000")
    page.browser.type("#amend-quantity", "0.3", enter=True)
    page.wait_levels([["buy", "48000.00", "0.30000"]])
    page.browser.wait("the form is gone", "return !document.querySelector('#orders .amend')")
    page.wait_order("▲ buy limit 48000.00 0.3 0")
    assert page.browser.run("return document.activeElement.className") == "change"
    page.browser.one("#orders .change").click()
    page.browser.one("#orders .cancel").click()
    page.wait_orders(0)
    page.browser.wait("the form left too", "return !document.querySelector('#orders .amend')")


def test_the_trigger_of_a_waiting_order_is_changed(bank: Exchange, page: Page) -> None:
    trade(bank, "50000")
    stop = {"symbol": "BTC-USDT", "side": "buy", "order_type": "stop",
            "stop_price": "51000", "quantity": "0.2"}  # fmt: skip
    call_api(bank, "POST", "/orders", ME, stop)
    page.wait_orders(1)
    page.browser.one("#orders .change").click()
    page.browser.type("#amend-stop_price", "49000", enter=True)
    assert page.browser.wait("it is met already", ERROR, "amend-stop_price")
    page.browser.type("#amend-stop_price", "51500", enter=True)
    page.browser.wait("the form is gone", "return !document.querySelector('#orders .amend')")
    page.wait_order("stop waits for 51500.00 market 0.2 0")


def test_money_held_by_an_order_is_not_available(page: Page) -> None:
    def money() -> float:
        amount, asset = page.browser.wait("the money is shown", AVAILABLE).split()
        assert asset == "USDT"
        return float(amount)

    before = money()
    page.enter("buy", "0.5", "40000")
    page.wait_orders(1)
    page.browser.wait(
        "it has fallen", f"{AVAILABLE.replace('return', 'return parseFloat(')}) === arguments[0]",
        before - 20_000,
    )  # fmt: skip
    page.browser.one("#ticket-form label.sell").click()
    assert page.browser.wait("the other asset is shown", AVAILABLE).endswith(" BTC")
    page.enter("buy", "9000", "40000")
    assert "too little" in page.browser.wait("it is refused", ERROR, "ticket-quantity")


def test_without_accounts_no_money_is_shown(venue: Exchange, window: Browser) -> None:
    page = Page(window, venue.api, ME).open()
    page.enter("buy", "0.1", "40000")
    page.wait_orders(1)
    assert call_api(venue, "GET", "/account", ME)["balances"] == []
    assert window.run(AVAILABLE) == ""
    assert "Available" not in window.text("#ticket")
    call_api(venue, "DELETE", "/orders", ME)


@pytest.mark.parametrize("size", [PHONE, (320, 640)])
def test_every_field_fits_a_phone(page: Page, size: tuple[int, int]) -> None:
    page.browser.resize(size)
    page.browser.one("#ticket-advanced summary").click()
    for kind in ("limit", "market", "stop", "stop_limit"):
        page.choose("order_type", kind)
        if kind != "market":
            page.choose("time_in_force", "gtd")
        wide = page.browser.run("return document.documentElement.scrollWidth")
        assert wide <= size[0], kind
        assert page.browser.run(SIDEWAYS) == [], kind
