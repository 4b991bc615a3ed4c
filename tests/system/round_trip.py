"""A client in a process of its own: one trade between two accounts, received on the public feed.

`python -m tests.system.round_trip` reads GATEWAY_ORDERS, PUBLISHER_FEED and PUBLISHER_SNAPSHOTS
from the environment, with the settings of keys, and prints the trade as JSON. It runs on another
host than the exchange.
"""

import contextlib
import json
import os
import sys
import time

from crossbook.common.messages import entry, feed
from crossbook.common.process.config import load_settings
from crossbook.common.types import Side
from tests.system.feed_tap import FeedTap
from tests.system.session import RawSession

SYMBOL = "BTC-USDT"
READY_SECONDS = 30.0


def first_ack(session: RawSession, deadline: float) -> entry.Ack:
    """The acknowledgement of the first command that is accepted, once the parts have found each
    other."""
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError, ConnectionError):
            if not session.token:
                session.log_on(seconds=1.0)
            reply = session.reply_to(entry.MassCancel(session.next_seq()), seconds=1.0)
            if isinstance(reply, entry.Ack):
                return reply
    raise TimeoutError(f"no order round trip in {READY_SECONDS} s")


def main() -> None:
    """Trade once and print the feed's messages about it."""
    deadline = time.monotonic() + READY_SECONDS
    orders = os.environ["GATEWAY_ORDERS"]
    feed_address, snapshots = os.environ["PUBLISHER_FEED"], os.environ["PUBLISHER_SNAPSHOTS"]
    keyring = load_settings("client").client_keyring()
    with (
        RawSession(orders, 1, log_on=False, keyring=keyring) as seller,
        RawSession(orders, 2, log_on=False, keyring=keyring) as buyer,
    ):
        first_ack(seller, deadline)
        ready = first_ack(buyer, deadline)
        with FeedTap(feed_address, snapshots, [feed.topic("trade", SYMBOL)], keyring) as tap:
            tap.wait_heartbeat(ready.seq)
            sell = entry.New(
                request_seq=seller.next_seq(),
                symbol=SYMBOL,
                side=Side.SELL,
                quantity="0.5",
                price="50000",
            )
            buy = entry.New(
                request_seq=buyer.next_seq(),
                symbol=SYMBOL,
                side=Side.BUY,
                quantity="0.2",
                price="50000",
            )
            for session, request in ((seller, sell), (buyer, buy)):
                reply = session.reply_to(request)
                assert isinstance(reply, entry.Ack), reply
            fill = buyer.execution()
            trades = [m.message for m in tap.until(fill.seq) if isinstance(m.message, feed.Trades)]
            book = tap.snapshot(SYMBOL)
    (trade,) = trades[0].trades
    json.dump(
        {
            "price_ticks": trade.price_ticks,
            "quantity_lots": trade.quantity_lots,
            "fill": [fill.price_ticks, fill.quantity_lots],
            "asks": book.asks,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
