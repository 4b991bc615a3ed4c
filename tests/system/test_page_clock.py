"""The page of an exchange with a manual clock: where the time stands, and an hour from then."""

from collections.abc import Iterator

import pytest

from crossbook.client.exchange_clock import ExchangeClock
from tests.system import browser as chromium
from tests.system.browser import Browser
from tests.system.exchange import RECORDED, Exchange
from tests.system.page import Page

pytestmark = pytest.mark.skipif(not chromium.AVAILABLE, reason=chromium.MISSING)

NOTE = """const note = document.getElementById("clock-note");
  return !note.hidden && note.textContent.includes(arguments[0]) && note.textContent"""
EXPIRY = """return document.getElementById("ticket-expiry").value"""
AFTER_A_LOOK = """fetch("/api/v1/time").then((answer) => answer.json()).then(({ clock }) =>
  done([clock, document.getElementById("clock-note").hidden]))"""


@pytest.fixture(name="timed", scope="module")
def fixture_timed() -> Iterator[Exchange]:
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams", CLOCK="manual") as exchange:
        exchange.wait_http()
        yield exchange


def test_a_banner_shows_where_the_time_stands_and_an_expiry_is_an_hour_later(
    timed: Exchange,
) -> None:
    with (
        Browser() as browser,
        ExchangeClock([timed.addresses["MATCHER_ADMIN"]], [timed.api]) as clock,
    ):
        page = Page(browser, timed.api, 7).open()
        browser.wait("the time stands", NOTE, "stands at 2030-01-01 00:00:00 UTC")
        clock.advance("1d12h")
        browser.wait("the time has moved", NOTE, "stands at 2030-01-02 12:00:00 UTC")
        page.choose("time_in_force", "gtd")
        assert browser.run(EXPIRY) == "2030-01-02T13:00"


def test_with_the_clock_of_the_machine_there_is_no_banner() -> None:
    with Exchange(GATEWAY_ROLES="orders,api,streams") as exchange:
        exchange.wait_http()
        with Browser() as browser:
            Page(browser, exchange.api, 7).open()
            assert browser.run_async(AFTER_A_LOOK) == ["system", True]
