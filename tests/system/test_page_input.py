"""Input that the page must not widen or cut: the account that acts, its instrument, and amounts."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.system import browser as chromium
from tests.system.browser import Browser
from tests.system.exchange import Exchange
from tests.system.page import Page
from tests.system.test_page import ME, OTHER, call_api

pytestmark = pytest.mark.skipif(not chromium.AVAILABLE, reason=chromium.MISSING)

FIELD = "return document.getElementById('account').value"
NOTE = """const note = document.getElementById(`${arguments[0]}-note`);
  return !note.hidden && note.textContent"""
ERROR = "return document.getElementById(`${arguments[0]}-error`).textContent"
SUBMITS = "return !document.getElementById('ticket-submit').disabled"
ANSWER = "return document.getElementById('ticket-answer').textContent"


@pytest.fixture(autouse=True)
def no_open_orders(venue: Exchange) -> Iterator[None]:
    """After each test nothing is left in the shared books."""
    yield
    for account in (1, ME, OTHER):
        call_api(venue, "DELETE", "/orders", account)


def orders_of(venue: Exchange, account: int) -> list[Any]:
    found: list[Any] = call_api(venue, "GET", "/orders?status=open", account)["orders"]
    return found


@pytest.mark.parametrize("entered", ["0", "-3", "99999999999", "2147483648", "1e1", "7.5"])
def test_a_refused_account_leaves_field_and_acting_account_as_one(
    venue: Exchange, window: Browser, entered: str
) -> None:
    page = Page(window, venue.api, ME).open()
    # Typed behind the text in the field; an emptied field has a test of its own.
    window.run("document.getElementById('account').select()")
    window.one("#account").send_keys(entered, "\n")
    note = window.wait("it is refused", NOTE, "account")
    assert entered in note
    assert f"account {ME} still acts" in note
    assert window.run(FIELD) == str(ME)
    page.enter("buy", "0.1", "40000")
    page.wait_orders(1)
    assert len(orders_of(venue, ME)) == 1
    assert f"account={ME}" in window.driver.current_url


def test_with_another_account_or_none_in_the_field_no_account_acts(
    venue: Exchange, window: Browser
) -> None:
    page = Page(window, venue.api, ME).open()
    page.enter("buy", "0.1", "40000")
    page.wait_orders(1)
    window.one("#account").clear()
    assert "No account acts" in window.wait("no account acts", NOTE, "account")
    page.wait_orders(0)
    page.enter("buy", "0.2", "40000")
    window.wait("nothing is sent", f"return (() => {{{ANSWER}}})().includes('NO_ACCOUNT')")
    # Typed and not yet entered: not even the button of a telephone that leaves the focus there.
    window.one("#account").send_keys(str(OTHER))
    window.run("document.getElementById('ticket-form').requestSubmit()")
    window.wait("nothing is sent", f"return (() => {{{ANSWER}}})().includes('NO_ACCOUNT')")
    assert [len(orders_of(venue, account)) for account in (ME, OTHER)] == [1, 0]
    window.one("#account").send_keys("\n")
    page.enter("buy", "0.2", "40000")
    page.wait_orders(1)
    assert [len(orders_of(venue, account)) for account in (ME, OTHER)] == [1, 1]
    assert window.run(NOTE, "account") is False


@pytest.mark.parametrize(
    "query", ["account=0", "account=-3", "account=1e1", "account=", "account=7&account=8",
              "account=99999999999", "account=0x7"],
)  # fmt: skip
def test_an_address_without_a_sound_account_allows_no_orders(
    venue: Exchange, window: Browser, query: str
) -> None:
    window.open(f"{venue.api}/?{query}")
    assert "no account acts" in window.wait("it is refused", NOTE, "account")
    assert window.run(FIELD) == ""
    page = Page(window, venue.api)
    page.wait_state("live")
    page.enter("buy", "0.1", "40000")
    window.wait("nothing is sent", f"return (() => {{{ANSWER}}})().includes('NO_ACCOUNT')")
    assert orders_of(venue, 1) == []


@pytest.mark.parametrize("query", ["symbol=NOPE", "symbol=", "symbol=BTC-USDT&symbol=ETH-USDT",
                                   "symbol=btc-usdt"])  # fmt: skip
def test_an_address_with_an_unknown_instrument_trades_none(
    venue: Exchange, window: Browser, query: str
) -> None:
    window.open(f"{venue.api}/?account={ME}&{query}")
    assert "Choose one" in window.wait("it is shown", NOTE, "instrument")
    assert window.run("return document.getElementById('instrument').value") == ""
    assert not window.run(SUBMITS)
    window.run("document.getElementById('ticket-form').requestSubmit()")
    assert orders_of(venue, ME) == []
    window.one("#instrument option[value='ETH-USDT']").click()
    page = Page(window, venue.api)
    page.wait_state("live")
    page.enter("buy", "0.1", "3000")
    (row,) = page.wait_orders(1)
    assert "ETH-USDT" in row
    assert window.run(NOTE, "instrument") is False
    assert window.complaints() == []


TAKEN = {
    "61\u2009000.50": "61000.50",
    "61\u00a0000.50": "61000.50",
    "61\u202f000.50": "61000.50",
    "61 000.50": "61000.50",
    "1\u2009234\u2009567": "1234567",
    "1,000.5": "1000.5",
    "1,000,000": "1000000",
    "12,345,678.9": "12345678.9",
    "▲ 61\u2009000.50": "61000.50",
    "  7.25\n": "7.25",
    "0.1": "0.1",
    "": "",
}
REFUSED = {
    "1,000": "may mean 1000 or 1.000",
    "123,456": "may mean 123456 or 123.456",
    "1,5": "as in 1.5",
    "0,5": "as in 0.5",
    "0,001": "as in 0.001",
    "1.000,5": "not a number",
    "1.000.000": "not a number",
    "12,34.5": "not a number",
    "1 000,5": "not a number",
    "6 1": "not a number",
    "0 500": "not a number",
    "1e5": "not a number",
    "-1": "not a number",
    "+1": "not a number",
    "0x10": "not a number",
    "\uff11": "not a number",
    "NaN": "not a number",
    "1" * 41: "at most 40",
}


def test_amounts_are_read_in_the_form_of_the_page_and_never_guessed(
    venue: Exchange, window: Browser
) -> None:
    Page(window, venue.api, ME).open()
    script = """const found = given[0].map((text) => {
        try { return it.decimalOf(text); } catch (fault) { return `!${fault.message}`; }
      }); done(found);"""
    page = Page(window, venue.api)
    assert page.import_("amount.js", script, list(TAKEN)) == list(TAKEN.values())
    for text, entered in zip(
        REFUSED, page.import_("amount.js", script, list(REFUSED)), strict=True
    ):
        assert entered.startswith("!"), text
        assert REFUSED[text] in entered, text


def test_every_amount_of_the_ticket_and_of_an_amend_accepts_the_forms_the_page_shows(
    venue: Exchange, window: Browser
) -> None:
    page = Page(window, venue.api, ME).open()
    page.choose("order_type", "stop_limit")
    window.one("#ticket-advanced summary").click()
    for field, text in (("trigger", "61\u2009000.50"), ("price", "61,000.5"),
                        ("quantity", "1,000.5"), ("display", "100.05")):  # fmt: skip
        window.type(f"#ticket-{field}", text)
    window.one("#ticket-submit").click()
    page.wait_orders(1)
    (order,) = orders_of(venue, ME)
    assert (order["stop_price"], order["price"]) == ("61000.50", "61000.50")
    assert (order["quantity"], order["display_quantity"]) == ("1000.50000", "100.05000")
    window.one("#orders .change").click()
    window.type("#amend-quantity", "1,000")
    window.one("#orders .amend [type=submit]").click()
    assert "may mean" in window.wait("it is refused", ERROR, "amend-quantity")
    window.type("#amend-quantity", "1\u2009000.25", enter=True)
    window.wait("it is amended", "return !document.querySelector('#orders .amend')")
    (order,) = orders_of(venue, ME)
    assert order["quantity"] == "1000.25000"


def test_an_ambiguous_amount_is_refused_at_its_field(venue: Exchange, window: Browser) -> None:
    page = Page(window, venue.api, ME).open()
    page.enter("buy", "1,000", "40000")
    assert "may mean 1000 or 1.000" in window.wait("it is refused", ERROR, "ticket-quantity")
    assert window.run("return document.activeElement.id") == "ticket-quantity"
    assert window.run("return document.getElementById('ticket-quantity').value") == "1,000"
    page.choose("order_type", "market")
    page.choose("measure", "quote_quantity")
    window.type("#ticket-amount", "1,5", enter=True)
    assert "as in 1.5" in window.wait("it is refused", ERROR, "ticket-amount")
    assert orders_of(venue, ME) == []


def test_a_name_that_is_too_long_is_refused_and_not_cut(venue: Exchange, window: Browser) -> None:
    page = Page(window, venue.api, ME).open()
    window.one("#ticket-advanced summary").click()
    window.type("#ticket-name", "x" * 37)
    page.enter("buy", "0.1", "40000")
    assert window.wait("it is refused", ERROR, "ticket-name")
    assert orders_of(venue, ME) == []
