"""The output of the command line: for people, for programs (`--json`), and exit statuses.

Exit status 0: done. 1: the exchange refused, or a replay differs. 2: usage, configuration or an
unreadable file. 3: not reachable, or the outcome is unknown. 4: a replay differs where the
recording breaks price-time priority, and nowhere else.
"""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console, RenderableType
from typer.core import TyperGroup

from crossbook.cli.terminal import INTERRUPTED, print_anything
from crossbook.common.errors import ConfigError, CrossbookError, DecimalError
from crossbook.csv_file import RecordingError
from crossbook.errors import (
    ActRefused,
    AdvanceRefused,
    InvalidArgument,
    OrderRejected,
    OutcomeUnknown,
)

_NEGATIVE: Final = re.compile(r"-\.?\d[\d.]*")

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer's (or click's) error for a wrong command line."""

_PIPE_WIDTH: Final = 200


class ExitStatus(IntEnum):
    """Exit statuses of `crossbook`."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    RECORDING = 4


class CommandError(CrossbookError):
    """A command cannot be carried out; has its exit status."""

    def __init__(self, text: str, status: ExitStatus, code: str, field: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.field = field


class _PipeConsole(Console):
    """A console whose reader may close the pipe before the end."""

    def on_broken_pipe(self) -> None:
        _end_quietly()


def _end_quietly() -> NoReturn:
    """The reader of our output has gone (`crossbook trades | head`): that is no error."""
    # Python flushes standard output once more at exit, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(int(ExitStatus.OK))


class Output:
    """Prints results: a JSON object per line with `--json`, else text for people."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        # Into a pipe or a file lines keep their length.
        width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
        self.console = _PipeConsole(highlight=False, emoji=False, width=width)
        """Standard output."""
        self.notes = Console(stderr=True, highlight=False, emoji=False)
        """Standard error: progress and remarks."""

    def result(self, facts: Mapping[str, Any], text: RenderableType) -> None:
        """Print one result, as JSON or for people."""
        if self.as_json:
            print(json.dumps(facts), flush=True)
        else:
            self.console.print(text)

    def remark(self, text: str) -> None:
        """Print a note for the user, on standard error."""
        if not self.as_json:
            self.notes.print(text, markup=False, soft_wrap=True)


def error_facts(error: Exception) -> tuple[ExitStatus, dict[str, str]]:
    """Exit status of an error, and its facts for `--json`."""
    status, code, field = ExitStatus.UNREACHABLE, "UNREACHABLE", ""
    message = str(error)
    if isinstance(error, CommandError):
        status, code, field = error.status, error.code, error.field
    elif isinstance(error, OrderRejected):
        status, field, message = ExitStatus.REFUSED, error.field, error.text
        code = getattr(error.reason, "name", str(error.reason))
    elif isinstance(error, ActRefused):
        status, code, field = ExitStatus.REFUSED, error.reason, error.field
        message = error.text
    elif isinstance(error, AdvanceRefused):
        status, code, field = ExitStatus.REFUSED, "ADVANCE_REFUSED", error.field
        message = error.text
    elif isinstance(error, OutcomeUnknown):
        code = "OUTCOME_UNKNOWN"
    elif isinstance(error, ConfigError):
        status, code = ExitStatus.USAGE, "CONFIGURATION"
    elif isinstance(error, RecordingError):
        status, code = ExitStatus.USAGE, "UNREADABLE_FILE"
    elif isinstance(error, InvalidArgument):
        status, code, field = ExitStatus.USAGE, "USAGE", error.field
    elif isinstance(error, (DecimalError, UsageError)):
        status, code = ExitStatus.USAGE, "USAGE"
        message = getattr(error, "format_message", lambda: str(error))()
    return status, {"code": code, "message": message, "field": field}


def _check_not_empty(words: Sequence[str]) -> None:
    """Refuse a command line with an empty word: an unset variable must not count as an argument
    that was left out, and so widen a command."""
    for before, word in zip(("crossbook", *words), words, strict=False):
        option, mark, value = word.partition("=")
        if not word.strip():
            text = f"the word after {before!r} is empty; leave it out if nothing is meant"
        elif word.startswith("--") and mark and not value.strip():
            text, before = f"{option} is empty; leave it out if nothing is meant", option
        else:
            continue
        field = before[2:].replace("-", "_") if before.startswith("--") else ""
        raise CommandError(text, ExitStatus.USAGE, "USAGE", field)


def _negative_number(error: Exception, words: Sequence[str]) -> CommandError | None:
    """The message that replaces "no such option: -0" for a negative number."""
    name = str(getattr(error, "option_name", ""))
    for word in words:
        if name and word.startswith(name) and _NEGATIVE.fullmatch(word):
            return CommandError(
                f"{word} is negative: quantities, prices and amounts are above zero (where a "
                "number may be negative, as a rebate of admin fees, put -- before it)",
                ExitStatus.USAGE,
                "USAGE",
            )
    return None


class CrossbookGroup(TyperGroup):
    """Turns errors into messages and exit statuses; no traceback is shown."""

    _as_json = False
    _words: Sequence[str] = ()

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """Run a command line."""
        print_anything()
        words = list(sys.argv[1:] if args is None else args)
        self._as_json = "--json" in words
        self._words = words
        return super().main(words, *rest, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; any expected error ends it with its exit status."""
        try:
            _check_not_empty(self._words)
            return super().invoke(ctx)
        except UsageError as error:
            negative = _negative_number(error, self._words)
            if negative is None and not self._as_json:
                raise
            self._report(negative or error)
        except CrossbookError as error:
            self._report(error)
        except BrokenPipeError:
            _end_quietly()
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        return None

    def _report(self, error: Exception) -> None:
        status, facts = error_facts(error)
        if self._as_json:
            print(json.dumps({"error": facts}), flush=True)
        else:
            name = facts["code"] + (f" ({facts['field']})" if facts["field"] else "")
            Console(stderr=True, highlight=False, emoji=False).print(
                f"{name}: {facts['message']}", style="red", markup=False, soft_wrap=True
            )
        raise typer.Exit(int(status)) from None


HELP: Final = """Run a Crossbook exchange, trade on it, watch its books, replay recorded order flow,
simulate a market, and check what the exchange stored.

Every command takes --help, with examples, and --json. Addresses and the account come from the
environment or .env (GATEWAY_ORDERS, PUBLISHER_FEED, PUBLISHER_SNAPSHOTS, ACCOUNT) and can be
given as options.

Exit status: 0 done; 1 refused by the exchange, a replay differs, a journal is wrong, or the
process checked does not answer; 2 wrong usage, configuration or file; 3 not reachable, or outcome
unknown; 4 a replay differs only where the recording breaks price-time priority.
"""


def application() -> typer.Typer:
    """A new application with `--version` and no command."""
    app = typer.Typer(
        cls=CrossbookGroup,
        name="crossbook",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help=HELP,
    )
    app.callback()(_main)
    return app


def _version(requested: bool) -> None:
    if requested:
        try:
            print(f"crossbook {version('crossbook')}")
        except PackageNotFoundError:
            print("crossbook (not installed)")
        raise typer.Exit


def _main(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass
