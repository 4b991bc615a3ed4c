"""`crossbook replay`."""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from common.config import Settings
from common.errors import DecimalError
from common.instruments import Instrument, parse_decimal
from common.shards import shard_of
from crossbook.client import Client
from crossbook.console import CommandError, ExitStatus, Output
from crossbook.lobster import PRICE_DECIMALS
from crossbook.market_data import MarketData
from crossbook.options import (
    AccountOption,
    FeedOption,
    GatewayOption,
    JsonOption,
    SnapshotsOption,
    TimeoutOption,
    client_settings,
)
from crossbook.recording import Recording
from crossbook.recording_files import read_recording
from crossbook.replay import CHANNELS, Pace, Replay
from crossbook.replay_check import ReplayCheck
from crossbook.replay_report import ReplayReport, report_facts, report_table
from crossbook.replay_requests import symbol_of
from crossbook.sample_flow import sample_path
from crossbook.watching import open_market

_REPLAY_TIMEOUT_S: Final = 10.0

_PROGRESS_EVERY: Final = 500


FilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FILE]...",
        show_default=False,
        help="STEM.cmd.csv[.gz], or a LOBSTER message file. Without any: the sample that comes "
        "with crossbook.",
    ),
]
SymbolOption = Annotated[
    str | None,
    typer.Option(
        "--symbol", "-s", metavar="SYMBOL", show_default=False,
        help="Instrument to trade; guessed from the file's name if left out.",
    ),
]  # fmt: skip
SpeedOption = Annotated[
    str, typer.Option("--speed", metavar="max|realtime|N", help="How fast; N times real time.")
]
BatchOption = Annotated[
    int, typer.Option("--batch", min=1, max=1024, help="Most commands in one message.")
]
WindowOption = Annotated[
    int, typer.Option("--window", min=1, max=50_000, help="Most commands without an answer.")
]
ClearOption = Annotated[
    bool, typer.Option("--clear", help="First cancel the account's orders of the instrument.")
]
KeepGoingOption = Annotated[
    bool, typer.Option("--keep-going", help="Start even if the book is not empty.")
]
VerifyOption = Annotated[
    bool, typer.Option("--verify/--no-verify", help="Compare with the recording.")
]


def replay(
    files: FilesArgument = None,
    symbol: SymbolOption = None,
    speed: SpeedOption = "max",
    batch: BatchOption = 32,
    window: WindowOption = 1024,
    clear: ClearOption = False,
    keep_going: KeepGoingOption = False,
    verify: VerifyOption = True,
    account: AccountOption = None,
    gateway: GatewayOption = None,
    feed: FeedOption = None,
    snapshots: SnapshotsOption = None,
    timeout: TimeoutOption = _REPLAY_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Drive recorded order flow through the exchange and compare what happens.

    Every fill is compared with the recording (maker, price, quantity and order), and the book
    after every command for which the recording shows it, as seen on the public feed. Exit status
    1 says that something differs. Nobody else should trade the instrument meanwhile. At full
    speed latencies include the wait in the window; --speed 1 shows those of a calm exchange.

    \b
    Examples:
      crossbook replay
      crossbook replay bitstamp_BTCUSD.cmd.csv.gz --symbol BTC-USD
      crossbook replay MSFT_2012-06-21_34200000_57600000_message_10.csv --speed 10
      crossbook replay *.cmd.csv.gz --clear --json
    """
    pace = Pace(_speed(speed), batch, window)
    settings = client_settings(account=account, gateway=gateway, feed=feed, snapshots=snapshots)
    output = Output(as_json)
    paths = files or [sample_path()]
    equal = True
    with Client(settings.gateway_orders, settings.account, timeout) as client:
        for number, path in enumerate(paths):
            instrument = _instrument(path, symbol, client.instruments)
            recording = read_recording(path, _units_per_tick(instrument))
            # What an earlier file of this run left in the book is ours to remove.
            emptying = clear or (number > 0 and not keep_going)
            run = _Run(client, settings, recording, instrument.symbol, timeout)
            report = run.go(pace, emptying, keep_going, verify, output)
            output.result(report_facts(report), report_table(report))
            equal = equal and report.equal
    if not equal:
        raise typer.Exit(int(ExitStatus.REFUSED))


class _Run:
    """One file's replay with its progress bar."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        recording: Recording,
        symbol: str,
        timeout: float,
    ) -> None:
        self._client = client
        self._settings = settings
        self._recording = recording
        self._symbol = symbol
        self._timeout = timeout

    def go(
        self, pace: Pace, clear: bool, keep_going: bool, verify: bool, output: Output
    ) -> ReplayReport:
        """Replay, showing progress to people on standard error."""
        if clear:
            self._client.mass_cancel(self._symbol)
        if not verify:
            return self._drive(None, None, pace, output)
        with open_market(self._settings, [self._symbol], CHANNELS) as market:
            market.wait_ready(self._timeout)
            check = ReplayCheck(self._recording)
            self._prepare(market, check, clear, keep_going)
            return self._drive(market, check, pace, output)

    def _prepare(
        self, market: MarketData, check: ReplayCheck, clear: bool, keep_going: bool
    ) -> None:
        """See to it that the book is empty, or that starting with what is there was asked for."""
        # The feed may be behind the gateway: orders canceled a moment ago must be gone from it.
        self._client.ping()
        shard = market.shard_of(self._symbol)
        seq = max((seq for seq in self._client.last_seqs if shard_of(seq) == shard), default=0)
        deadline_s = self._timeout
        while deadline_s > 0:
            heartbeat = market.heartbeat_of(self._symbol)
            if heartbeat is not None and heartbeat.seq >= seq:
                break
            market.poll(0.1)
            deadline_s -= 0.1
        orders = market.orders(self._symbol)
        if not len(orders):
            return
        if not keep_going:
            remedy = "orders of other accounts are left" if clear else "--clear cancels your own"
            raise CommandError(
                f"the book of {self._symbol} holds {len(orders)} orders, so nothing could be "
                f"compared: {remedy}, --keep-going starts anyway",
                ExitStatus.REFUSED,
                "BOOK_NOT_EMPTY",
                "symbol",
            )
        book = market.book(self._symbol)
        check.load(book.orders_seq, orders.orders(1), orders.orders(2))

    def _drive(
        self, market: MarketData | None, check: ReplayCheck | None, pace: Pace, output: Output
    ) -> ReplayReport:
        run = Replay(
            self._recording, self._client, market, check, self._symbol, pace, self._timeout
        )
        with Progress(
            TextColumn(f"{self._recording.name} -> {self._symbol}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]} {task.fields[fills]}"),
            TimeElapsedColumn(),
            console=output.notes,
            transient=True,
            disable=output.as_json or not output.notes.is_terminal,
        ) as progress:
            total = len(self._recording.commands)
            task = progress.add_task("", total=total, rate="", fills="")
            return run.run(lambda state: _show(progress, task, state, check))


def _show(progress: Progress, task: TaskID, run: Replay, check: ReplayCheck | None) -> None:
    shown = progress.tasks[0]
    if run.answered - shown.completed < _PROGRESS_EVERY and run.answered < (shown.total or 0):
        return
    speed = shown.finished_speed or shown.speed
    rate = f"{speed:,.0f}/s" if speed else ""
    fills = f"{check.fill_count:,} fills" if check is not None else ""
    progress.update(task, completed=run.answered, rate=rate, fills=fills)


def _speed(text: str) -> float | None:
    words = {"max": None, "realtime": 1.0}
    if text in words:
        return words[text]
    try:
        factor = parse_decimal(text, 6) / 1_000_000
    except DecimalError:
        factor = 0.0
    if not 0 < factor <= 1_000_000:
        raise CommandError(
            f"{text!r} is none of max, realtime and a number up to 1000000",
            ExitStatus.USAGE,
            "USAGE",
            "speed",
        )
    return factor


def _instrument(path: Path, symbol: str | None, instruments: dict[str, Instrument]) -> Instrument:
    name = symbol.upper() if symbol else symbol_of(path.name, tuple(instruments.values()))
    if name in instruments:
        return instruments[name]
    known = ", ".join(instruments)
    text = (
        f"{symbol} is not traded here, but {known}"
        if symbol
        else f"{path.name} does not tell its instrument: give --symbol, one of {known}"
    )
    raise CommandError(text, ExitStatus.USAGE, "UNKNOWN_SYMBOL", "symbol")


def _units_per_tick(instrument: Instrument) -> int:
    """The tick in LOBSTER's price unit; one that is finer cannot be meant, and takes any price."""
    try:
        return max(1, parse_decimal(instrument.tick_size, PRICE_DECIMALS))
    except DecimalError:
        return 1
