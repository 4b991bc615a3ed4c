"""The state of the market as canonical bytes, and its digest."""

from hashlib import sha256

from common.codec import encode
from matcher.engine import Engine


def state_hash(engine: Engine) -> str:
    """SHA-256 (hex) of everything the market is: equal means the same state. O(open orders).

    Covers every open order in queue order with all its terms, and each book's last trade. Leaves
    out the sequence number and the request numbers seen, which advance with refused commands
    too: a refused command leaves the hash as it was.
    """
    state = [
        (
            instrument,
            book.last_trade_id,
            book.last_price_ticks,
            [
                (
                    order.order_id,
                    order.account.account_id,
                    order.side,
                    order.price_ticks,
                    order.quantity_lots,
                    order.open_lots,
                    order.client_order_id,
                    order.time_ns,
                )
                for side in (book.bids, book.asks)
                for order in side.orders()
            ],
        )
        for instrument, book in sorted(engine.books.items())
    ]
    return sha256(encode(state)).hexdigest()
