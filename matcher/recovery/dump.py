"""`python -m crossbook.matcher.recovery.dump DIR`: print the records of a journal as JSON
lines, with field names, or with `--digest` one line with the digest of its decisions.

Changes nothing, and may read the directory of a running matcher. Exit status: 0 done, 1 the
journal is damaged, 2 there is no such directory, or the range begins behind the journal's end.
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from crossbook.common.errors import BAD_BYTES, CrossbookError
from crossbook.common.keys import Key, key_facts
from crossbook.common.messages.codec import decode_commands, decode_events
from crossbook.common.types import MAX_INT
from crossbook.matcher.journal.digest import digest_of
from crossbook.matcher.journal.disk import Disk, FileDisk
from crossbook.matcher.journal.journal import Journal
from crossbook.matcher.journal.record import Record
from crossbook.matcher.journal.segment import segment_name

_NOT_SHOWN: Final = "not shown"


class BeyondEnd(CrossbookError):  # noqa: N818 - names a fault
    """The journal ends before the requested range."""


def documents(disk: Disk, from_seq: int, to_seq: int) -> Iterator[dict[str, Any]]:
    """Every record with a sequence number in this range, as a JSON document.

    Raises `JournalDamaged`, and `BeyondEnd` when `from_seq` is more than one behind the last
    number.
    """
    journal = Journal.open(disk, 0, b"", 0, read_only=True)
    if from_seq > journal.last_seq + 1:
        raise BeyondEnd(f"--from {from_seq}: the last number of the journal is {journal.last_seq}")
    for header, record in journal.read(from_seq):
        if record.first_seq > to_seq:
            return
        yield {"segment": segment_name(header.first_seq), **_document(record)}


def _document(record: Record) -> dict[str, Any]:
    return {
        "first_seq": record.first_seq,
        "last_seq": record.last_seq,
        "time_ns": record.time_ns,
        "commands": [named for payload in record.payloads for named in _commands(payload)],
        "events": [_named(event) for event in decode_events(record.events).events],
    }


def _commands(payload: bytes) -> list[dict[str, Any]]:
    """The commands of a payload; one that cannot be decoded changed nothing and is shown as hex."""
    try:
        return [_named(command) for command in decode_commands(payload)]
    except BAD_BYTES as error:
        return [{"type": "malformed", "reason": str(error), "payload": payload.hex()}]


def _named(message: Struct) -> dict[str, Any]:
    values = {name: getattr(message, name) for name in message.__struct_fields__}
    return {"type": type(message).__name__, **{n: _shown(n, each) for n, each in values.items()}}


def _shown(name: str, value: Any) -> Any:
    """A field as it may be shown: an act with its own fields, a key without secret and bytes."""
    if name == "act":
        return _named(value)
    if isinstance(value, Key):
        return key_facts(value)
    return _NOT_SHOWN if name == "material" else value


def main(arguments: list[str]) -> int:
    """Print the journal of a data directory; returns the exit status."""
    parser = argparse.ArgumentParser(prog="crossbook.matcher.recovery.dump", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--from", dest="from_seq", type=int, default=1, metavar="SEQ")
    parser.add_argument("--to", dest="to_seq", type=int, default=MAX_INT, metavar="SEQ")
    parser.add_argument("--digest", action="store_true", help="print the digest only")
    given = parser.parse_args(arguments)
    if not 0 <= given.from_seq <= given.to_seq:
        parser.error(f"--from {given.from_seq} is not within 0 to {given.to_seq} (--to)")
    try:
        disk = FileDisk(given.directory, read_only=True)
        if given.digest:
            sys.stdout.write(msgspec.json.encode(digest_of(disk)).decode() + "\n")
            return 0
        for document in documents(disk, given.from_seq, given.to_seq):
            sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    except OSError as error:
        sys.stderr.write(f"{given.directory}: {error.strerror or error}\n")
        return 2
    except BeyondEnd as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (CrossbookError, *BAD_BYTES) as error:
        sys.stdout.flush()
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    # A reader that closes the pipe early (`| head`) ends the program without a traceback. `main`
    # leaves the signals of its process alone: with this one, any lost connection would end it.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
