"""A venue that writes the two files of LOBSTER about a window on its book, and keeps the whole
book.

Orders exist before the window opens, and change behind its last level, so that a reader has to
handle all cases of real files. The book that the reader rebuilds must have the same rows.
"""

import random
from pathlib import Path

BUY, SELL = 1, -1


class LobsterVenue:
    """Price-time priority over a dict of levels; orders are [id, side, price, lots]."""

    def __init__(self, seed: int, levels: int, middle: int = 3_000) -> None:
        self.messages: list[str] = []
        self.rows: list[str] = []
        self.executions = 0
        self._chance = random.Random(seed)
        self._levels = levels
        self._middle = middle
        self._orders: list[list[int]] = []
        # Ids without relation to arrival: a reader may not order by them.
        self._ids = iter(random.Random(seed).sample(range(1_000, 1_000_000), 20_000))
        self._time_ns = 34_200_000_000_000
        self._recording = False

    def run(self, before: int, inside: int) -> None:
        """Run `before` events that the files do not show, then `inside` events, of which the window
        shows some."""
        for _ in range(before):
            self._event()
        self._recording = True
        for _ in range(inside):
            self._event()

    def write(self, folder: Path, ticker: str = "MSFT") -> Path:
        """Write both files; returns the message file."""
        name = f"{ticker}_2012-06-21_34200000_57600000_{{}}_{self._levels}.csv"
        path = folder / name.format("message")
        path.write_text("".join(f"{line}\n" for line in self.messages))
        (folder / name.format("orderbook")).write_text("".join(f"{line}\n" for line in self.rows))
        return path

    def _event(self) -> None:
        chance = self._chance
        self._time_ns += chance.randint(1, 5_000_000)
        self._middle += chance.choice((-1, 0, 0, 0, 1))
        dice = chance.random()
        if dice < 0.5 or len(self._orders) < 20:
            self._submit()
        elif dice < 0.6:
            self._execute()
        elif dice < 0.62:
            self._report(5, 0, 100, self._middle, chance.choice((BUY, SELL)))
        else:
            order = chance.choice(self._orders)
            if dice < 0.7 and order[3] > 1:
                self._reduce(2, order, chance.randint(1, order[3] - 1))
            else:
                self._reduce(3, order, order[3])

    def _submit(self) -> None:
        side = self._chance.choice((BUY, SELL))
        price = self._middle - side * self._chance.randint(1, 25)
        best = [order[2] for order in self._orders if order[1] == -side]
        if best and (min(best) <= price if side == BUY else max(best) >= price):
            return
        order = [next(self._ids), side, price, self._chance.choice((50, 100, 100, 300))]
        self._orders.append(order)
        self._report(1, order[0], order[3], price, side)

    def _execute(self) -> None:
        side = self._chance.choice((BUY, SELL))
        lots = self._chance.choice((50, 150, 400))
        resting = sorted(
            (order for order in self._orders if order[1] == side), key=lambda o: -o[2] * side
        )
        for order in resting:
            if not lots:
                return
            taken = min(lots, order[3])
            lots -= taken
            self.executions += self._recording
            self._reduce(4, order, taken)

    def _reduce(self, kind: int, order: list[int], lots: int) -> None:
        seen = self._visible(order[1], order[2])
        order[3] -= lots
        if not order[3]:
            self._orders.remove(order)
        self._report(kind, order[0], lots, order[2], order[1], seen=seen)

    def _report(
        self, kind: int, order_id: int, lots: int, price: int, side: int, seen: bool = False
    ) -> None:
        if not self._recording or not (seen or kind == 5 or self._visible(side, price)):
            return
        seconds, ns = divmod(self._time_ns, 1_000_000_000)
        self.messages.append(f"{seconds}.{ns:09d},{kind},{order_id},{lots},{price * 100},{side}")
        self.rows.append(self._row())

    def _visible(self, side: int, price: int) -> bool:
        return price in [level for level, _ in self._side(side)[: self._levels]]

    def _side(self, side: int) -> list[tuple[int, int]]:
        lots_at: dict[int, int] = {}
        for _, of_side, price, lots in self._orders:
            if of_side == side:
                lots_at[price] = lots_at.get(price, 0) + lots
        return sorted(lots_at.items(), key=lambda level: -level[0] * side)

    def _row(self) -> str:
        asks, bids = self._side(SELL), self._side(BUY)
        values: list[int] = []
        for level in range(self._levels):
            price, lots = asks[level] if level < len(asks) else (99_999_999.99, 0)
            values += (round(price * 100), lots)
            price, lots = bids[level] if level < len(bids) else (-99_999_999.99, 0)
            values += (round(price * 100), lots)
        return ",".join(map(str, values))
