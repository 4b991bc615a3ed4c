"""The page with wrong, missing or many messages of market data."""

import random
from typing import Any

import pytest

from crossbook.common.following.depth import BookChecksum, Depth
from crossbook.common.instruments_file import load_instruments
from crossbook.common.types import Side
from crossbook.gateway.streams.frames import FrameMaker
from tests.system import browser as chromium
from tests.system.browser import Browser
from tests.system.exchange import REPOSITORY, Exchange
from tests.system.page import Page
from tests.system.smoothness import measure

LOSING = """
  const Whole = window.WebSocket;
  window.WebSocket = class extends Whole {
    set onmessage(handler) {
      super.onmessage = handler && ((event) => {
        const lost = window.lose && event.data.includes('"l2_update"');
        if (lost) window.lose = false; else handler(event);
      });
    }
  };"""
"""A network that loses one update of the book when a test sets `window.lose`."""

pytestmark = pytest.mark.skipif(not chromium.AVAILABLE, reason=chromium.MISSING)


def as_text(depth: Depth, frames: FrameMaker, side: Side) -> list[list[str]]:
    """The expected levels of a side on the page."""
    instrument = frames.instrument
    return [
        [instrument.price_text(ticks), instrument.quantity_text(lots)]
        for ticks, lots in depth.levels(side)
    ]


def payload(frame: bytes) -> str:
    """The text of a WebSocket frame."""
    return frame[frame.index(b"{") :].decode()


def test_the_book_of_the_page_equals_ours_after_any_updates(
    venue: Exchange, window: Browser
) -> None:
    page = Page(window, venue.api).open()
    for instrument in load_instruments(REPOSITORY / "instruments.toml"):
        chance = random.Random(instrument.id)
        frames, depth, checksum = FrameMaker(instrument), Depth(), BookChecksum(instrument)
        messages = [payload(frames.snapshot(1, [], [], checksum.of(depth), 0))]
        for seq in range(2, 120):
            changes: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
            for _ in range(chance.randint(1, 6)):
                side = chance.choice((Side.BUY, Side.SELL))
                ticks = 1_000 + chance.randint(1, 30) * (-1 if side == Side.BUY else 1)
                lots = chance.choice((0, instrument.min_quantity_lots, chance.randint(1, 10**9)))
                changes[side][ticks] = lots
            for side, levels in changes.items():
                for ticks, lots in levels.items():
                    depth.set_level(side, ticks, lots)
            messages.append(
                payload(
                    frames.update(
                        (seq, seq, seq - 1),
                        list(changes[Side.BUY].items()),
                        list(changes[Side.SELL].items()),
                        checksum.of(depth),
                        0,
                    )
                )
            )
        script = """
          const book = new it.Book();
          const [first, ...rest] = given[0].map((text) => JSON.parse(text));
          book.load(first);
          for (const each of rest) book.apply(each);
          const rows = (side) => side.levels.map((level) => [level.priceText, level.quantityText]);
          done([rows(book.bids), rows(book.asks)]);"""
        found = page.import_("book.js", script, messages)
        assert found == [as_text(depth, frames, side) for side in (Side.BUY, Side.SELL)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"prev_seq": 1}, "follows 1, not 7"),
        ({"checksum": 1}, "different from its checksum"),
        ({"bids": [["51000.00", "1.00000"]]}, "crossed"),
        ({"asks": []}, "different from its checksum"),
    ],
)
def test_a_wrong_update_is_not_shown(
    venue: Exchange, window: Browser, change: dict[str, Any], why: str
) -> None:
    page = Page(window, venue.api).open()
    instrument = load_instruments(REPOSITORY / "instruments.toml")[0]
    frames, depth, checksum = FrameMaker(instrument), Depth(), BookChecksum(instrument)
    depth.load([(4_900_000, 5)], [(5_000_000, 5)])
    snapshot = payload(
        frames.snapshot(7, depth.levels(Side.BUY), depth.levels(Side.SELL), checksum.of(depth), 0)
    )
    depth.set_level(Side.SELL, 5_000_100, 7)
    update = payload(frames.update((8, 8, 7), [], [(5_000_100, 7)], checksum.of(depth), 0))
    script = """
      const book = new it.Book();
      book.load(JSON.parse(given[0]));
      let why = "";
      try {
        book.apply({...JSON.parse(given[1]), ...given[2]});
      } catch (fault) {
        why = fault instanceof it.Broken ? fault.message : String(fault);
      }
      done(why);"""
    assert page.import_("book.js", script, snapshot, update, {}) == ""
    assert why in page.import_("book.js", script, snapshot, update, change)


def test_a_lost_update_is_noticed_and_mended(venue: Exchange, window: Browser) -> None:
    added = window.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": LOSING}
    )
    try:
        page = Page(window, venue.api, 7).open()
        page.enter("buy", "0.1", "49000")
        page.wait_levels([["buy", "49000.00", "0.10000"]])
        window.run("window.lose = true")
        page.enter("buy", "0.1", "49001")
        window.wait("the update is lost", "return window.lose === false")
        page.enter("buy", "0.1", "49002")
        page.wait_banner("Live again")
        page.wait_levels([["buy", f"4900{n}.00", "0.10000"] for n in (2, 1, 0)])
        window.one("#cancel-all").click()
        page.wait_levels([])
    finally:
        window.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def test_without_the_chart_script_the_rest_works(venue: Exchange, window: Browser) -> None:
    urls = window.driver.execute_cdp_cmd
    urls("Network.enable", {})
    urls("Network.setBlockedURLs", {"urls": ["*/page/chart/*"]})
    try:
        page = Page(window, venue.api, 7).open()
        assert "No candles" in window.text("#candles-note")
        page.enter("buy", "0.1", "49000")
        page.wait_levels([["buy", "49000.00", "0.10000"]])
        window.one("#cancel-all").click()
        page.wait_levels([])
    finally:
        urls("Network.setBlockedURLs", {"urls": []})


def test_the_page_stays_smooth_and_uncrossed_at_1000_orders_a_second(
    venue: Exchange, window: Browser
) -> None:
    found = measure(window, venue, seconds=3.0, rate=1_000)
    print(found)
    assert found.crossed == 0
    assert found.orders_per_s > 700
    assert found.books_drawn_per_s > 4
    # This machine draws without a graphics processor, and may be shared with other tests.
    assert found.frames_per_s > 12
    assert found.frame_p99_ms < 500
    assert window.complaints() == []
