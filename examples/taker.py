"""Buys or sells a quantity in slices, whenever the best price is at a limit or better.

    python examples/taker.py buy 0.5 65000 --account 7 --slice 0.1

Every order is immediate-or-cancel, so that nothing is left in the book. It ends when the quantity
is done, after --seconds, or with Ctrl-C, and prints what it paid.
"""

import argparse
import contextlib
import time
from decimal import Decimal

from crossbook import Client, LocalBook, MarketData, OutcomeUnknown, Side

NAME = "taker-"
"""How the client order ids of the taker begin."""


def slice_now(book: LocalBook, side: Side, limit: Decimal, most: Decimal) -> Decimal:
    """How much to take now: what is offered at the limit or better, at most `most`."""
    levels = book.ask_levels(20) if side is Side.BUY else book.bid_levels(20)
    good = (
        level.quantity
        for level in levels
        if (level.price <= limit if side is Side.BUY else level.price >= limit)
    )
    return min(most, sum(good, Decimal(0)))


def take(options: argparse.Namespace) -> Decimal:
    """Trade until the quantity is done or the time is over; what was filled."""
    symbol, side = options.symbol, Side[options.side.upper()]
    end = time.monotonic() + options.seconds
    filled = Decimal(0)
    with (
        Client(account=options.account) as client,
        MarketData(symbols=[symbol], channels=("l2",)) as market,
    ):
        client.orders()
        market.wait_ready()
        try:
            while filled < options.quantity and time.monotonic() < end:
                most = min(options.slice, options.quantity - filled)
                quantity = slice_now(market.book(symbol), side, options.limit, most)
                if quantity:
                    name = f"{NAME}{time.time_ns()}"
                    with contextlib.suppress(OutcomeUnknown):
                        client.submit(
                            symbol, side, quantity, options.limit,
                            time_in_force="ioc", client_order_id=name,
                        )  # fmt: skip
                    # After an unknown outcome this queries the exchange; a ping's answer follows
                    # the reports of the order.
                    client.ping()
                    order = client.orders().named(name)
                    if order is not None and order.filled:
                        filled += order.filled
                        print(f"{order.filled:f} at {order.average_price:f}, fee {order.fees:f}")
                market.poll(0.1)
        finally:
            # An interrupt may fall between an order and its answer, which comes before a ping's.
            client.ping()
            done = [
                each for each in client.orders().ended() if each.client_order_id.startswith(NAME)
            ]
            filled = sum((each.filled for each in done), Decimal(0))
            fees = sum((each.fees for each in done), Decimal(0))
            print(f"{side.name.lower()} {filled:f} of {options.quantity:f} {symbol}, fees {fees:f}")
    return filled


def main() -> None:
    """Read the options and trade; the exit status is 1 where something is left to do."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("side", choices=("buy", "sell"))
    parser.add_argument("quantity", type=Decimal)
    parser.add_argument("limit", type=Decimal)
    parser.add_argument("--symbol", default="BTC-USDT")
    parser.add_argument("--account", type=int, help="setting ACCOUNT, 1 by default")
    parser.add_argument("--slice", type=Decimal, default=Decimal("0.1"), help="most at a time")
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    filled = Decimal(0)
    with contextlib.suppress(KeyboardInterrupt):
        filled = take(options)
    raise SystemExit(filled < options.quantity)


if __name__ == "__main__":
    main()
