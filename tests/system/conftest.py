"""A browser, and an exchange with a page, for the tests of the page."""

from collections.abc import Iterator

import pytest

from tests.system.browser import DESKTOP, Browser
from tests.system.exchange import RECORDED, Exchange


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a module."""
    with Browser() as shared:
        yield shared


@pytest.fixture
def window(browser: Browser) -> Browser:
    """A window of the size of a desktop, which has nothing loaded and reported nothing."""
    browser.open("about:blank")
    browser.resize(DESKTOP)
    browser.prefer("dark")
    browser.complaints()
    return browser


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    """All four processes, with a page, for tests that leave no open order behind."""
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams") as shared:
        shared.wait_http()
        yield shared


@pytest.fixture
def mortal() -> Iterator[Exchange]:
    """An exchange like `venue`, for one test that ends processes of it."""
    with Exchange(order=RECORDED, GATEWAY_ROLES="orders,api,streams") as own:
        own.wait_http()
        yield own
