"""The place of a replay: an instrument of its own, and an account with the money it needs.

An administrator may add instruments to a running exchange. One for replays only has no orders of
other accounts, charges no fees and has assets of its own, so that no money of the venue is touched.
It stays, and the next replay that fits uses it again.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from crossbook.cli.admin_shards import AdminShards
from crossbook.cli.console import CommandError, ExitStatus
from crossbook.client.admin_client import AdminClient, new_transfer_id
from crossbook.common.errors import ConfigError
from crossbook.common.grid import format_decimal
from crossbook.common.instruments import FEE_SCALE, Instrument, definition_fault
from crossbook.common.messages.admin import AdminView
from crossbook.common.messages.commands import AddInstrument, AdjustBalance
from crossbook.common.messages.entry import Balance
from crossbook.common.rules import BALANCE_MAX
from crossbook.errors import ActRefused
from crossbook.replay.reference import Needs

PREFIX: Final = "REPLAY-"
"""Prefix of the symbols of instruments for replays only."""

REPLAY_ACCOUNT: Final = 2_000_000_000
"""The account that trades there unless another is named."""

_ID_MAX: Final = 65_535
_TICKS_MAX: Final = 10**12
_LOTS_MAX: Final = 10**15


def own_grid(guess: Instrument | None, tick_size: str) -> tuple[str, str]:
    """Tick and lot of an instrument for a recording: those of the instrument in its name, unless
    the recording has another tick; else a cent and a share.

    >>> own_grid(None, "")
    ('0.01', '1')
    """
    if guess is not None and tick_size in ("", guess.tick_size):
        return guess.tick_size, guess.lot_size
    return tick_size or "0.01", "1"


def definition(number: int, instrument_id: int, tick_size: str, lot_size: str) -> Instrument:
    """The `number`-th instrument of replays, on this grid. One lot at one tick is the smallest
    whole amount of its quote asset, and there are no fees.

    >>> definition(1, 65535, "0.01", "1").notional_per_tick_lot
    1
    """
    base, quote = f"REPLAY{number}", f"REPLAY{number}Q"
    draft = Instrument(
        instrument_id, f"{PREFIX}{number}", base, quote, tick_size, lot_size, 0, 0,
        _TICKS_MAX, 1, _LOTS_MAX, 0, 0, 0,
    )  # fmt: skip
    lots = draft.grid.quantity.decimals
    made = replace(draft, base_decimals=lots, quote_decimals=draft.grid.price.decimals + lots)
    field = definition_fault(made)
    if field:
        raise ConfigError(f"tick {tick_size} and lot {lot_size} make no instrument: {field}")
    return made


class OwnInstruments:
    """The instruments of replays on a running exchange, by the administrators of its shards.

    Raises `GatewayUnavailable` when an administrator's socket does not answer.
    """

    def __init__(self, shards: AdminShards) -> None:
        self._clients = shards.clients
        self._views: list[AdminView] = []
        self._look()

    def _look(self) -> None:
        self._views = [client.view() for client in self._clients]

    @property
    def instruments(self) -> dict[str, Instrument]:
        """All that is traded, by symbol."""
        found = [status.definition for view in self._views for status in view.instruments]
        return {each.symbol: each for each in found}

    def candidates(self, tick_size: str, lot_size: str) -> Iterator[tuple[Instrument, AdminClient]]:
        """Instruments of replays on this grid: the existing ones, then a new one. The book of one
        shows whether it is in use."""
        # Replays before this one have added theirs.
        self._look()
        numbers = [0]
        for client, view in zip(self._clients, self._views, strict=True):
            for status in view.instruments:
                known = status.definition
                number = known.symbol.removeprefix(PREFIX)
                if not known.symbol.startswith(PREFIX) or not number.isdigit():
                    continue
                numbers.append(int(number))
                if known == definition(int(number), known.id, tick_size, lot_size):
                    yield known, client
        yield self._add(max(numbers) + 1, tick_size, lot_size)

    def _add(self, number: int, tick_size: str, lot_size: str) -> tuple[Instrument, AdminClient]:
        taken = {each.id for each in self.instruments.values()}
        instrument_id = next(each for each in range(_ID_MAX, 0, -1) if each not in taken)
        made = definition(number, instrument_id, tick_size, lot_size)
        # Where ids are dealt in turn among shards, as those of the instruments file are.
        client = self._clients[(instrument_id - 1) % len(self._clients)]
        client.act(AddInstrument(0, 0, 0, made.id, made))
        return made, client


def fund(client: AdminClient, instrument: Instrument, account: int, needs: Needs) -> str:
    """Pay the money that a replay needs into `account`; returns what could not be paid, empty if
    all could."""
    view = client.view(account)
    has = {each.asset: each.total_units - each.held_units for each in view.balances}
    lacks: list[str] = []
    for asset, decimals, units in needed(instrument, needs):
        missing = units - has.get(asset, 0)
        paid = min(missing, BALANCE_MAX - has.get(asset, 0))
        if missing <= 0:
            continue
        try:
            transfer_id = new_transfer_id(view, asset)
            client.act(AdjustBalance(0, 0, account, 0, asset, paid, transfer_id))
        except ActRefused as refused:
            # The exchange keeps no accounts: no money is needed.
            if refused.field == "account":
                return ""
            raise
        if paid < missing:
            lacks.append(f"{format_decimal(missing - paid, decimals)} {asset}")
    return " and ".join(lacks)


def needed(instrument: Instrument, needs: Needs) -> list[tuple[str, int, int]]:
    """(asset, its decimals, smallest units) that a replay needs, the highest fees included."""
    per_lot, per_tick_lot = instrument.base_units_per_lot, instrument.notional_per_tick_lot
    rate = max(0, instrument.maker_fee_rate) + max(0, instrument.taker_fee_rate)

    def with_fees(held: int, traded: int) -> int:
        # A fee is rounded up for each of the two sides of a fill.
        return held + traded * rate // FEE_SCALE + (2 * needs.fills if rate else 0)

    return [
        (instrument.base, instrument.base_decimals,
         with_fees(needs.base_lots * per_lot, needs.traded_lots * per_lot)),
        (instrument.quote, instrument.quote_decimals,
         with_fees(needs.quote_tick_lots * per_tick_lot, needs.traded_tick_lots * per_tick_lot)),
    ]  # fmt: skip


def check_money(
    instrument: Instrument, balances: Sequence[Balance], account: int, needs: Needs
) -> None:
    """Raise `CommandError` for money that an account lacks for a replay, and how to deposit it.

    An exchange that keeps no accounts returns no balances: then nothing is lacking.
    """
    has = {each.asset: each.total_units - each.held_units for each in balances}
    if not balances:
        return
    lacks, remedies = [], []
    for asset, decimals, units in needed(instrument, needs):
        missing = units - has.get(asset, 0)
        if missing > 0:
            amount = format_decimal(missing, decimals)
            lacks.append(f"{amount} {asset}")
            remedies.append(f"crossbook admin deposit {account} {asset} {amount}")
    if lacks:
        raise CommandError(
            f"account {account} lacks {' and '.join(lacks)} for this recording on "
            f"{instrument.symbol}: {'; '.join(remedies)}; or leave --symbol, --clear and "
            "--keep-going out, and the replay gets an instrument and money of its own",
            ExitStatus.REFUSED,
            "INSUFFICIENT_BALANCE",
            "account",
        )
