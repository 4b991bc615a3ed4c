"""`crossbook backup`: a copy of a running exchange that starts."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.options import JsonOption
from crossbook.common.process.config import Settings, load_settings
from crossbook.common.process.private import close_files, private_folder
from crossbook.common.process.programs import BACKUP

DATABASE: Final = "history.db"
"""The file that the default of `DATABASE_URL` names in a data directory."""


def backup(
    target: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", show_default=False, help="New or empty: where to copy."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Copy the journal, snapshots and history of an exchange, which may be running.

    Everything acknowledged before the command began is in the copy. Copying DATA_DIR itself is
    safe only while nothing runs. To restore, stop the exchange and start it with DATA_DIR set to
    the copy, or to a copy of that. A history on PostgreSQL is not copied: use pg_dump before this
    command, or let the recorder make it anew from the journal.

    \b
    Examples:
      crossbook backup /backups/monday
      DATA_DIR=/backups/monday crossbook run
    """
    # Of any of its processes: where the files are does not depend on which.
    settings = load_settings("client")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        text = f"{target} is there and not an empty folder"
        raise CommandError(text, ExitStatus.USAGE, "USAGE", "FOLDER")
    try:
        shards = [
            _shard(each, target / f"shard-{each.shard}" if each.shard else target)
            for each in settings.each_shard()
        ]
        instruments = shutil.copyfile(settings.instruments_file, target / "instruments.toml")
        close_files([instruments])
    except (OSError, sqlite3.Error) as error:
        raise CommandError(f"{target}: {error}", ExitStatus.USAGE, "UNREADABLE_FILE") from error
    lines = [
        f"journal    {facts['first_seq']} to {facts['last_seq']}, {facts['segments']} segments; "
        f"snapshots {', '.join(map(str, facts['snapshots'])) or 'none'}; history "
        f"{'copied' if facts['history'] else 'not copied'}"
        for facts in shards
    ]
    lines += [
        f"check it   crossbook verify {target}",
        f"start it   DATA_DIR={target} crossbook run",
    ]
    Output(as_json).result({"folder": str(target), "shards": shards}, "\n".join(lines))


def _shard(settings: Settings, target: Path) -> dict[str, Any]:
    """Copy the files of one shard; the history first, because it must not be ahead of the
    journal."""
    private_folder(target)
    # Imported here: the import takes a third of a second, and only this command needs it.
    from sqlalchemy.engine import make_url

    database = make_url(settings.database())
    source = Path(database.database or "") if database.get_backend_name() == "sqlite" else None
    history = source is not None and source.is_file()
    if source is not None and history:
        _copy_database(source, target / DATABASE)
    command = [sys.executable, "-m", BACKUP, "--", str(settings.data_dir), str(target)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        status = ExitStatus.REFUSED if done.returncode == 1 else ExitStatus.USAGE
        raise CommandError(done.stderr.strip(), status, "BACKUP_FAILED")
    facts: dict[str, Any] = json.loads(done.stdout)
    return {"shard": settings.shard, "history": history, **facts}


def _copy_database(source: Path, target: Path) -> None:
    """A copy as of one moment, while the recorder may go on writing."""
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as original,
        closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)
    close_files([target])
