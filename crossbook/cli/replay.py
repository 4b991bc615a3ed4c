"""`crossbook replay`."""

import time
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
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

from crossbook.cli.admin_shards import AdminShards
from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.market_view import open_market
from crossbook.cli.options import (
    AccountOption,
    AdminOption,
    FeedOption,
    GatewayOption,
    JsonOption,
    SnapshotsOption,
    TimeoutOption,
    client_settings,
)
from crossbook.cli.order_client import order_client
from crossbook.client.client import Client
from crossbook.client.market_data import MarketData
from crossbook.common.errors import CrossbookError, DecimalError
from crossbook.common.grid import parse_decimal
from crossbook.common.instruments import Instrument
from crossbook.common.process.config import Settings
from crossbook.common.shards import shard_of
from crossbook.errors import GatewayUnavailable, MarketDataError
from crossbook.replay.check import ReplayCheck
from crossbook.replay.lobster import PRICE_DECIMALS
from crossbook.replay.recording import Recording
from crossbook.replay.recording_files import check_file, read_recording
from crossbook.replay.reference import reference_of
from crossbook.replay.replay import CHANNELS, Replay, ReplayPace, unreachable
from crossbook.replay.report import ReplayReport, report_facts, report_table
from crossbook.replay.requests import symbol_of
from crossbook.replay.sample_flow import sample_path
from crossbook.replay.venue import REPLAY_ACCOUNT, OwnInstruments, check_money, fund, own_grid

_REPLAY_TIMEOUT_S: Final = 10.0
_ADMIN_TIMEOUT_S: Final = 1.0
"""How long to wait for the administrator's socket, which most users cannot reach."""

_PROGRESS_EVERY: Final = 500


FilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FILE]...",
        show_default=False,
        help="STEM.cmd.csv[.gz], a LOBSTER message file, or the folder of a journal. Without any: "
        "the sample that comes with crossbook.",
    ),
]
SymbolOption = Annotated[
    str | None,
    typer.Option(
        "--symbol", "-s", metavar="SYMBOL", show_default=False,
        help="Instrument to trade, instead of one of its own.",
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
    admin: AdminOption = None,
    timeout: TimeoutOption = _REPLAY_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Drive recorded order flow through the exchange and compare every fill and book with it.

    Where the administrator's socket can be reached, the replay trades on an instrument of its own,
    REPLAY-1 and up, with money of its own, and cancels its orders at the end. Otherwise, and with
    --symbol, --clear or --keep-going, it trades on the instrument that is named, or guessed from
    the file's name; no other account should trade it meanwhile, and the account needs the money.

    Of a journal's folder the flow of every instrument is replayed, or of --symbol alone.

    Exit status 1: something differs. 4: it differs only where the recording breaks price-time
    priority, which the exchange kept. At full speed latencies include the wait in the window;
    --speed 1 shows those of a calm exchange.

    \b
    Examples:
      crossbook replay
      crossbook replay bitstamp_BTCUSD.cmd.csv.gz
      crossbook replay MSFT_2012-06-21_34200000_57600000_message_10.csv --speed 10
      crossbook replay backup/data
      crossbook replay *.cmd.csv.gz --symbol BTC-USD --clear --json
    """
    pace = ReplayPace(_speed(speed), batch, window)
    settings = client_settings(
        account=account, gateway=gateway, feed=feed, snapshots=snapshots, admin=admin
    )
    output = Output(as_json)
    run = _Run(settings, pace, timeout, verify, output)
    causes: set[str] = set()
    with ExitStack() as stack:
        paths = _recordings(files or [sample_path()], symbol, stack, output)
        own, why = None, ""
        if symbol is None and not clear and not keep_going:
            own, why = _own_instruments(stack, settings, timeout)
        for number, path in enumerate(paths):
            if own is not None:
                report = run.on_its_own(path, own, account or REPLAY_ACCOUNT)
            else:
                # Orders that an earlier file of this run left in the book are this run's to remove.
                emptying = clear or (number > 0 and not keep_going)
                report = run.on_shared(path, symbol, emptying, keep_going, why)
            run.print_report(report)
            causes.add(report.cause)
    raise typer.Exit(int(_status(causes)))


def _recordings(
    places: list[Path], symbol: str | None, stack: ExitStack, output: Output
) -> list[Path]:
    """The files of all recordings, those of journals' folders included."""
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            found += _recorded(place, symbol, stack, output)
        else:
            check_file(place)
            found.append(place)
    return found


def _recorded(folder: Path, symbol: str | None, stack: ExitStack, output: Output) -> list[Path]:
    """The flow of a journal as recordings, which exist until the end of `stack`."""
    # Imported here: the import takes a third of a second, and files need none of it.
    from crossbook.replay.journal_flow import journal_recordings
    from crossbook.research.selection import ExportError

    into = Path(stack.enter_context(TemporaryDirectory(prefix="crossbook-")))
    found = []
    try:
        for path, ended_by in journal_recordings(folder, into, symbol):
            found.append(path)
            if ended_by:
                output.remark(ended_by)
    except ExportError as error:
        raise CommandError(str(error), ExitStatus.USAGE, "USAGE", error.field) from error
    return found


def _status(causes: set[str]) -> ExitStatus:
    """The exit status of replays that differ for these causes, empty text where one does not."""
    if causes <= {""}:
        return ExitStatus.OK
    return ExitStatus.RECORDING if causes <= {"", "recording"} else ExitStatus.REFUSED


def _own_instruments(
    stack: ExitStack, settings: Settings, timeout: float
) -> tuple[OwnInstruments | None, str]:
    """The instruments of replays, or why there are none: no administrator can be reached."""
    addresses = [shard.matcher_admin for shard in settings.each_shard()]
    keyring = settings.client_keyring()
    shards = stack.enter_context(AdminShards(addresses, min(timeout, _ADMIN_TIMEOUT_S), keyring))
    try:
        return OwnInstruments(shards), ""
    except GatewayUnavailable as error:
        return None, str(error)


class _Run:
    """The replays of one command line, one file after the other."""

    def __init__(
        self, settings: Settings, pace: ReplayPace, timeout: float, verify: bool, output: Output
    ) -> None:
        self._settings = settings
        self._pace = pace
        self._timeout = timeout
        self._verify = verify
        self._output = output

    def print_report(self, report: ReplayReport) -> None:
        """Print the report of one file."""
        self._output.result(report_facts(report), report_table(report))

    def on_its_own(self, path: Path, own: OwnInstruments, account: int) -> ReplayReport:
        """Replay on an instrument of the replay's own, with all the money it needs."""
        recording = read_recording(path)
        guess = own.instruments.get(symbol_of(path.name, tuple(own.instruments.values())))
        tick_size, lot_size = own_grid(guess, recording.tick_size)
        reference = reference_of(recording)
        for instrument, admin in own.candidates(tick_size, lot_size):
            with order_client(self._settings, self._timeout, account) as client:
                self._wait_traded(client, instrument.symbol)
                with self._open_market(instrument.symbol) as market:
                    if self._orders(client, market, instrument.symbol):
                        continue
                    lacks = fund(admin, instrument, account, reference.needs)
                    if lacks:
                        recording.notes.append(f"account {account} may lack {lacks}: all there is")
                    check = ReplayCheck(recording, reference) if self._verify else None
                    try:
                        return self._drive(recording, client, market, check, instrument.symbol)
                    finally:
                        # The next replay uses the instrument again when its book is empty.
                        with suppress(CrossbookError):
                            client.mass_cancel(instrument.symbol)
        raise AssertionError("the last candidate is new, so no order is in it")

    def on_shared(
        self, path: Path, symbol: str | None, clear: bool, keep_going: bool, why: str
    ) -> ReplayReport:
        """Replay on an instrument that others may use. `why` is why it is not an own one."""
        settings = self._settings
        with order_client(settings, self._timeout) as client:
            instrument = _instrument(path, symbol, client.instruments, why)
            if why:
                self._output.remark(f"trading on {instrument.symbol} itself: {why}")
            recording = read_recording(path, _units_per_tick(instrument))
            reference = reference_of(recording)
            if clear:
                client.mass_cancel(instrument.symbol)
            if not keep_going:
                check_money(instrument, client.balances(), settings.account, reference.needs)
            if not self._verify:
                return self._drive(recording, client, None, None, instrument.symbol)
            with self._open_market(instrument.symbol) as market:
                check = ReplayCheck(recording, reference)
                self._prepare(client, market, check, instrument.symbol, clear, keep_going)
                return self._drive(recording, client, market, check, instrument.symbol)

    def _wait_traded(self, client: Client, symbol: str) -> None:
        """Wait until the gateway has an instrument that was just added."""
        deadline_s = time.monotonic() + self._timeout
        while symbol not in client.list_instruments():
            if time.monotonic() > deadline_s:
                raise unreachable(f"the gateway at {client.address} does not have {symbol} yet")
            client.ping()

    def _open_market(self, symbol: str) -> MarketData:
        """Market data of an instrument, loaded; a publisher may receive a new one late."""
        deadline_s = time.monotonic() + self._timeout
        while True:
            market = open_market(self._settings, [symbol], CHANNELS)
            try:
                market.wait_ready(self._timeout)
                return market
            except MarketDataError:
                market.close()
                if time.monotonic() > deadline_s:
                    raise
            except BaseException:
                market.close()
                raise

    def _orders(self, client: Client, market: MarketData, symbol: str) -> int:
        """How many orders rest, as far as the gateway has seen."""
        # The feed may be behind the gateway: orders canceled a moment ago must be gone from it.
        client.ping()
        shard = market.shard_of(symbol)
        seq = max((seq for seq in client.last_seqs if shard_of(seq) == shard), default=0)
        deadline_s = time.monotonic() + self._timeout
        while time.monotonic() < deadline_s:
            heartbeat = market.heartbeat_of(symbol)
            if heartbeat is not None and heartbeat.seq >= seq:
                break
            market.poll(0.1)
        return len(market.orders(symbol))

    def _prepare(
        self,
        client: Client,
        market: MarketData,
        check: ReplayCheck,
        symbol: str,
        clear: bool,
        keep_going: bool,
    ) -> None:
        """Empty the book, or raise unless the options allow a start with the orders in it."""
        count = self._orders(client, market, symbol)
        if not count:
            return
        if not keep_going:
            remedy = "orders of other accounts are left" if clear else "--clear cancels your own"
            raise CommandError(
                f"the book of {symbol} holds {count} orders, so nothing could be compared: "
                f"{remedy}, --keep-going starts anyway; without --symbol, --clear and --keep-going "
                "the replay gets an instrument of its own where the administrator's socket is",
                ExitStatus.REFUSED,
                "BOOK_NOT_EMPTY",
                "symbol",
            )
        check.in_use = True
        orders = market.orders(symbol)
        check.load(market.book(symbol).orders_seq, orders.orders(1), orders.orders(2))

    def _drive(
        self,
        recording: Recording,
        client: Client,
        market: MarketData | None,
        check: ReplayCheck | None,
        symbol: str,
    ) -> ReplayReport:
        """Replay, showing progress to people on standard error."""
        market = market if check is not None else None
        run = Replay(recording, client, market, check, symbol, self._pace, self._timeout)
        output = self._output
        with Progress(
            TextColumn(f"{recording.name} -> {symbol}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]} {task.fields[fills]}"),
            TimeElapsedColumn(),
            console=output.notes,
            transient=True,
            disable=output.as_json or not output.notes.is_terminal,
        ) as progress:
            task = progress.add_task("", total=len(recording.commands), rate="", fills="")
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


def _instrument(
    path: Path, symbol: str | None, instruments: dict[str, Instrument], why: str
) -> Instrument:
    """The instrument named, or the one in the file's name; `why` is the reason that the replay has
    none of its own."""
    name = symbol.upper() if symbol else symbol_of(path.name, tuple(instruments.values()))
    if name in instruments:
        return instruments[name]
    known = ", ".join(instruments)
    text = (
        f"{symbol} is not traded here, but {known}"
        if symbol
        else f"{path.name} does not name its instrument: give --symbol, one of {known}"
    )
    if why:
        text = f"{text}; or let it have one of its own: {why}"
    raise CommandError(text, ExitStatus.USAGE, "UNKNOWN_SYMBOL", "symbol")


def _units_per_tick(instrument: Instrument) -> int:
    """The tick in LOBSTER's price unit. A finer tick allows every price of the file."""
    try:
        return max(1, parse_decimal(instrument.tick_size, PRICE_DECIMALS))
    except DecimalError:
        return 1
