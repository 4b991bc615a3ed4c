"""`crossbook verify` and `crossbook journal`: the matcher's own programs over its files."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from crossbook.cli.options import JsonOption
from crossbook.common.process.config import load_settings
from crossbook.common.process.programs import PRINT, VERIFY
from crossbook.common.types import MAX_INT

DirectoryArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]", show_default=False, help="The matcher's files (setting DATA_DIR)."
    ),
]
FromOption = Annotated[
    int, typer.Option("--from", min=1, metavar="SEQ", help="First sequence number.")
]
ToOption = Annotated[
    int,
    typer.Option("--to", min=1, metavar="SEQ", show_default=False, help="Last sequence number."),
]
DigestOption = Annotated[
    bool, typer.Option("--digest", help="Print the digest of all decisions, and no record.")
]


def verify(directory: DirectoryArgument = None, as_json: JsonOption = False) -> None:
    """Check the matcher's journal and snapshots from end to end.

    Replays the journal twice in fresh engines. The events must equal the recorded ones byte for
    byte; the two states must equal each other and every snapshot. Changes nothing; the matcher may
    be running. Exit status 1: something is wrong, and the output names the place.

    \b
    Examples:
      crossbook verify
      crossbook verify /var/lib/crossbook --json
    """
    run_program(VERIFY, directory, *(["--json"] if as_json else []))


def journal(
    directory: DirectoryArgument = None,
    from_seq: FromOption = 1,
    to_seq: ToOption = MAX_INT,
    digest: DigestOption = False,
    as_json: JsonOption = True,
) -> None:
    """Print the matcher's journal, one record per line, always as JSON.

    A record is a batch: its sequence numbers and time, its commands, and the events that followed
    from them. Records are printed whole: the first and last may reach beyond the given range.

    --digest prints one line instead: a digest of every command with its number and time, and of
    every event. Two runs that decided the same have the same one, however their batches were cut;
    as times count, that takes CLOCK=manual.

    \b
    Examples:
      crossbook journal | head -3
      crossbook journal --from 1000 --to 1010
      crossbook journal /var/lib/crossbook --json
      crossbook journal --digest
    """
    if digest:
        run_program(PRINT, directory, "--digest")
    run_program(PRINT, directory, "--from", str(from_seq), "--to", str(to_seq))


def run_program(module: str, directory: Path | None, *options: str) -> None:
    """Run a program of the matcher; its output and exit status become ours."""
    if directory is None:
        settings = load_settings("client")
        directory = settings.of_shard(settings.shard).data_dir
    command = [sys.executable, "-m", module, *options, "--", str(directory)]
    raise typer.Exit(max(0, subprocess.run(command, check=False).returncode))
