"""Instruments of replays: their grids, and the money a replay needs."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from crossbook.cli.console import CommandError
from crossbook.common.errors import ConfigError
from crossbook.common.grid import format_decimal
from crossbook.common.instruments import Instrument, definition_fault, example
from crossbook.common.messages.admin import AdminView, InstrumentStatus
from crossbook.common.messages.commands import AddInstrument, AdjustBalance
from crossbook.common.messages.entry import Balance
from crossbook.common.messages.events import CommandRejected
from crossbook.common.rules import BALANCE_MAX
from crossbook.common.types import RejectReason
from crossbook.errors import ActRefused
from crossbook.replay.reference import Needs
from crossbook.replay.venue import OwnInstruments, check_money, definition, fund, needed, own_grid


@pytest.mark.parametrize(
    ("tick_size", "lot_size"),
    [("0.01", "1"), ("0.0001", "1"), ("0.01", "0.00000001"), ("0.05", "0.5"), ("1", "1")],
)
def test_every_grid_makes_an_instrument_without_fees(tick_size: str, lot_size: str) -> None:
    made = definition(7, 65_535, tick_size, lot_size)

    assert definition_fault(made) == ""
    assert made.symbol == "REPLAY-7"
    assert (made.maker_fee_rate, made.taker_fee_rate, made.min_notional) == (0, 0, 0)
    assert made.price_text(1) == f"{float(tick_size):.{made.grid.price.decimals}f}"


def test_a_grid_finer_than_money_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tick 0\.0000000001 and lot 0\.000000001"):
        definition(1, 1, "0.0000000001", "0.000000001")


def test_the_grid_is_that_of_the_name_unless_the_files_have_another_tick() -> None:
    assert own_grid(example(), "") == ("0.01", "0.00001")
    assert own_grid(example(), "0.01") == ("0.01", "0.00001")
    assert own_grid(example(), "0.0001") == ("0.0001", "1")
    assert own_grid(None, "0.0001") == ("0.0001", "1")


NEEDS = Needs(base_lots=100, quote_tick_lots=5_000, traded_lots=40, traded_tick_lots=2_000, fills=3)


def test_the_money_needed_is_the_held_amount_and_the_fees() -> None:
    """One lot of the example is 1,000 satoshi; 0.1 % and 0.2 % of the amount traded, and a unit of
    rounding for each side of a fill."""
    free = replace(example(), maker_fee_rate=0, taker_fee_rate=0)
    unit = free.notional_per_tick_lot

    assert needed(free, NEEDS) == [("BTC", 8, 100_000), ("USDT", 8, 5_000 * unit)]
    assert needed(example(), NEEDS) == [
        ("BTC", 8, 100_000 + 40_000 * 3 // 1_000 + 6),
        ("USDT", 8, 5_000 * unit + 2_000 * unit * 3 // 1_000 + 6),
    ]


def test_the_refusal_of_an_account_without_money_has_the_amount_and_the_remedy() -> None:
    free = replace(example(), maker_fee_rate=0, taker_fee_rate=0)
    unit = free.notional_per_tick_lot
    has = [Balance("BTC", 100_000, 1), Balance("USDT", 5_000 * unit, 0)]

    with pytest.raises(CommandError) as caught:
        check_money(free, has, 6, NEEDS)

    assert "account 6 lacks 0.00000001 BTC for" in str(caught.value)
    assert "crossbook admin deposit 6 BTC 0.00000001;" in str(caught.value)
    assert "USDT" not in str(caught.value).replace("BTC-USDT", "")
    check_money(free, [replace(has[0], held_units=0), has[1]], 6, NEEDS)
    check_money(free, [], 6, NEEDS)


class FakeShard:
    """The administrator of a shard that trades these instruments, and the acts it received."""

    def __init__(self, *instruments: Instrument) -> None:
        self.seen = AdminView(
            request_id=0,
            seq=1,
            instruments=[
                InstrumentStatus(
                    definition=each, state=1, until_ns=0, last_price_ticks=0, last_trade_id=0
                )
                for each in instruments
            ],
            balances=[],
        )
        self.acts: list[AddInstrument] = []

    def view(self) -> AdminView:
        """The instruments of this shard."""
        return self.seen

    def act(self, command: AddInstrument) -> None:
        """Record the command, and trade its instrument."""
        self.acts.append(command)
        status = InstrumentStatus(
            definition=command.definition, state=1, until_ns=0, last_price_ticks=0, last_trade_id=0
        )
        self.seen = replace(self.seen, instruments=[*self.seen.instruments, status])


def test_a_later_replay_of_a_command_line_finds_the_instrument_an_earlier_one_added() -> None:
    shard = FakeShard()
    exchange: Any = SimpleNamespace(clients=[shard])
    own = OwnInstruments(exchange)
    ((first, _),) = own.candidates("0.01", "1")
    again, _ = next(own.candidates("0.01", "1"))
    ((other, _),) = own.candidates("0.05", "0.001")
    assert again == first
    assert (other.symbol, other.id) == ("REPLAY-2", first.id - 1)


@pytest.mark.parametrize(
    ("taken", "instrument_id", "shard"),
    [([], 65_535, 0), ([65_535], 65_534, 1), ([65_535, 65_534, 65_532], 65_533, 0)],
)
def test_a_new_instrument_has_the_highest_free_id_and_goes_to_that_ids_shard(
    taken: list[int], instrument_id: int, shard: int
) -> None:
    """Ids are dealt in turn: odd ones to the first of two shards."""
    others = [replace(example(), id=each, symbol=f"X{each}-USDT") for each in taken]
    shards = [FakeShard(*others), FakeShard()]
    clients: list[Any] = [*shards]
    exchange: Any = SimpleNamespace(clients=clients)

    ((made, client),) = OwnInstruments(exchange).candidates("0.01", "1")

    assert made == definition(1, instrument_id, "0.01", "1")
    assert client is clients[shard]
    assert shards[shard].acts == [
        AddInstrument(
            gateway=0, request_seq=0, account=0, instrument=instrument_id, definition=made
        )
    ]
    assert shards[1 - shard].acts == []


def test_a_new_instrument_goes_to_the_shard_of_its_turn_of_three() -> None:
    """The highest id, 65,535, belongs to the third shard, and the next one below it to the
    second."""
    for taken, shard in (([], 2), ([65_535], 1), ([65_535, 65_534], 0)):
        others = [replace(example(), id=each, symbol=f"X{each}-USDT") for each in taken]
        shards = [FakeShard(), FakeShard(*others), FakeShard()]
        clients: list[Any] = [*shards]
        exchange: Any = SimpleNamespace(clients=clients)
        ((_, client),) = OwnInstruments(exchange).candidates("0.01", "1")
        assert clients.index(client) == shard
        assert [len(each.acts) for each in shards] == [number == shard for number in range(3)]


class Ledger:
    """The administrator of a ledger with these balances; `refusal` is its answer to a deposit."""

    def __init__(self, balances: list[Balance], refusal: str | None = None) -> None:
        self._balances, self._refusal = balances, refusal
        self.paid: list[tuple[int, str, int]] = []
        self.names: set[str] = set()

    def view(self, account: int) -> AdminView:
        """The balances of account 6; every other account has none."""
        return AdminView(0, 1, [], self._balances if account == 6 else [])

    def act(self, command: AdjustBalance) -> None:
        """Accept the deposit, or refuse it."""
        if self._refusal is not None:
            event = CommandRejected(
                seq=1, gateway=0, request_seq=0, account=6, instrument=0,
                reason=RejectReason.MALFORMED, field=self._refusal,
            )  # fmt: skip
            raise ActRefused(event, command)
        self.paid.append((command.account, command.asset, command.amount))
        self.names.add(command.transfer_id)


FREE = replace(example(), maker_fee_rate=0, taker_fee_rate=0)
NEEDED = 5_000 * FREE.notional_per_tick_lot


@pytest.mark.parametrize(
    ("balances", "paid"),
    [
        ([], [(6, "BTC", 100_000), (6, "USDT", NEEDED)]),
        ([Balance("BTC", 100_000, 1)], [(6, "BTC", 1), (6, "USDT", NEEDED)]),
        ([Balance("BTC", 100_000, 0), Balance("USDT", NEEDED - 1, 0)], [(6, "USDT", 1)]),
        ([Balance("BTC", 100_001, 0), Balance("USDT", NEEDED, 0)], []),
    ],
)
def test_the_missing_amount_is_paid(
    balances: list[Balance], paid: list[tuple[int, str, int]]
) -> None:
    ledger: Any = Ledger(balances)
    assert fund(ledger, FREE, 6, NEEDS) == ""
    assert ledger.paid == paid
    assert len(ledger.names) == len(paid)


def test_no_more_is_paid_than_a_balance_may_hold_and_the_rest_is_reported() -> None:
    much = replace(NEEDS, base_lots=BALANCE_MAX // 1_000 + 1)
    missing = much.base_lots * 1_000 - BALANCE_MAX
    ledger: Any = Ledger([Balance("BTC", 10, 0), Balance("USDT", NEEDED, 0)])
    assert fund(ledger, FREE, 6, much) == f"{format_decimal(missing, 8)} BTC"
    assert ledger.paid == [(6, "BTC", BALANCE_MAX - 10)]


def test_an_exchange_without_accounts_needs_no_money() -> None:
    without: Any = Ledger([], "account")
    assert fund(without, FREE, 6, NEEDS) == ""
    other: Any = Ledger([], "amount")
    with pytest.raises(ActRefused):
        fund(other, FREE, 6, NEEDS)


def test_instruments_of_replays_on_this_grid_come_before_a_new_one() -> None:
    fits, other = definition(2, 65_535, "0.01", "1"), definition(5, 65_534, "0.05", "1")
    named = replace(example(), id=7, symbol="REPLAY-X")
    shards = [FakeShard(example(), fits, named), FakeShard(other)]
    clients: list[Any] = [*shards]
    exchange: Any = SimpleNamespace(clients=clients)

    found = list(OwnInstruments(exchange).candidates("0.01", "1"))

    new = definition(6, 65_533, "0.01", "1")
    assert [(made, clients.index(client)) for made, client in found] == [(fits, 0), (new, 0)]
    assert [shard.acts for shard in shards] == [
        [AddInstrument(gateway=0, request_seq=0, account=0, instrument=65_533, definition=new)],
        [],
    ]
