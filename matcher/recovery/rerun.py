"""`python -m crossbook.matcher.recovery.rerun DIR`: apply the commands of a journal anew, under
other instruments, fees and rules, or without some accounts, and report what they lead to.

Two engines apply every command at its recorded time: one as it was, whose events must be the
recorded ones, and one as asked. Order ids of the one are those of the other where commands name
them, and a repeat that was not applied is not applied here either. DIR is only read. With
`--output` the second engine's commands and events become a journal of their own, from which an
exchange goes on. Exit status: 0 done, 1 the journal is damaged or another program's, 2 wrong usage
or files.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from crossbook.matcher.build import use_build

if __name__ == "__main__":
    # The imports below load the engine.
    use_build()

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crossbook.common.errors import BAD_BYTES, ConfigError, CrossbookError
from crossbook.common.instruments import Instrument, check_change
from crossbook.common.instruments_file import load_instruments, load_rules
from crossbook.common.messages.codec import decode_commands, decode_events, encode
from crossbook.common.messages.commands import (
    AddInstrument,
    Administer,
    AdvanceTime,
    AmendOrder,
    CancelOrder,
    Command,
)
from crossbook.common.messages.events import Event, EventBatch, InstrumentAdded
from crossbook.common.rules import (
    Configuration,
    Rules,
    decode_configuration,
    encode_configuration,
)
from crossbook.matcher.engine import queries
from crossbook.matcher.engine.engine import Engine
from crossbook.matcher.journal.disk import Disk, FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.journal.record import Record
from crossbook.matcher.recovery.rerun_report import (
    Differences,
    Report,
    Totals,
    facts,
    text,
)

SEGMENT_BYTES = 64 * 1024 * 1024


class Otherwise(Struct, frozen=True):
    """What is otherwise in the second run. Instruments replace those of their id; `file_rules`
    are the rules of their file; None leaves what was recorded."""

    instruments: dict[int, Instrument] = {}
    file_rules: Rules | None = None
    accounts: bool | None = None
    without: frozenset[int] = frozenset()

    def instrument(self, recorded: Instrument) -> Instrument:
        """The instrument in the place of a recorded one; raises `ConfigError` where its name,
        assets or grid are others, as the commands would mean something else."""
        found = self.instruments.get(recorded.id, recorded)
        check_change(recorded, found)
        return found

    def configuration(self, recorded: Configuration) -> tuple[list[Instrument], Rules]:
        """Instruments and rules in the place of recorded ones."""
        instruments = [self.instrument(each) for each in recorded.instruments]
        rules = self.file_rules or recorded.rules
        accounts = recorded.rules.accounts if self.accounts is None else self.accounts
        return instruments, replace(rules, accounts=accounts)


class Rerun:
    """One rerun of a journal; `output` is a disk for the journal of the second run.

    Raises `CrossbookError`: `ConfigError` where the instruments may not replace the recorded ones.
    """

    def __init__(self, journal: Journal, otherwise: Otherwise, output: Disk | None = None) -> None:
        if journal.first_seq != journal.base_seq + 1:
            raise ConfigError(
                f"the journal begins with command {journal.first_seq}: a rerun needs it from its "
                "first command on"
            )
        self._journal = journal
        self._otherwise = otherwise
        self._before, self._now = Engine([]), Engine([])
        self._before.seq = self._now.seq = journal.base_seq
        self._now_ids: dict[int, int] = {}
        self._totals = (Totals.empty(), Totals.empty())
        self._differences = Differences.empty()
        self._left_out = 0
        self._writer = None if output is None else _Writer(output, journal.base_seq)

    @property
    def instruments(self) -> dict[int, Instrument]:
        """Every instrument of the second run, by id."""
        return {each.id: each for each in self._now.instruments}

    def run(self) -> Report:
        """All of it."""
        configuration = b""
        for header, record in self._journal.read(self._journal.first_seq):
            if header.configuration != configuration:
                configuration = header.configuration
                self._configure(decode_configuration(configuration))
            self._apply(record)
        if self._writer is not None:
            self._writer.close()
        return Report(
            self._before.seq - self._journal.base_seq,
            self._left_out,
            *self._totals,
            self._differences,
            list(self._balances()),
            self._journal.first_seq,
            self._journal.last_seq,
        )

    def _configure(self, recorded: Configuration) -> None:
        self._before.configure(recorded.instruments, recorded.rules, recorded.edition)
        instruments, rules = self._otherwise.configuration(recorded)
        self._now.configure(instruments, rules)
        if self._writer is not None:
            self._writer.configure(encode_configuration(instruments, rules))

    def _apply(self, record: Record) -> None:
        """Apply a record in both engines; the first one must lead to its events."""
        first_seq, now_first_seq = self._before.seq + 1, self._now.seq + 1
        was: list[Event] = []
        became: list[Event] = []
        applied: list[Command] = []
        for command in _commands(record):
            before_seq = self._before.seq
            before = self._before.apply(command, record.time_ns)
            was += before
            if not before and type(command) is not AdvanceTime:
                # A repeat: it was applied before.
                continue
            if command.account in self._otherwise.without:
                self._left_out += 1
                self._count(before, ())
                continue
            here = self._in_this_run(command, before)
            applied.append(here)
            now = self._now.apply(here, record.time_ns)
            became += now
            if type(command) is not AdvanceTime:
                self._now_ids[self._before.seq] = self._now.seq
            self._count(before, now)
            self._differences.compare(before_seq + 1, command, before, now, self._now_ids)
        batch = EventBatch(
            self._journal.incarnation, first_seq, self._before.seq, record.time_ns, was
        )
        encoded = encode(batch)
        # Fields that were appended since count with their defaults.
        if encoded != record.events and encoded != encode(decode_events(record.events)):
            raise CrossbookError(
                f"record {first_seq}: these commands lead to other events here than were recorded; "
                "rerun it with the version of the program that wrote it"
            )
        if self._writer is not None:
            self._writer.append(now_first_seq, self._now.seq, record.time_ns, applied, became)

    def _in_this_run(self, command: Command, before: list[Event]) -> Command:
        """A command as the second engine gets it. It has no origin: the gateway's numbers would
        have holes where commands are left out."""
        if type(command) is AdvanceTime:
            return command
        if type(command) is Administer:
            act: Any = self._in_this_run(command.act, before)
            return replace(command, gateway=0, request_seq=0, act=act)
        if isinstance(command, CancelOrder | AmendOrder) and command.order_id:
            now_id = self._now_ids.get(command.order_id, command.order_id)
            return replace(command, gateway=0, request_seq=0, order_id=now_id)
        added = any(type(event) is InstrumentAdded for event in before)
        if type(command) is AddInstrument and added:
            definition = self._otherwise.instrument(command.definition)
            return replace(command, gateway=0, request_seq=0, definition=definition)
        return replace(command, gateway=0, request_seq=0)

    def _count(self, before: Any, now: Any) -> None:
        for totals, events, engine in zip(
            self._totals, (before, now), (self._before, self._now), strict=True
        ):
            totals.add(events, partial(_instrument, engine))

    def _balances(self) -> Iterator[tuple[int, str, int, int]]:
        """The balances that differ in the end, in accounts that both runs keep."""
        if self._before.ledger is None or self._now.ledger is None:
            return
        for account in sorted({*self._before.accounts, *self._now.accounts}):
            before, now = (
                {each.asset: each.total_units for each in queries.balances(engine, account)}
                for engine in (self._before, self._now)
            )
            for asset in sorted({*before, *now}):
                if before.get(asset, 0) != now.get(asset, 0):
                    yield account, asset, before.get(asset, 0), now.get(asset, 0)


def _instrument(engine: Engine, number: int) -> Instrument:
    return engine.books[number].instrument


class _Writer:
    """The journal of the second run."""

    def __init__(self, disk: Disk, base_seq: int) -> None:
        self._disk = disk
        self._base_seq = base_seq
        self._incarnation = time.time_ns()
        self._journal: Journal | None = None

    def configure(self, configuration: bytes) -> None:
        """Append the next records under another configuration."""
        self.close()
        self._journal = Journal.open(
            self._disk,
            self._incarnation,
            configuration,
            SEGMENT_BYTES,
            "never",
            base_seq=self._base_seq,
        )

    def append(
        self,
        first_seq: int,
        last_seq: int,
        time_ns: int,
        commands: list[Command],
        events: list[Event],
    ) -> None:
        """Write one batch; one without a number leaves nothing."""
        assert self._journal is not None, "a segment's head comes first"
        if last_seq >= first_seq:
            batch = EventBatch(self._journal.incarnation, first_seq, last_seq, time_ns, events)
            self._journal.append(
                Record(first_seq, last_seq, time_ns, [encode(commands)], encode(batch))
            )

    def close(self) -> None:
        """Everything is durable."""
        if self._journal is not None:
            self._journal.close()


def _commands(record: Record) -> Iterator[Command]:
    for payload in record.payloads:
        try:
            yield from decode_commands(payload)
        except BAD_BYTES:
            # It changed nothing when it was received either.
            continue


def main(arguments: list[str]) -> int:
    """Rerun the journal of a data directory; returns the exit status."""
    parser = argparse.ArgumentParser(prog="crossbook.matcher.recovery.rerun", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--instruments", type=Path, metavar="FILE")
    parser.add_argument("--accounts", choices=["on", "off"])
    parser.add_argument("--without", type=int, action="append", default=[], metavar="ACCOUNT")
    parser.add_argument("--output", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    accounts = None if given.accounts is None else given.accounts == "on"
    try:
        instruments: dict[int, Instrument] = {}
        rules = None
        if given.instruments is not None:
            instruments = {each.id: each for each in load_instruments(given.instruments)}
            rules = load_rules(given.instruments, accounts=True)
        otherwise = Otherwise(instruments, rules, accounts, frozenset(given.without))
        journal = Journal.open(FileDisk(given.directory, read_only=True), 0, b"", 0, read_only=True)
        if not journal.segment_names:
            raise ConfigError(f"{given.directory}: holds no journal")
        with ExitStack() as stack:
            output = None
            if given.output is not None:
                output = stack.enter_context(_new_disk(given.output))
            rerun = Rerun(journal, otherwise, output)
            report = rerun.run()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{error.filename or given.directory}: {error.strerror or error}\n")
        return 2
    except CrossbookError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    found = facts(report, rerun.instruments)
    sys.stdout.write(msgspec.json.encode(found).decode() if given.json else text(found))
    sys.stdout.write("\n")
    return 0


@contextmanager
def _new_disk(folder: Path) -> Iterator[FileDisk]:
    """A disk in a new or empty folder, which an error leaves empty; raises `ConfigError` for
    another folder."""
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: is not empty; name a new folder for the journal")
    disk = FileDisk(folder)
    try:
        yield disk
    except BaseException:
        for name in disk.names():
            disk.remove(name)
        raise
    finally:
        disk.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
