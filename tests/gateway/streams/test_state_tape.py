"""The state of an instrument on `/ws/market-data/` and `/ws/ticker/`, in order with the book."""

from typing import Any

import pytest

from crossbook.common.messages.feed import DepthUpdate, MarketState
from crossbook.common.types import InstrumentState
from crossbook.gateway.streams.state_tape import WAITING_MAX, StateTape
from tests.worlds.feed_source import SYMBOL
from tests.worlds.stream_world import FakeConnection, StreamWorld

OPEN, POST_ONLY, CANCEL_ONLY, HALTED, AUCTION = (int(state) for state in InstrumentState)


class StateWorld(StreamWorld):
    """A book of one ask at 490, and the messages that the test publishes."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = self.source.seq
        book = self.follower.book(SYMBOL)
        bids, asks = ([(ticks, 0) for ticks, _ in levels] for levels in (book.bids(), book.asks()))
        self.publish(self.levels(bids, [*asks, (490, 5)]))
        self.advance(100)

    def publish(self, *updates: DepthUpdate | MarketState) -> None:
        """Apply these messages as the updates of one round of the feed."""
        self.streams.apply(updates)
        self.work()

    def levels(
        self, bids: list[tuple[int, int]], asks: list[tuple[int, int]] | None = None
    ) -> DepthUpdate:
        """A message with the next change of the book."""
        self.seq += 1
        return DepthUpdate(
            symbol=SYMBOL,
            first_seq=self.seq,
            seq=self.seq,
            prev_seq=self.seq - 1,
            bids=bids,
            asks=asks or [],
            checksum=0,
            time_ns=0,
        )

    def state(
        self, state: int, until_ns: int = 0, at: tuple[int, int, int] = (0, 0, 0)
    ) -> MarketState:
        """A message with the next state."""
        self.seq += 1
        return MarketState(SYMBOL, self.seq, state, until_ns, *at, 0)


def kinds(connection: FakeConnection) -> list[Any]:
    """The types of the messages; of a state message its state."""
    return [message.get("state", message["type"]) for message in connection.pop_messages()]


@pytest.mark.parametrize(
    ("path", "first"),
    [
        (f"/ws/market-data/{SYMBOL}", ["snapshot", "bbo", "open"]),
        (f"/ws/ticker/{SYMBOL}", ["open", "ticker"]),
    ],
)
def test_state_comes_at_the_beginning_and_on_change_and_only_then(
    path: str, first: list[str]
) -> None:
    world = StateWorld()
    for _ in range(2):
        client = world.connect(path)
        assert kinds(client) == first
        halt = world.state(HALTED, 1_761_482_096_000_000_000)
        world.publish(halt)
        message = client.pop_messages()[0]
        assert message == {
            "type": "state",
            "symbol": SYMBOL,
            "seq": halt.seq,
            "state": "halted",
            "state_until": "2025-10-26T12:34:56.000Z",
            "auction": None,
            "ts": 0,
        }
        world.publish(halt)
        assert kinds(client) == []
        world.publish(world.state(OPEN))
        assert kinds(client) == ["open"]


def test_an_auction_is_sent_with_its_indicative_trade() -> None:
    world = StateWorld()
    client = world.connect()
    world.publish(world.state(AUCTION))
    client.pop_messages()
    world.publish(world.state(AUCTION, 0, (490, 3, -2)))
    (message,) = client.pop_messages()
    assert message["auction"] == {
        "indicative_price": "4.90",
        "indicative_quantity": "0.00003",
        "surplus_side": "sell",
        "surplus_quantity": "0.00002",
    }
    for surplus_lots, side in ((1, "buy"), (-1, "sell")):
        world.publish(world.state(AUCTION, 0, (490, 1, surplus_lots)))
        assert client.pop_messages()[0]["auction"] == {
            "indicative_price": "4.90",
            "indicative_quantity": "0.00001",
            "surplus_side": side,
            "surplus_quantity": "0.00001",
        }
    world.publish(world.state(AUCTION))
    assert client.pop_messages()[0]["auction"] == {
        "indicative_price": None,
        "indicative_quantity": "0.00000",
        "surplus_side": None,
        "surplus_quantity": "0.00000",
    }


def test_a_state_in_which_the_book_may_be_crossed_goes_before_it_and_another_behind() -> None:
    world = StateWorld()
    client = world.connect()
    client.pop_messages()
    world.publish(world.state(AUCTION), world.levels([(500, 5)]))
    assert kinds(client) == ["auction", "l2_update"]
    # Before the book's next update would be due.
    world.publish(world.levels([(500, 0)]), world.state(OPEN))
    assert kinds(client) == ["l2_update", "open"]


def test_the_end_of_a_call_phase_is_sent_though_it_is_over() -> None:
    world = StateWorld()
    client = world.connect()
    world.publish(world.state(AUCTION, 0, (495, 1, 0)))
    client.pop_messages()
    result = world.state(AUCTION, 0, (490, 3, -2))
    world.publish(result, world.state(OPEN))
    first, second = client.pop_messages()
    assert (first["seq"], first["auction"]["indicative_price"]) == (result.seq, "4.90")
    assert (second["state"], second["auction"]) == ("open", None)


def test_a_full_client_receives_the_present_state_when_it_has_room() -> None:
    world = StateWorld()
    client, other = world.connect(), world.connect()
    client.pop_messages()
    client.full = True
    world.publish(world.state(AUCTION), world.levels([(500, 5)]))
    world.publish(world.state(HALTED))
    assert kinds(client) == []
    client.drain()
    assert kinds(client)[:2] == ["halted", "l2_update"]
    client.full = True
    world.publish(world.levels([(500, 0)]), world.state(OPEN))
    client.drain()
    assert kinds(client) == ["l2_update", "bbo", "open"]
    assert kinds(other)[-1] == "open"


def test_a_client_that_comes_after_an_auction_receives_no_crossed_book() -> None:
    world = StateWorld()
    world.publish(world.state(AUCTION), world.levels([(500, 5)]))
    first = world.connect()
    assert first.pop_messages()[1]["bids"] == [["5.00", "0.00005"]]
    world.publish(world.levels([(500, 0)]), world.state(OPEN))
    snapshot, *_, state = world.connect().pop_messages()
    assert (state["state"], snapshot["type"], snapshot["bids"]) == ("open", "snapshot", [])


def test_a_state_that_comes_without_a_client_is_there_for_the_next_one() -> None:
    world = StateWorld()
    world.publish(world.state(HALTED))
    assert kinds(world.connect())[0] == "halted"
    assert kinds(world.connect(f"/ws/ticker/{SYMBOL}"))[0] == "halted"


def test_of_many_states_that_wait_the_latest_are_kept() -> None:
    tape = StateTape()
    states = [
        MarketState(
            symbol=SYMBOL,
            seq=seq,
            state=1 + seq % 2,
            until_ns=0,
            indicative_ticks=0,
            indicative_lots=0,
            surplus_lots=0,
            time_ns=0,
        )
        for seq in range(100)
    ]
    for state in states:
        tape.add(state)
    assert tape.changes
    assert tape.drain() == states[-WAITING_MAX:]
    assert not tape.waits
    assert not tape.changes
