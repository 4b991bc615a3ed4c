"""A real Chromium without a window, for tests of the page.

    with Browser() as browser:
        browser.open(f"{exchange.api}/")
        browser.wait("the book is shown", "return document.querySelector('.level') !== null")

Debian's packages chromium and chromium-driver; where they are missing, `AVAILABLE` is false.
"""

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.system.exchange import select_nothing

CHROMIUM = shutil.which("chromium") or ""
DRIVER = shutil.which("chromedriver") or ""
AVAILABLE = bool(CHROMIUM and DRIVER)
MISSING = "Debian's packages chromium and chromium-driver are not installed"

WAIT_SECONDS = 20.0
DESKTOP = (1440, 900)
PHONE = (390, 844)

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


class Browser:
    """One window of its own profile; `close` ends the browser and removes the profile."""

    def __init__(self, size: tuple[int, int] = DESKTOP, *, scheme: str = "dark") -> None:
        self._profile = tempfile.TemporaryDirectory(
            prefix="crossbook-chromium-", ignore_cleanup_errors=True
        )
        options = Options()
        options.binary_location = CHROMIUM
        for flag in FLAGS:
            options.add_argument(flag)
        options.add_argument(f"--user-data-dir={self._profile.name}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        environment = {**os.environ, "HOME": self._profile.name, "SE_OFFLINE": "true"}
        self.driver = webdriver.Chrome(options, Service(DRIVER, env=environment))
        self.resize(size)
        self.prefer(scheme)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser."""
        with contextlib.suppress(WebDriverException):
            self.driver.quit()
        self._profile.cleanup()

    def resize(self, size: tuple[int, int], *, scale: float = 1.0) -> None:
        """Set the size of the page in CSS pixels, also below the minimum of a window."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale,
                   "mobile": width < 700}  # fmt: skip
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """Prefer `dark` or `light`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, address: str) -> None:
        """Load a page."""
        self.driver.get(address)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script returns."""
        return self.driver.execute_script(script, *arguments)

    def run_async(self, script: str, *arguments: Any) -> Any:
        """The value that a script passes to `done`."""
        self.driver.set_script_timeout(WAIT_SECONDS)
        body = f"const done = arguments[arguments.length - 1]; {script}"
        return self.driver.execute_async_script(body, *arguments)

    def wait(self, goal: str, script: str, *arguments: Any, seconds: float = WAIT_SECONDS) -> Any:
        """Poll a script until it returns a true value; fails naming `goal`."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.run(script, *arguments)
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"{goal}: not in {seconds} s\n{self.text('body')}")
            select_nothing(0.02)

    def one(self, selector: str) -> WebElement:
        """The element of a CSS selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """The shown text of an element."""
        return self.one(selector).text

    def type(self, selector: str, text: str, *, enter: bool = False) -> None:
        """Replace the text of a field by typing."""
        field = self.one(selector)
        field.clear()
        field.send_keys(text, *([Keys.ENTER] if enter else []))

    def complaints(self) -> list[str]:
        """The reports of the browser since the last call: faults of scripts, breaches of the page's
        own policy, missing files."""
        entries: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def screenshot(self, path: Path) -> None:
        """Save the view as PNG."""
        path.write_bytes(self.driver.get_screenshot_as_png())
