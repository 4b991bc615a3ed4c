"""The page of an exchange with faults on request: a banner, and what a fault does to a trader."""

from collections.abc import Iterator

import pytest

from crossbook.client.faults import Faults
from tests.system import browser as chromium
from tests.system.browser import Browser
from tests.system.exchange import Exchange
from tests.system.page import Page

pytestmark = pytest.mark.skipif(not chromium.AVAILABLE, reason=chromium.MISSING)

NOTE = """const note = document.getElementById("faults-note");
  return !note.hidden && note.textContent.includes(arguments[0]) && note.textContent"""
MESSAGE = "return document.body.innerText.includes(arguments[0])"
AFTER_A_LOOK = """fetch("/ready").then((answer) => answer.json()).then(({ faults }) =>
  done([faults === undefined, document.getElementById("faults-note").hidden]))"""


@pytest.fixture(name="broken", scope="module")
def fixture_broken() -> Iterator[Exchange]:
    with Exchange(GATEWAY_ROLES="orders,api,streams", FAULTS="on") as exchange:
        exchange.wait_http()
        yield exchange


def test_a_banner_counts_rules_and_faults(broken: Exchange) -> None:
    faults = Faults(broken.api)
    faults.refuse(code="BUSY", account=7, method="POST", message="busy on request")
    with Browser() as browser:
        page = Page(browser, broken.api, 7).open()
        browser.wait("the banner is there", NOTE, "1 rule is in force, 0 applied")
        page.enter("buy", "0.1", "50000")
        browser.wait("the refusal is shown", MESSAGE, "busy on request")
        browser.wait("the banner counts it", NOTE, "1 applied so far", seconds=20.0)
        assert faults.clear() == 1
        browser.one("#ticket-submit").click()
        page.wait_orders(1)
        browser.wait("the banner stays", NOTE, "0 rules are in force", seconds=20.0)


def test_without_faults_there_is_no_banner() -> None:
    with Exchange(GATEWAY_ROLES="orders,api,streams") as exchange:
        exchange.wait_http()
        with Browser() as browser:
            Page(browser, exchange.api, 7).open()
            assert browser.run_async(AFTER_A_LOOK) == [True, True]
