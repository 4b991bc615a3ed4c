"""`crossbook replay` around the replay itself: speeds, statuses, instruments, books and waits."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from rich.progress import Progress

from crossbook.cli import replay
from crossbook.cli.console import CommandError, ExitStatus
from crossbook.common.instruments import example
from crossbook.common.messages.feed import Heartbeat
from crossbook.common.shards import base_of
from crossbook.errors import MarketDataError

BTC = example()
ETH = replace(BTC, id=2, symbol="ETH-USDT", base="ETH")
INSTRUMENTS = {each.symbol: each for each in (BTC, ETH)}


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("max", None), ("realtime", 1.0), ("1", 1.0), ("0.000001", 0.000001), ("2.5", 2.5),
        ("1000000", 1_000_000.0),
    ],
)  # fmt: skip
def test_a_speed_is_a_word_or_a_factor(text: str, factor: float | None) -> None:
    assert replay._speed(text) == factor


@pytest.mark.parametrize("text", ["", "fast", "0", "0.0000001", "-1", "1000000.000001", "1e3"])
def test_any_other_speed_is_refused(text: str) -> None:
    with pytest.raises(CommandError) as refused:
        replay._speed(text)
    assert str(refused.value) == f"{text!r} is none of max, realtime and a number up to 1000000"
    assert (refused.value.status, refused.value.field) == (ExitStatus.USAGE, "speed")


@pytest.mark.parametrize(
    ("causes", "status"),
    [
        (set(), 0), ({""}, 0), ({"recording"}, 4), ({"", "recording"}, 4), ({"engine"}, 1),
        ({"", "engine"}, 1), ({"recording", "engine"}, 1),
    ],
)  # fmt: skip
def test_the_status_is_that_of_the_worst_file(causes: set[str], status: int) -> None:
    assert replay._status(causes) == status


def test_the_instrument_is_the_named_one_or_that_of_the_file() -> None:
    file = Path("x/ethusdt_1.cmd.csv")
    assert replay._instrument(file, None, INSTRUMENTS, "") is ETH
    assert replay._instrument(file, "btc-usdt", INSTRUMENTS, "why") is BTC


@pytest.mark.parametrize(
    ("symbol", "why", "text"),
    [
        (
            None, "", "flow.csv does not name its instrument: give --symbol, one of BTC-USDT, "
            "ETH-USDT",
        ),
        ("XRP-USDT", "", "XRP-USDT is not traded here, but BTC-USDT, ETH-USDT"),
        (
            "XRP-USDT", "nobody there",
            "XRP-USDT is not traded here, but BTC-USDT, ETH-USDT; or let it have one of its own: "
            "nobody there",
        ),
    ],
)  # fmt: skip
def test_an_unknown_instrument_of_a_replay_is_refused(
    symbol: str | None, why: str, text: str
) -> None:
    with pytest.raises(CommandError) as refused:
        replay._instrument(Path("flow.csv"), symbol, INSTRUMENTS, why)
    assert str(refused.value) == text
    assert refused.value.code == "UNKNOWN_SYMBOL"


@pytest.mark.parametrize(
    ("tick_size", "units"), [("0.01", 100), ("1", 10_000), ("0.0001", 1), ("0.00001", 1)]
)
def test_a_tick_is_a_number_of_units_of_a_lobster_price(tick_size: str, units: int) -> None:
    assert replay._units_per_tick(replace(BTC, tick_size=tick_size)) == units


class Clock:
    """A clock that advances only during a wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(replay, "time", SimpleNamespace(monotonic=lambda: self.now_s))


class Listed:
    """The orders of a book: `count` in all, of which each side shows one."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def orders(self, side: int) -> list[tuple[int, int, int]]:
        """The one order that a side shows."""
        return [(side, 1, 1)]


class Book:
    """A market of `count` orders whose feed reaches the next of `seqs` after each wait."""

    def __init__(self, clock: Clock, seqs: list[int | None], count: int = 0) -> None:
        self.clock, self.seqs, self.count = clock, seqs, count
        self.waits: list[float] = []
        self.closed = False

    def shard_of(self, symbol: str) -> int:
        """The second shard, for every symbol."""
        return 1

    def heartbeat_of(self, symbol: str) -> Heartbeat | None:
        """A heartbeat with the next number; the last number repeats."""
        seq = self.seqs.pop(0) if len(self.seqs) > 1 else self.seqs[0]
        return None if seq is None else Heartbeat(base_of(1) + seq, 0, 0, {})

    def poll(self, timeout_s: float) -> None:
        """Record the wait and advance the clock."""
        self.waits.append(timeout_s)
        self.clock.now_s += timeout_s

    def orders(self, symbol: str) -> Listed:
        """The open orders."""
        return Listed(self.count)

    def book(self, symbol: str) -> Any:
        """The book as of a fixed number."""
        return SimpleNamespace(orders_seq=77)

    def close(self) -> None:
        """Record the end."""
        self.closed = True


class PreparedClient:
    """A client of two shards that counts its pings."""

    address = "tcp://there"

    def __init__(self, clock: Clock, known_after: int = 0) -> None:
        self.clock, self.known_after = clock, known_after
        self.last_seqs = [5_000, base_of(1) + 40, base_of(1) + 30]
        self.pings = 0

    def ping(self) -> None:
        """Count the ping, which takes a second."""
        self.pings += 1
        self.clock.now_s += 1

    def list_instruments(self) -> dict[str, Any]:
        """The instruments; the recorded one is there after `known_after` pings."""
        return INSTRUMENTS if self.pings >= self.known_after else {}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def run(timeout_s: float = 2.0) -> Any:
    anything: Any = None
    return replay._Run(anything, anything, timeout_s, True, anything)


@pytest.mark.parametrize(
    ("seqs", "waits"),
    [([40], 0), ([41], 0), ([39, 40], 1), ([None, 39, 40], 2), ([39], 20)],
)
def test_the_orders_are_counted_once_the_feed_has_the_number_of_the_gateway(
    clock: Clock, seqs: list[int | None], waits: int
) -> None:
    book, client = Book(clock, seqs, 3), PreparedClient(clock)
    assert run()._orders(client, book, "BTC-USDT") == 3
    assert abs(len(book.waits) - waits) <= (waits > 2)
    assert client.pings == 1
    assert set(book.waits) <= {0.1}


@pytest.mark.parametrize(("known_after", "found"), [(0, True), (2, True), (3, True), (4, False)])
def test_an_instrument_just_added_is_waited_for(
    clock: Clock, known_after: int, found: bool
) -> None:
    client = PreparedClient(clock, known_after)
    if found:
        run()._wait_traded(client, "BTC-USDT")
        assert client.pings == known_after
        return
    with pytest.raises(CommandError, match="tcp://there does not have BTC-USDT yet"):
        run()._wait_traded(client, "BTC-USDT")


@pytest.mark.parametrize(
    ("clear", "text"),
    [(False, "--clear cancels your own"), (True, "orders of other accounts are left")],
)
def test_a_replay_into_a_book_with_orders_is_refused(clock: Clock, clear: bool, text: str) -> None:
    book, check = Book(clock, [40], 2), SimpleNamespace(in_use=False)
    with pytest.raises(CommandError, match=f"holds 2 orders, .*: {text}, --keep") as refused:
        run()._prepare(PreparedClient(clock), book, check, "BTC-USDT", clear, False)
    assert (refused.value.status, refused.value.code) == (ExitStatus.REFUSED, "BOOK_NOT_EMPTY")
    assert not check.in_use


def test_a_replay_that_keeps_going_begins_in_a_book_with_orders(clock: Clock) -> None:
    loaded: list[Any] = []
    check = SimpleNamespace(in_use=False, load=lambda *terms: loaded.append(terms))
    run()._prepare(PreparedClient(clock), Book(clock, [40], 0), check, "BTC-USDT", False, True)
    assert (check.in_use, loaded) == (False, [])
    run()._prepare(PreparedClient(clock), Book(clock, [40], 1), check, "BTC-USDT", False, True)
    assert (check.in_use, loaded) == (True, [(77, [(1, 1, 1)], [(2, 1, 1)])])


@pytest.mark.parametrize(("failures", "raised"), [(0, False), (2, False), (3, True)])
def test_a_late_market_is_opened_again_until_the_timeout(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, failures: int, raised: bool
) -> None:
    opened: list[Book] = []

    def open_market(*terms: object) -> Book:
        book: Any = Book(clock, [40])
        late = len(opened) < failures

        def wait_ready(timeout_s: float) -> None:
            clock.now_s += 1
            if late:
                raise MarketDataError("late")

        book.wait_ready = wait_ready
        opened.append(book)
        made: Book = book
        return made

    monkeypatch.setattr(replay, "open_market", open_market)
    call: Callable[[str], Any] = run()._open_market
    if raised:
        with pytest.raises(MarketDataError):
            call("BTC-USDT")
    else:
        assert call("BTC-USDT") is opened[-1]
    assert [each.closed for each in opened] == [True] * failures + [False] * (not raised)


def test_progress_is_shown_every_five_hundred_answers_and_at_the_end() -> None:
    progress = Progress(disable=True)
    task = progress.add_task("", total=1_200, rate="", fills="")
    state: Any = SimpleNamespace(answered=0)
    check: Any = SimpleNamespace(fill_count=1_234)
    shown = []
    for state.answered in (499, 500, 999, 1_000, 1_199, 1_200):
        replay._show(progress, task, state, check)
        shown.append(progress.tasks[0].completed)
    assert shown == [0, 500, 500, 1_000, 1_000, 1_200]
    assert progress.tasks[0].fields["fills"] == "1,234 fills"
    state.answered = 1_200
    replay._show(progress, task, state, None)
    assert progress.tasks[0].fields["fills"] == ""
