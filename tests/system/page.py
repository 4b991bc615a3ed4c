"""The page as a user operates it: acts, and shown values. Tests, measurements and the picture in
the README use it."""

from typing import Any

from tests.system.browser import Browser

SHOWN_LEVELS = """
  return [...document.querySelectorAll("#ladder .level")]
    .map((row) => [row.classList.contains("buy") ? "buy" : "sell",
                   row.price.textContent.replaceAll("\\u2009", ""), row.quantity.textContent])
    .filter(([, price]) => price)"""

ROWS = """
  return [...document.querySelectorAll(`#${arguments[0]} tr:not(.amend)`)].map((row) =>
    [...row.cells].map((cell) => cell.textContent.replaceAll("\\u2009", "").trim()).join(" "))"""


class Page:
    """The page of one gateway in one browser, for one account."""

    def __init__(self, browser: Browser, api: str, account: int = 1, query: str = "") -> None:
        self.browser = browser
        self.address = f"{api}/?account={account}{query}"

    def open(self) -> "Page":
        """Load the page and wait until it is live."""
        self.browser.open(self.address)
        self.wait_state("live")
        return self

    def wait_state(self, state: str, seconds: float = 20.0) -> None:
        """Return once the connection is in this state."""
        script = "return document.getElementById('connection').dataset.state === arguments[0]"
        self.browser.wait(f"the page is {state}", script, state, seconds=seconds)

    def levels(self) -> list[list[str]]:
        """The levels of the ladder from the top: side, price, quantity."""
        found: list[list[str]] = self.browser.run(SHOWN_LEVELS)
        return found

    def wait_levels(self, expected: list[list[str]]) -> None:
        """Return once the ladder shows exactly these levels."""
        script = f"const shown = (() => {{{SHOWN_LEVELS}}})();" \
            "return JSON.stringify(shown) === arguments[0]"  # fmt: skip
        text = str(expected).replace("'", '"').replace(", ", ",")
        self.browser.wait(f"the ladder shows {expected}", script, text)

    def enter(self, side: str, quantity: str, price: str) -> None:
        """Fill in the ticket and press its button."""
        self.browser.one(f"#ticket-form label.{side}").click()
        self.browser.type("#ticket-price", price)
        self.browser.type("#ticket-quantity", quantity)
        self.browser.one("#ticket-submit").click()

    def choose(self, name: str, value: str) -> None:
        """Choose an option in a select of the ticket."""
        self.browser.one(f"#ticket-form [name={name}] option[value={value}]").click()

    def wait_orders(self, count: int) -> list[str]:
        """Return once so many open orders are shown: their rows as text."""
        rows = "[...document.querySelectorAll('#orders [data-order]')]"
        self.browser.wait(
            f"{count} open orders are shown", f"return {rows}.length === arguments[0]", count
        )
        return self._rows("orders")

    def wait_order(self, part: str) -> str:
        """Return the row of the newest open order once it has this text."""
        script = f"const [newest] = (() => {{{ROWS}}})();" \
            "return newest?.includes(arguments[1]) && newest"  # fmt: skip
        return str(self.browser.wait(f"an order with {part!r}", script, "orders", part))

    def wait_fills(self, count: int) -> list[str]:
        """Return once so many fills are shown: their rows as text."""
        script = "return document.querySelectorAll('#fills tr').length === arguments[0]"
        self.browser.wait(f"{count} fills are shown", script, count)
        return self._rows("fills")

    def wait_banner(self, part: str, seconds: float = 20.0) -> str:
        """Return the banner once it has this text."""
        script = """const banner = document.getElementById("banner");
            return !banner.hidden && banner.textContent.includes(arguments[0])
              && banner.textContent"""
        return str(self.browser.wait(f"a banner with {part!r}", script, part, seconds=seconds))

    def import_(self, module: str, script: str, *arguments: Any) -> Any:
        """The value that a script passes to `done`, given one of the page's modules as `it` and
        arguments."""
        loaded = f"import('/page/{module}').then((it) => {{ {script} }})"
        body = f"const given = arguments; {loaded}.catch((fault) => done(String(fault)))"
        return self.browser.run_async(body, *arguments)

    def _rows(self, body: str) -> list[str]:
        found: list[str] = self.browser.run(ROWS, body)
        return found
