"""Random steps from a seed: small books that cross a lot, and every error of a client.

The generator reads the reference matcher while it runs, only to aim: most cancels and amends
should hit an open order, and books should stay small enough to scan.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from msgspec.structs import replace

from crossbook.common.instruments import MAX_NOTIONAL, Instrument
from crossbook.common.messages.commands import (
    AmendOrder,
    CancelOrder,
    Command,
    Instructions,
    MassCancelOrders,
    NewOrder,
    SetInstrumentState,
    Uncross,
)
from crossbook.common.messages.events import Event, OrderAccepted
from crossbook.common.types import MAX_INT, InstrumentState, OrderType, Prevention, TimeInForce
from tests.model.orders import ModelOrder
from tests.model.reference import REQUESTS_IN_EPOCH, ReferenceMatcher, follows
from tests.properties.governor import Governor
from tests.properties.market import COARSE, INSTRUMENTS, MEMORY, RETRIES, rules_of
from tests.properties.moods import KINDS, MOODS
from tests.properties.steps import Step, next_request

ACCOUNTS: Final = 4
GATEWAYS: Final = 2
OPEN_ORDERS_MAX: Final = 60
"""Open orders above which the generator sweeps and cancels until the books are small again."""

_ODD_NUMBERS: Final = (-MAX_INT, -1, 0, 1, 2, 2**31, 2**62, 2**62 + 1, MAX_INT)
_ALTERED: Final = NewOrder.__struct_fields__[2:]


class StepGenerator:
    """Makes steps one by one; `reference` has applied all of them.

    The time of a step is its label, or that of `clock`.
    """

    def __init__(self, seed: int, clock: Callable[[], int] | None = None) -> None:
        self._clock = clock
        self.reference = ReferenceMatcher(INSTRUMENTS, MEMORY, rules_of(seed))
        self._random = Random(seed)
        self._governor = Governor(self.reference, self._random)
        self._label = 0
        self._labels: dict[int, int] = {}  # order id (sequence number) -> label of its step
        self._later_epochs = 0
        self._accepted: list[NewOrder] = []  # those with a client order id
        self._edge: list[NewOrder] = []  # the oldest remembered for retries, the last forgotten
        self._weights: tuple[float, ...] = MOODS["quiet"]
        self._spread = 3
        self._one_side = 0
        self._favourite = INSTRUMENTS[0]
        self._centres = {instrument.id: 25 for instrument in INSTRUMENTS}
        self._planned: list[Callable[[], Command]] = []
        for instrument in INSTRUMENTS:
            if self._random.random() < 0.8:
                self._planned += self._first_auction(instrument)

    def steps(self, count: int) -> Iterator[tuple[Step, Command, list[Event]]]:
        """`count` steps, each with its command and the events the reference gave. A step's label
        is its time in nanoseconds."""
        change_at = 0
        for n in range(count):
            if n == change_at:
                change_at = n + self._change_mood()
            if len(self.reference.open) > OPEN_ORDERS_MAX:
                self._weights = MOODS["drain"]
                change_at = n + self._random.randint(5, 80)
            self._label += 1
            self._later_epochs = 0
            command = self._command()
            step = Step(self._label, self._relative(command), self._later_epochs)
            events = self.reference.apply(command, self._now())
            own = [event for event in events if event.seq == self.reference.seq]
            if own:
                self._labels[self.reference.seq] = self._label
                answer = own[0]
                if isinstance(answer, OrderAccepted) and answer.client_order_id:
                    assert isinstance(command, NewOrder)
                    self._accepted.append(command)
                    oldest = self.reference.remembered[0][0]
                    if not self._edge or oldest is not self._edge[0]:
                        self._edge = [oldest, *self._edge[:1]]
            yield step, command, events

    def _now(self) -> int:
        """The time of the next step."""
        return self._label if self._clock is None else self._clock()

    def _change_mood(self) -> int:
        """Choose the mood of the next stretch, and return its length."""
        random = self._random
        self._weights = MOODS[
            random.choice(("quiet", "busy", "busy", "busy", "special", "special", "hostile"))
        ]
        self._spread = random.choice((0, 1, 2, 3, 5, 12, 40))
        self._one_side = random.choice((0, 0, 0, 0, 0, 0, 1, 2))
        self._favourite = random.choice(INSTRUMENTS)
        for instrument in INSTRUMENTS:
            if random.random() < 0.2:
                ceiling = min(instrument.max_price_ticks, random.choice((50, 200, 10**9)))
                self._centres[instrument.id] = random.randint(1, ceiling)
        return random.randint(20, 200)

    def _relative(self, command: Command) -> Command:
        """The command of a step: orders by label, the request by its distance."""
        if command.gateway > 0:
            command = replace(
                command, request_seq=command.request_seq - self._next_request(command)
            )
        if isinstance(command, CancelOrder | AmendOrder) and command.order_id:
            label = self._labels.get(command.order_id, command.order_id)
            command = replace(command, order_id=label)
        return command

    def _next_request(self, command: Command) -> int:
        last = self.reference.last_requests.get(command.gateway, 0)
        return next_request(last, self._later_epochs)

    def _first_auction(self, instrument: Instrument) -> list[Callable[[], Command]]:
        """A call phase of few orders before anything has traded, and its end."""

        def gathered() -> Command:
            price = max(instrument.min_price_ticks, 25 + self._random.randint(-4, 4))
            lots = self._random.choice((10, 10, 10, 20))
            return NewOrder(
                *self._origin(), instrument.id, self._random.randint(1, 2), 1, 1, price, lots
            )

        begun = SetInstrumentState(
            gateway=0,
            request_seq=0,
            account=0,
            instrument=instrument.id,
            state=int(InstrumentState.AUCTION),
        )
        ended = Uncross(gateway=0, request_seq=0, account=0, instrument=instrument.id)
        orders = [gathered] * self._random.randint(2, 6)
        return [lambda: begun, *orders, lambda: ended]

    def _command(self) -> Command:
        if self._planned:
            return self._planned.pop(0)()
        kind = self._random.choices(KINDS, self._weights)[0]
        makers = {
            "limit": self._limit,
            "market": self._market,
            "spend": self._spend,
            "cancel": self._cancel,
            "amend": self._amend,
            "mass": self._mass_cancel,
            "invalid": self._invalid,
            "stray": self._stray,
            "retry": self._retry,
            "special": self._special,
        }
        if kind == "govern":
            return self._governor.command(self._now())
        return makers[kind]()

    def _prevention(self) -> int:
        return self._random.choice((0, 0, 0, 0, 1, 1, 2, 3, 4))

    def _origin(self) -> tuple[int, int, int]:
        """A gateway, its next request and an account; the gateway may have started anew."""
        random = self._random
        gateway, account = random.randint(0, GATEWAYS), random.randint(1, ACCOUNTS)
        if not gateway:
            return gateway, 0, account
        if random.random() < 0.01:
            self._later_epochs = random.choice((1, 2, 1000))
        last = self.reference.last_requests.get(gateway, 0)
        return gateway, next_request(last, self._later_epochs), account

    def _instrument(self) -> Instrument:
        return self._random.choice((*INSTRUMENTS, self._favourite, self._favourite))

    def _side(self) -> int:
        return self._one_side or self._random.randint(1, 2)

    def _price(self, instrument: Instrument) -> int:
        random = self._random
        if random.random() < 0.01:
            return random.choice((1, instrument.max_price_ticks))
        resting = [o.price_ticks for o in self.reference.open if o.instrument == instrument.id]
        if resting and random.random() < 0.4:
            return random.choice(resting)
        centre = self._centres[instrument.id]
        price = random.randint(centre - self._spread, centre + self._spread)
        return min(max(price, 1), instrument.max_price_ticks)

    def _lots(self, instrument: Instrument) -> int:
        random = self._random
        if random.random() < 0.01:
            return random.choice((instrument.min_quantity_lots, instrument.max_quantity_lots))
        return random.randint(instrument.min_quantity_lots, random.choice((4, 12, 40)))

    def _client_order_id(self) -> str:
        return self._random.choice(("",) * 20 + tuple("abcdefghijklmnopqrst"))

    def _limit(self) -> Command:
        instrument = self._instrument()
        tif = self._random.choices(
            (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK), (80, 10, 10)
        )[0]
        return NewOrder(
            *self._origin(), instrument.id, self._side(), int(OrderType.LIMIT), int(tif),
            self._price(instrument), self._lots(instrument), self._client_order_id(), 0,
            self._prevention(),
        )  # fmt: skip

    def _special(self) -> Command:
        """A stop, an iceberg, a post-only order or an order that expires; now and then two of these
        at once."""
        random = self._random
        instrument = self._instrument()
        kind = random.choice((1, 1, 1, 3, 4, 5, 6))
        tif = random.choices((1, 2, 3, 4, 5), (50, 3, 3, 30, 4))[0]
        price, lots, side = self._price(instrument), self._lots(instrument), self._side()
        trigger = display = expire = 0
        if kind > OrderType.MARKET:
            last = self.reference.market.last_prices[instrument.id]
            away = random.randint(1, 6) if random.random() < 0.9 else random.randint(-6, 0)
            rises = (side == 1) == (kind in (OrderType.STOP, OrderType.STOP_LIMIT))
            trigger = max(1, (last or price) + (away if rises else -away))
        if kind in (OrderType.STOP, OrderType.TAKE_PROFIT):
            price = 0
        if tif == TimeInForce.GTD:
            expire = self._now() + random.choice((0, 1, 3, 20, 100, 400))
        if random.random() < 0.35:
            display = max(lots // random.randint(1, 6), instrument.min_quantity_lots)
        instructions = Instructions(
            trigger_ticks=trigger,
            display_lots=display,
            expire_ns=expire,
            post_only=random.random() < 0.2,
        )
        if random.random() < 0.04:
            field = random.choice(("trigger_ticks", "display_lots", "expire_ns"))
            instructions = replace(instructions, **{field: random.choice(_ODD_NUMBERS)})
        return NewOrder(
            *self._origin(), instrument.id, side, kind, tif, price, lots,
            self._client_order_id(), 0, self._prevention(), instructions,
        )  # fmt: skip

    def _market(self) -> Command:
        instrument = self._instrument()
        lots = self._lots(instrument) * self._random.choice((1, 1, 3))
        return NewOrder(
            *self._origin(), instrument.id, self._side(), int(OrderType.MARKET),
            self._random.randint(1, 2), 0, lots, self._client_order_id(), 0, self._prevention(),
        )  # fmt: skip

    def _spend_up_to_own(self, instrument: Instrument) -> Command | None:
        """A quote amount that ends right before an order of the account of the taker, or that pays
        for about one lot of that order. None where the book has no such order."""
        random = self._random
        side = self._side()
        makers = self.reference.market.by_priority(instrument.id, 3 - side)
        if len(makers) < 2:
            return None
        own = random.choice(makers[1:])
        unit = instrument.notional_per_tick_lot
        before = makers[: makers.index(own)]
        amount = sum(o.price_ticks * o.remaining_lots for o in before if o.account != own.account)
        amount = amount * unit + random.choice((0, 0, 1, -1)) + random.choice(
            (0, 0, own.price_ticks * unit)
        )  # fmt: skip
        gateway, request, _ = self._origin()
        return NewOrder(
            gateway=gateway,
            request_seq=request,
            account=own.account,
            instrument=instrument.id,
            side=side,
            order_type=int(OrderType.MARKET),
            time_in_force=1,
            price_ticks=0,
            quantity_lots=0,
            client_order_id="",
            quote_amount=max(amount, 1),
            prevention=random.randint(0, 3),
        )

    def _spend(self) -> Command:
        instrument = self._instrument()
        if self._random.random() < 0.5:
            aimed = self._spend_up_to_own(instrument)
            if aimed is not None:
                return aimed
        lot_price = self._centres[instrument.id] * instrument.notional_per_tick_lot
        amount = lot_price * self._random.randint(0, 60)
        resting = [o for o in self.reference.open if o.instrument == instrument.id]
        if resting and self._random.random() < 0.3:
            maker = self._random.choice(resting)
            amount = maker.price_ticks * maker.remaining_lots * instrument.notional_per_tick_lot
        amount += self._random.choice((0, 1, self._random.randint(0, lot_price)))
        return NewOrder(
            *self._origin(), instrument.id, self._side(), int(OrderType.MARKET),
            self._random.randint(1, 2), 0, 0, self._client_order_id(), amount, self._prevention(),
        )  # fmt: skip

    def _target(self) -> tuple[int, int, int, str, ModelOrder | None]:
        """Account, instrument, order id and client order id naming an order, usually open."""
        random = self._random
        open_orders = self.reference.open
        account = random.randint(1, ACCOUNTS)
        instrument = self._instrument().id
        if not open_orders or random.random() < 0.12:
            order_id = random.choice((0, random.randint(1, self.reference.seq or 1), MAX_INT))
            if order_id not in self._labels:
                # A number of passed time belongs to no command.
                order_id = order_id and MAX_INT
            return account, instrument, order_id, self._client_order_id(), None
        order = random.choice(open_orders)
        if random.random() < 0.95:
            account = order.account
        if random.random() < 0.95:
            instrument = order.instrument
        if order.client_order_id and random.random() < 0.5:
            return account, instrument, 0, order.client_order_id, order
        return account, instrument, order.order_id, random.choice(("", "z")), order

    def _cancel(self) -> Command:
        gateway, request, _ = self._origin()
        account, instrument, order_id, client_order_id, _ = self._target()
        return CancelOrder(
            gateway=gateway,
            request_seq=request,
            account=account,
            instrument=instrument,
            order_id=order_id,
            client_order_id=client_order_id,
        )

    def _amend(self) -> Command:
        random = self._random
        gateway, request, _ = self._origin()
        account, instrument, order_id, client_order_id, order = self._target()
        price = lots = trigger = 0
        if order is not None:
            if order.trigger_ticks and random.random() < 0.4:
                trigger = max(order.trigger_ticks + random.randint(-4, 4), 0)
            if order.price_ticks and random.random() < 0.55:
                price = max(order.price_ticks + random.randint(-4, 4), 0)
                if random.random() < 0.5:
                    price = self._price(self.reference.instruments[order.instrument])
            if not price or random.random() < 0.4:
                lots = max(order.total_lots + random.randint(-8, 5), 0)
            if random.random() < 0.1:
                lots = order.filled_lots + random.choice((-1, 0, 1))
            if order.price_ticks and random.random() < 0.03:
                price, lots = self.reference.instruments[order.instrument].max_price_ticks, 0
        if random.random() < 0.04:
            price = random.choice(_ODD_NUMBERS)
        if random.random() < 0.04:
            lots = random.choice(_ODD_NUMBERS)
        if random.random() < 0.02:
            trigger = random.choice(_ODD_NUMBERS)
        return AmendOrder(
            gateway=gateway,
            request_seq=request,
            account=account,
            instrument=instrument,
            order_id=order_id,
            price_ticks=price,
            quantity_lots=lots,
            client_order_id=client_order_id,
            trigger_ticks=trigger,
        )

    def _mass_cancel(self) -> Command:
        instrument = self._random.choice((0, 0, *(i.id for i in INSTRUMENTS)))
        return MassCancelOrders(*self._origin(), instrument, self._random.randint(0, 2))

    def _invalid(self) -> Command:
        """A command with one to three fields outside their domain."""
        random = self._random
        if random.random() < 0.1:
            return MassCancelOrders(
                *self._origin(), random.choice((0, 1, 2, 99, -1)), random.choice((0, 1, 3, -1))
            )
        instrument = random.choice((*INSTRUMENTS, COARSE))
        fields = {
            "instrument": instrument.id,
            "side": self._side(),
            "order_type": random.randint(1, 2),
            "time_in_force": random.randint(1, 3),
            "price": self._price(instrument),
            "quantity": self._lots(instrument),
            "quote": 0,
            "prevention": self._prevention(),
        }
        if fields["order_type"] == OrderType.MARKET and random.random() < 0.7:
            fields["price"] = 0
            if random.random() < 0.5:
                fields["quantity"], fields["quote"] = 0, random.randint(1, 10**6)
        for name in random.sample(list(fields), random.choice((1, 1, 1, 2, 3))):
            if name in ("price", "quantity", "quote"):
                near = {
                    "price": instrument.max_price_ticks,
                    "quantity": instrument.max_quantity_lots,
                    "quote": MAX_NOTIONAL,
                }[name]
                fields[name] = random.choice((*_ODD_NUMBERS, near, near + 1))
            else:
                fields[name] = random.choice((-1, 0, 3, 4, 5, 6, 7, 99, MAX_INT))
        instructions = None
        if random.random() < 0.3:
            trigger, display, expire = (random.choice((0, 0, *_ODD_NUMBERS)) for _ in range(3))
            instructions = Instructions(trigger, display, expire)
        return NewOrder(
            *self._origin(), fields["instrument"], fields["side"], fields["order_type"],
            fields["time_in_force"], fields["price"], fields["quantity"],
            self._client_order_id(), fields["quote"], fields["prevention"], instructions,
        )  # fmt: skip

    def _stray(self) -> Command:
        """A new order under a request number that is not its gateway's next."""
        random = self._random
        gateway = random.randint(1, GATEWAYS)
        last = self.reference.last_requests.get(gateway, 0)
        place = last % REQUESTS_IN_EPOCH
        request = random.choice(
            (
                last,  # sent again
                last - random.randint(0, place),
                random.randint(0, last),
                last + random.randint(2, 5),  # some before it are missing
                next_request(last, random.randint(1, 3)) + random.choice((-1, 1, 2, place)),
                next_request(last, -random.randint(1, 3)),  # the start of an earlier epoch
            )
        )
        if follows(last, request):
            request += 1
        instrument = self._instrument()
        return NewOrder(
            gateway=gateway,
            request_seq=request,
            account=random.randint(1, ACCOUNTS),
            instrument=instrument.id,
            side=self._side(),
            order_type=1,
            time_in_force=1,
            price_ticks=self._price(instrument),
            quantity_lots=self._lots(instrument),
            client_order_id=self._client_order_id(),
        )

    def _retry(self) -> Command:
        """An accepted order repeated, at times with a change. It may be an old one, or one at the
        edge of the memory."""
        random = self._random
        if not self._accepted:
            return self._limit()
        back = random.choice((1, 3, 20, RETRIES, 3 * RETRIES))
        command = random.choice(random.choice((self._accepted[-back:], self._edge)))
        gateway, request, account = self._origin()
        command = replace(command, gateway=gateway, request_seq=request)
        if random.random() < 0.7:
            return command
        field = random.choice(_ALTERED)
        values = {
            "account": account,
            "instrument": random.choice((*INSTRUMENTS, COARSE)).id,
            "side": 3 - command.side,
            "order_type": 3 - command.order_type,
            "time_in_force": random.randint(1, 3),
            "client_order_id": self._client_order_id(),
            "prevention": random.choice(list(Prevention)),
            "instructions": Instructions(
                trigger_ticks=0, display_lots=0, expire_ns=0, post_only=random.random() < 0.5
            ),
        }
        if field not in values:
            values[field] = getattr(command, field) + random.choice((-1, 1))
        return replace(command, **{field: values[field]})


def random_commands(seed: int, count: int) -> list[tuple[Command, int]]:
    """The commands of a seed with real order ids, and their times."""
    return [(command, step.label) for step, command, _ in StepGenerator(seed).steps(count)]


def random_steps(seed: int, count: int) -> list[Step]:
    """The steps of a seed; `resolve` of them is `random_commands`."""
    return [step for step, _, _ in StepGenerator(seed).steps(count)]
