"""The page while an instrument is halted, post-only or in a call phase."""

from collections.abc import Iterator

import pytest

from crossbook.client.admin_client import AdminClient
from crossbook.common.messages.commands import SetInstrumentState, Uncross
from crossbook.common.types import InstrumentState
from tests.system import browser as chromium
from tests.system.browser import PHONE, Browser
from tests.system.exchange import Exchange, select_nothing
from tests.system.page import Page
from tests.system.test_page import ME, OTHER, call_api, enter

pytestmark = pytest.mark.skipif(not chromium.AVAILABLE, reason=chromium.MISSING)

BADGE = """const badge = document.getElementById("market-state");
  return !badge.hidden && badge.textContent.includes(arguments[0]) && badge.textContent"""
AUCTION = """const shown = document.getElementById("auction");
  return !shown.hidden && ["price", "quantity", "surplus"].map(
    (name) => document.getElementById(`auction-${name}`).textContent.replaceAll("\\u2009", ""))"""
TAKEN = "return document.getElementById('ticket-state').textContent"
SUBMITS = "return !document.getElementById('ticket-submit').disabled"
COUNT_SOCKETS = """const Plain = window.WebSocket; window.opened = 0;
  window.WebSocket = class extends Plain {
    constructor(...all) { super(...all); window.opened += 1; }
  };"""


class Admin:
    """The administrator of one instrument."""

    def __init__(self, venue: Exchange, instrument: int) -> None:
        self._address = venue.addresses["MATCHER_ADMIN"]
        self._instrument = instrument

    def state(self, state: InstrumentState, until_ns: int = 0) -> None:
        """Set the state of the instrument."""
        with AdminClient(self._address) as admin:
            admin.act(
                SetInstrumentState(
                    gateway=0,
                    request_seq=0,
                    account=0,
                    instrument=self._instrument,
                    state=state,
                    until_ns=until_ns,
                )
            )

    def uncross(self) -> None:
        """End the call phase of the instrument."""
        with AdminClient(self._address) as admin:
            admin.act(Uncross(gateway=0, request_seq=0, account=0, instrument=self._instrument))


@pytest.fixture
def admin(venue: Exchange) -> Iterator[Admin]:
    """The administrator of BTC-USDT, which is open and empty again afterwards."""
    made = Admin(venue, 1)
    yield made
    for account in (ME, OTHER):
        call_api(venue, "DELETE", "/orders", account)
    made.state(InstrumentState.OPEN)


def wait_badge(page: Page, words: str) -> str:
    return str(page.browser.wait(f"the badge shows {words}", BADGE, words))


def wait_auction(page: Page, price: str, quantity: str, surplus: str) -> None:
    found = "return JSON.stringify((() => {" + AUCTION + "})()) === arguments[0]"
    text = f'["{price}","{quantity}","{surplus}"]'
    page.browser.wait(f"the auction gives {text}", found, text)


def test_the_badge_shows_every_state_and_its_end(
    venue: Exchange, window: Browser, admin: Admin
) -> None:
    page = Page(window, venue.api, ME).open()
    assert wait_badge(page, "Open") == "Open"
    assert not window.run("return !document.getElementById('ticket-state').hidden")
    for state, words in (
        (InstrumentState.POST_ONLY, "Post-only"),
        (InstrumentState.CANCEL_ONLY, "Cancel-only"),
    ):
        admin.state(state)
        assert wait_badge(page, words) == words
        assert words in window.run(TAKEN)
    # The year 2100.
    admin.state(InstrumentState.HALTED, 4_102_444_800_000_000_000)
    assert wait_badge(page, "Halted") == "Halted until 2100-01-01 00:00:00 UTC"
    assert not window.run(SUBMITS)
    Page(window, venue.api, ME).open()
    wait_badge(page, "Halted until")
    admin.state(InstrumentState.OPEN)
    wait_badge(page, "Open")
    assert window.run(SUBMITS)
    assert window.complaints() == []


def test_a_call_phase_is_shown_as_an_auction_without_a_reconnect(
    venue: Exchange, window: Browser, admin: Admin
) -> None:
    enter(venue, OTHER, "sell", "1", "50000")
    page = Page(window, venue.api, ME).open()
    page.wait_levels([["sell", "50000.00", "1.00000"]])
    window.run(COUNT_SOCKETS)
    admin.state(InstrumentState.AUCTION)
    wait_badge(page, "Auction")
    wait_auction(page, "none yet", "0 BTC", "none")
    page.enter("buy", "1.5", "50010")
    crossed = [["sell", "50000.00", "1.00000"], ["buy", "50010.00", "1.50000"]]
    page.wait_levels(crossed)
    wait_auction(page, "50010.00", "1 BTC", "▲ buy 0.5 BTC")
    assert "crossed until an auction trades" in window.text("#ladder")
    select_nothing(1.5)
    assert window.run("return window.opened") == 0, "no stream was opened anew"
    page.wait_state("live")
    assert window.run("return document.getElementById('banner').hidden")
    admin.uncross()
    wait_badge(page, "Open")
    page.wait_levels([["buy", "50010.00", "0.50000"]])
    window.wait("the auction is over", "return document.getElementById('auction').hidden")
    assert window.run("return window.opened") == 0
    assert window.complaints() == []


def test_a_page_that_is_opened_in_a_call_phase_shows_it(
    venue: Exchange, window: Browser, admin: Admin
) -> None:
    admin.state(InstrumentState.AUCTION)
    enter(venue, OTHER, "sell", "1", "50000")
    enter(venue, OTHER, "buy", "1", "50010")
    window.resize(PHONE)
    page = Page(window, venue.api, ME).open()
    wait_badge(page, "Auction")
    page.wait_levels([["sell", "50000.00", "1.00000"], ["buy", "50010.00", "1.00000"]])
    wait_auction(page, "50010.00", "1 BTC", "none")
    admin.state(InstrumentState.HALTED)
    wait_badge(page, "Halted")
    page.wait_levels([["sell", "50000.00", "1.00000"], ["buy", "50010.00", "1.00000"]])
    assert window.run("return document.documentElement.scrollWidth") <= PHONE[0]


def test_the_ticket_offers_the_terms_of_a_call_phase_and_changes_no_choice(
    venue: Exchange, window: Browser, admin: Admin
) -> None:
    page = Page(window, venue.api, ME).open()
    page.choose("time_in_force", "ioc")
    assert window.run(SUBMITS)
    admin.state(InstrumentState.AUCTION)
    window.wait("the ticket shows it", f"return (() => {{{TAKEN}}})().startsWith('Auction')")
    chosen = "return document.getElementById('ticket-time').value"
    assert window.run(chosen) == "ioc", "an immediate order does not become one that rests"
    assert not window.run(SUBMITS)
    page.choose("time_in_force", "gtc")
    assert window.run(SUBMITS)
    disabled = """const chosen = `#ticket-form option[value=${arguments[0]}]`;
      return document.querySelector(chosen).disabled"""
    assert [window.run(disabled, name) for name in ("ioc", "fok", "quote_quantity", "market")] == [
        True, True, True, False,
    ]  # fmt: skip
    window.one("#ticket-advanced summary").click()
    window.one("#ticket-post-only").click()
    assert not window.run(SUBMITS)
    window.one("#ticket-post-only").click()
    page.choose("order_type", "market")
    window.type("#ticket-quantity", "0.5")
    window.one("#ticket-submit").click()
    assert "0.5" in page.wait_order("market")


def test_the_ticket_offers_no_market_order_where_only_resting_ones_are_taken(
    venue: Exchange, window: Browser, admin: Admin
) -> None:
    page = Page(window, venue.api, ME).open()
    page.choose("order_type", "market")
    admin.state(InstrumentState.POST_ONLY)
    wait_badge(page, "Post-only")
    window.wait("it is not offered", f"return !(() => {{{SUBMITS}}})()")
    page.choose("order_type", "stop")
    assert window.run(SUBMITS)
