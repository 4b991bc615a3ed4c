"""Orders of one instrument at a steady rate, whatever the answers are: makers around a wandering
price, half of them canceled later, and takers.

All orders are of one account, which trades with itself.
"""

import random
import threading
import time
from typing import Self

from crossbook.common.messages import entry
from crossbook.common.types import Prevention
from tests.system.exchange import select_nothing
from tests.system.session import RawSession

FRAMES_PER_S = 50
OPEN_MOST = 400
ACCOUNT = 6_001


class SteadyLoad:
    """Sends from `with` on, on a thread of its own; `sent` counts requests."""

    def __init__(self, address: str, rate: int, symbol: str = "BTC-USDT", seed: int = 1) -> None:
        self._address = address
        self._rate = rate
        self._symbol = symbol
        self._chance = random.Random(seed)
        self._mid_ticks = 5_000_000.0
        self._open: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)

    def _run(self) -> None:
        per_frame = max(1, self._rate // FRAMES_PER_S)
        with RawSession(self._address, ACCOUNT) as session:
            due = time.monotonic()
            while not self._stop.is_set():
                session.send(*(self._request(session.next_seq()) for _ in range(per_frame)))
                self.sent += per_frame
                while session.socket.poll(0):
                    session.socket.recv()
                due += per_frame / self._rate
                select_nothing(max(0.0, due - time.monotonic()))
            session.reply_to(entry.MassCancel(session.next_seq()))

    def _request(self, seq: int) -> entry.Request:
        chance = self._chance
        self._mid_ticks += chance.gauss(0, 4)
        if len(self._open) > OPEN_MOST or (self._open and chance.random() < 0.45):
            name = self._open.pop(chance.randrange(len(self._open)))
            return entry.Cancel(seq, self._symbol, client_order_id=name)
        side = chance.choice((1, 2))
        away = -20 if chance.random() < 0.06 else round(chance.expovariate(1 / 600)) + 10
        price = round(self._mid_ticks) + (-away if side == 1 else away)
        name = f"s{seq}"
        self._open.append(name)
        quantity = f"{chance.lognormvariate(-3.5, 1) + 0.001:.5f}"
        return entry.New(
            request_seq=seq,
            symbol=self._symbol,
            side=side,
            quantity=quantity,
            price=f"{price / 100:.2f}",
            client_order_id=name,
            prevention=Prevention.NONE,
        )
