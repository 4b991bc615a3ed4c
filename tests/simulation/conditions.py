"""The conditions of one simulation: sizes, policies and faults, all drawn by a seed."""

from random import Random

from msgspec import Struct
from msgspec.structs import replace

from crossbook.common.instruments import Instrument, example
from crossbook.matcher.journal.journal import SyncPolicy
from tests.simulation.network import Harshness

INSTRUMENTS: tuple[Instrument, ...] = (
    replace(example(), max_price_ticks=10_000, max_quantity_lots=1_000_000),
    replace(
        example(), id=2, symbol="ETH-USDT", base="ETH", maker_fee_rate=-100, taker_fee_rate=700,
        max_price_ticks=10_000, max_quantity_lots=1_000_000,
    ),
)  # fmt: skip


class RunConditions(Struct, frozen=True):
    """One draw. `faults` of them are spread over the time of the `steps` requests."""

    traders: int
    consumers: int
    steps: int
    faults: int
    pipe_capacity: int
    queue_size: int
    segment_bytes: int
    snapshot_every: int
    keep_segments: int
    resend_bytes: int
    feed_history: int
    sync: SyncPolicy
    power_losses: bool
    disk_failures: bool
    clock_steps: bool
    harsh: bool
    lost: float
    doubled: float
    late: float

    @property
    def harshness(self) -> Harshness:
        """The chances of loss for streams that have to survive the loss of any message."""
        return Harshness(self.lost, self.doubled, self.late) if self.harsh else Harshness()


def draw(rng: Random, steps: int) -> RunConditions:
    """Conditions for about `steps` requests."""
    choice = rng.choice
    sync: SyncPolicy = choice(("batch", "batch", "batch", "batch", "interval", "never"))
    return RunConditions(
        traders=rng.randint(3, 6),
        consumers=rng.randint(1, 3),
        steps=steps,
        faults=rng.randint(2, 14),
        pipe_capacity=choice((8, 50, 500, 10_000)),
        queue_size=choice((2, 20, 10_000)),
        segment_bytes=choice((2_048, 8_192, 65_536)),
        snapshot_every=choice((20, 100, 1_000_000)),
        keep_segments=choice((0, 0, 0, 0, 1)),
        resend_bytes=choice((500, 5_000, 1_000_000)),
        feed_history=choice((5, 100, 10_000)),
        sync=sync,
        power_losses=rng.random() < 0.8,
        disk_failures=rng.random() < 0.5,
        clock_steps=rng.random() < 0.5,
        harsh=rng.random() < 0.5,
        lost=rng.random() ** 2 * 0.1,
        doubled=rng.random() ** 2 * 0.05,
        late=rng.random() ** 2 * 0.05,
    )
