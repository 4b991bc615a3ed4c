"""What every session script shares. A script runs with the interpreter of its client's environment.

It reads one request a line from standard input, `{"step": "place", "arguments": {...}}`, does the
step with the client, and prints one line of JSON: `{"step", "result"}`, or `{"step", "error"}` with
the class of the client's own exception, those it derives from, and its text. Only the standard
library and the client are imported here.

The client is made by the lines of its page in `docs/guide/binance`, with the address and the key
replaced by those of the exchange that runs.
"""

import argparse
import asyncio
import inspect
import json
import re
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[3] / "docs" / "guide" / "binance"

HOST = "127.0.0.1:8000"
RELAY, CERTIFICATE = "127.0.0.1:8443", "relay.pem"
PRIVATE = "private.pem"
KEY, SECRET = "demo-1", "demo-secret-1"
"""As the pages name them: the address of `crossbook run`, a TLS relay in front of it, the file
of a private key, and the key of account 1."""


def arguments(parser: argparse.ArgumentParser | None = None) -> argparse.Namespace:
    """What the harness gives every script: `--host`, `--key`, and `--secret` or the file of a
    private key; and what `parser` has."""
    parser = parser or argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--key", default=KEY)
    parser.add_argument("--secret", default=SECRET)
    parser.add_argument("--private", default="")
    return parser.parse_args()


def lines_of(page: str, heading: str, given: argparse.Namespace) -> str:
    """The Python lines below a heading of a page, for the exchange and the key that are given.

    A TLS relay and its certificate are replaced where they are given, too. Raises `ValueError`
    where the page has no such lines, or where they name another host.
    """
    text = (DOCS / f"{page}.md").read_text()
    below = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(r"^```python\n(.*?)^```", below, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{page}.md has no Python lines below {heading!r}")
    lines = found[1].replace(HOST, given.host)
    lines = lines.replace(f'"{KEY}"', f'"{given.key}"').replace(f'"{SECRET}"', f'"{given.secret}"')
    if private := getattr(given, "private", ""):
        lines = lines.replace(PRIVATE, private)
    if relay := getattr(given, "relay", ""):
        lines = lines.replace(RELAY, relay).replace(CERTIFICATE, given.certificate)
    if others := set(re.findall(r"\w+://([^/\"']+)", lines)) - {given.host, relay}:
        raise ValueError(f"{page}.md names other hosts: {sorted(others)}")
    return lines


def run_lines(page: str, heading: str, given: argparse.Namespace) -> dict[str, Any]:
    """The names that the lines of a page define."""
    names: dict[str, Any] = {}
    exec(compile(lines_of(page, heading, given), f"{page}.md", "exec"), names)
    return names


def serve(steps: object) -> None:
    """Do steps, which are the public methods of an object, until standard input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            result = getattr(steps, request["step"])(**request["arguments"])
        except Exception as error:
            answer(request["step"], error=error)
        else:
            answer(request["step"], result)


async def serve_async(steps: object) -> None:
    """As `serve`, on an event loop that goes on between the steps; methods may be coroutines."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        try:
            result = getattr(steps, request["step"])(**request["arguments"])
            if inspect.isawaitable(result):
                result = await result
        except Exception as error:
            answer(request["step"], error=error)
        else:
            answer(request["step"], result)


def answer(step: str, result: object = None, error: BaseException | None = None) -> None:
    """Print the line of one step."""
    document: dict[str, Any] = {"step": step}
    if error is None:
        document["result"] = result
    else:
        document["error"] = {
            "class": type(error).__name__,
            "classes": [each.__name__ for each in type(error).__mro__],
            "text": str(error) or repr(error),
            "retry_after_s": retry_after_s(error),
        }
    print(json.dumps(document, default=str), flush=True)


def retry_after_s(error: BaseException) -> float | None:
    """The header `Retry-After` of an answer, where an exception of a client shows it."""
    headers = getattr(error, "header", None) or getattr(
        getattr(error, "response", None), "headers", None
    )
    found = headers.get("Retry-After") if headers else getattr(error, "retry_after", None)
    return None if found is None else float(found)


_CLOCK = time.time, time.time_ns


def skew(seconds: float) -> None:
    """Make this process read a clock that is so many seconds ahead of the machine's."""
    read, read_ns = _CLOCK
    time.time = lambda: read() + seconds
    time.time_ns = lambda: read_ns() + int(seconds * 1e9)


class Steps:
    """The steps that are the same for every client."""

    def skew(self, seconds: float) -> None:
        """Put the clock of this process wrong."""
        skew(seconds)

    def restore_clock(self) -> None:
        """Trust the machine's clock again; a client that corrects nothing always does."""


def id_of(symbol: str) -> str:
    """Binance's name of an instrument."""
    return symbol.replace("-", "")


def order(
    id: object,
    client_id: object,
    status: str,
    filled: object,
    quantity: object,
    price: object = None,
    **more: object,
) -> dict[str, Any]:
    """An order in the one form in which steps return orders; `status` is Binance's word."""
    return {
        "id": str(id),
        "client_id": client_id,
        "status": status,
        "filled": str(filled),
        "quantity": str(quantity),
        "price": None if price is None else str(price),
        **more,
    }


def order_of(document: dict[str, Any], **more: object) -> dict[str, Any]:
    """The order of an answer in Binance's own names; an answer ACK has no more than its ids."""
    if "status" not in document:
        return {"id": str(document["orderId"]), "client_id": document["clientOrderId"]}
    return order(
        document["orderId"],
        document["clientOrderId"],
        document["status"],
        document["executedQty"],
        document["origQty"],
        document["price"],
        **more,
    )


def event_of(event: dict[str, Any]) -> dict[str, Any]:
    """An event of the user stream, of which steps return what every client shows."""
    if event["e"] != "executionReport":
        return {"event": event["e"]}
    return {
        "event": event["x"],
        "id": str(event["i"]),
        "status": event["X"],
        "last": event["l"],
        "filled": event["z"],
        "fee": event["n"],
        "fee_asset": event["N"],
    }


def trade_of(document: dict[str, Any]) -> dict[str, Any]:
    """A trade of one's own in the one form in which steps return them."""
    return {
        "id": str(document["id"]),
        "order": str(document["orderId"]),
        "price": document["price"],
        "quantity": document["qty"],
        "fee": document["commission"],
        "fee_asset": document["commissionAsset"],
        "is_buyer": document["isBuyer"],
        "is_maker": document["isMaker"],
    }


def markets_of(document: dict[str, Any]) -> dict[str, Any]:
    """The markets of exchangeInfo by native symbol."""
    return {
        f"{each['baseAsset']}-{each['quoteAsset']}": market_of(each) for each in document["symbols"]
    }


def balances_of(document: dict[str, Any]) -> dict[str, Any]:
    """The balances of an account by asset."""
    return {
        each["asset"]: {"free": each["free"], "locked": each["locked"]}
        for each in document["balances"]
    }


def ticker_of(document: dict[str, Any]) -> dict[str, Any]:
    """A ticker of a day in the one form in which steps return them."""
    return {
        "last": document["lastPrice"],
        "bid": document["bidPrice"],
        "ask": document["askPrice"],
        "volume": document["volume"],
    }


def public_of(found: list[dict[str, Any]]) -> list[Any]:
    """Public trades in the one form in which steps return them: price, quantity, taker's side."""
    return [
        [each["price"], each["qty"], "sell" if each["isBuyerMaker"] else "buy"] for each in found
    ]


def market_of(document: dict[str, Any]) -> dict[str, Any]:
    """A symbol of exchangeInfo in the one form in which steps return markets."""
    filters = {each["filterType"]: each for each in document["filters"]}
    return {
        "base": document["baseAsset"],
        "quote": document["quoteAsset"],
        "tick": filters["PRICE_FILTER"]["tickSize"],
        "lot": filters["LOT_SIZE"]["stepSize"],
        "active": document["status"] == "TRADING",
    }


def place_parameters(
    symbol: str,
    side: str,
    kind: str,
    quantity: str | None = None,
    price: str | None = None,
    stop_price: str | None = None,
    quote_quantity: str | None = None,
    client_id: str | None = None,
) -> dict[str, str]:
    """An order of a kind in the names of POST order. `kind` is GTC, IOC, FOK, or a type."""
    found = {"symbol": id_of(symbol), "side": side.upper()}
    if kind in ("GTC", "IOC", "FOK"):
        found |= {"type": "LIMIT", "timeInForce": kind}
    else:
        found["type"] = kind
    if kind.endswith("_LIMIT"):
        found["timeInForce"] = "GTC"
    given = {
        "quantity": quantity, "price": price, "stopPrice": stop_price,
        "quoteOrderQty": quote_quantity, "newClientOrderId": client_id,
    }  # fmt: skip
    return found | {name: value for name, value in given.items() if value is not None}


class FollowedBook:
    """A book kept from a stream of differences as Binance documents it, for clients that keep none.

    `read_snapshot` returns the answer of `depth`. Every breach of the numbering is in `faults`:
    an event must begin where the last one of its connection ended.
    """

    def __init__(self, read_snapshot: Callable[[], dict[str, Any]]) -> None:
        self._read_snapshot = read_snapshot
        self._held: list[dict[str, Any]] = []
        self._sides: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}
        self._last = 0
        self._last_seen = 0
        self.events = 0
        self.snapshots = 0
        self.faults: list[str] = []

    def connected(self) -> None:
        """Begin anew: a stream has opened, whose first event has nothing before it."""
        self._held, self._last, self._last_seen = [], 0, 0

    def take(self, event: dict[str, Any]) -> None:
        """Take the next event of the stream."""
        self.events += 1
        if self._last_seen and event["U"] != self._last_seen + 1:
            self.faults.append(f"U={event['U']} after u={self._last_seen}")
        self._last_seen = event["u"]
        if not self._last:
            self._held.append(event)
            self._begin()
        else:
            self._apply(event)

    def _begin(self) -> None:
        """Begin with a snapshot, once the events reach it."""
        snapshot = self._read_snapshot()
        self.snapshots += 1
        number = snapshot["lastUpdateId"]
        if number + 1 < self._held[0]["U"]:
            return
        self._sides = {
            "b": {Decimal(price): Decimal(quantity) for price, quantity in snapshot["bids"]},
            "a": {Decimal(price): Decimal(quantity) for price, quantity in snapshot["asks"]},
        }
        self._last = number
        for event in self._held:
            self._apply(event)
        self._held.clear()

    def _apply(self, event: dict[str, Any]) -> None:
        if event["u"] <= self._last:
            return
        if event["U"] > self._last + 1:
            self.faults.append(f"U={event['U']} after the book of {self._last}")
        for name, side in self._sides.items():
            for price, quantity in event[name]:
                if Decimal(quantity):
                    side[Decimal(price)] = Decimal(quantity)
                elif quantity != "0.00000000":
                    self.faults.append(f"a level is removed by {quantity!r}")
                else:
                    side.pop(Decimal(price), None)
        self._last = event["u"]

    def state(self) -> dict[str, Any]:
        """The book, best levels first, and what was counted."""
        bids, asks = sorted(self._sides["b"], reverse=True), sorted(self._sides["a"])
        return {
            "bids": [[price, self._sides["b"][price]] for price in bids],
            "asks": [[price, self._sides["a"][price]] for price in asks],
            "number": self._last,
            "events": self.events,
            "snapshots": self.snapshots,
            "faults": self.faults,
        }
