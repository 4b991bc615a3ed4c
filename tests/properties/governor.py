"""Random acts of an administrator, deadlines of accounts, and passing time."""

from random import Random
from typing import Final

from msgspec.structs import replace

from crossbook.common.messages.commands import (
    AddInstrument,
    AdjustBalance,
    AdvanceTime,
    Command,
    MassCancelOrders,
    SetCancelAfter,
    SetFees,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.types import InstrumentState, RejectReason
from tests.model.orders import DAY_NS
from tests.model.reference import ReferenceMatcher
from tests.properties.market import INSTRUMENTS, PLAIN

ACCOUNTS: Final = 4
_ASSETS: Final = ("BTC", "USDT", "ETH", "EUR", "SHIB", "JPY", "GOLD")


class Governor:
    """Makes the commands that concern no single order, all of gateway zero."""

    def __init__(self, reference: ReferenceMatcher, random: Random) -> None:
        self._reference = reference
        self._random = random
        self._transfers = 0

    def command(self, now_ns: int) -> Command:
        """The next command. An instrument in another state is opened again soon."""
        random = self._random
        states = self._reference.market.states
        unusual = [number for number, state in states.items() if state != InstrumentState.OPEN]
        if unusual and random.random() < 0.55:
            instrument = random.choice(unusual)
            if states[instrument] == InstrumentState.AUCTION:
                state = random.choice((1, 1, 1, 1, 2, 4, 5, 9))
                return Uncross(
                    gateway=0, request_seq=0, account=0, instrument=instrument, state=state
                )
            return SetInstrumentState(
                gateway=0,
                request_seq=0,
                account=0,
                instrument=instrument,
                state=random.choice((1, 1, 1, 5)),
            )
        return random.choice(
            (self._state, self._state, self._fees, self._balance, self._balance, self._deadline,
             self._deadline, self._deadline, self._deadline, self._mass_cancel, self._instrument,
             AdvanceTime)
        )() if random.random() < 0.94 else self._odd(now_ns)  # fmt: skip

    def _some_instrument(self) -> int:
        return self._random.choice((*(i.id for i in INSTRUMENTS), 99))

    def _state(self) -> Command:
        random = self._random
        until = random.choice((0, 0, random.randint(1, 10**4)))
        return SetInstrumentState(
            gateway=0,
            request_seq=0,
            account=0,
            instrument=self._some_instrument(),
            state=random.choice((2, 3, 4, 5, 5, 5)),
            until_ns=until,
        )

    def _odd(self, now_ns: int) -> Command:
        random = self._random
        return random.choice(
            (
                SetInstrumentState(
                    gateway=0, request_seq=0, account=0, instrument=self._some_instrument(), state=0
                ),
                SetInstrumentState(
                    gateway=0,
                    request_seq=0,
                    account=0,
                    instrument=self._some_instrument(),
                    state=4,
                    until_ns=-1,
                ),
                SetInstrumentState(
                    gateway=0,
                    request_seq=0,
                    account=0,
                    instrument=self._some_instrument(),
                    state=1,
                    until_ns=now_ns + 5,
                ),
                Uncross(gateway=0, request_seq=0, account=0, instrument=self._some_instrument()),
                SetCancelAfter(
                    gateway=0, request_seq=0, account=1, instrument=0, timeout_ns=10**18
                ),
                AdjustBalance(
                    gateway=0,
                    request_seq=0,
                    account=-1,
                    instrument=0,
                    asset="BTC",
                    amount=1,
                    transfer_id="x",
                ),
            )
        )

    def _fees(self) -> Command:
        random = self._random
        rates = (0, 1_000, 2_000, -250, -2_500, 99_999, 100_001)
        maker, taker = (random.choice(rates) for _ in range(2))
        return SetFees(
            gateway=0,
            request_seq=0,
            account=random.randint(0, ACCOUNTS),
            instrument=self._some_instrument(),
            maker_fee_rate=maker,
            taker_fee_rate=taker,
            inherit=random.random() < 0.2,
        )

    def _balance(self) -> Command:
        random = self._random
        self._transfers += 1
        name = f"t{self._transfers - random.choice((0, 0, 0, 0, 1))}"
        amount = random.choice((10**5, 10**7, 10**9, -(10**4), -(10**12), 0, 2**62))
        return AdjustBalance(
            gateway=0,
            request_seq=0,
            account=random.randint(0, ACCOUNTS),
            instrument=0,
            asset=random.choice(_ASSETS),
            amount=amount,
            transfer_id=random.choice((name, name, name, "")),
        )

    def _deadline(self) -> Command:
        """A dead-man timer, at times out of range for an account whose timer runs."""
        random = self._random
        running = list(self._reference.admin.deadlines)
        if running and random.random() < 0.4:
            account, timeout_ns = random.choice(running), random.choice((-1, DAY_NS + 1))
            return SetCancelAfter(
                gateway=0, request_seq=0, account=account, instrument=0, timeout_ns=timeout_ns
            )
        return SetCancelAfter(
            gateway=0,
            request_seq=0,
            account=random.randint(1, ACCOUNTS),
            instrument=0,
            timeout_ns=random.choice((0, 10, 30, 60, 100, DAY_NS)),
        )

    def _mass_cancel(self) -> Command:
        random = self._random
        return MassCancelOrders(
            gateway=0,
            request_seq=0,
            account=random.choice((0, 1, 2)),
            instrument=self._some_instrument(),
            side=random.randint(0, 2),
            reason=random.choice((0, int(RejectReason.DISCONNECTED))),
        )

    def _instrument(self) -> Command:
        random = self._random
        number = random.choice((1, 20, 21, 0))
        new = replace(PLAIN, id=number, symbol=f"NEW-{number}")
        field = random.choice(("", "", "tick_size", "max_price_ticks", "symbol"))
        if field:
            value = {"tick_size": "0", "max_price_ticks": 0, "symbol": "BTC-USDT"}[field]
            new = replace(new, **{field: value})
        return AddInstrument(
            gateway=0,
            request_seq=0,
            account=0,
            instrument=random.choice((number, number, 7)),
            definition=new,
        )
