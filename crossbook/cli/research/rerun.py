"""`crossbook rerun`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from crossbook.cli.journal import DirectoryArgument, run_program
from crossbook.cli.options import JsonOption
from crossbook.common.process.programs import RERUN

InstrumentsOption = Annotated[
    Path | None,
    typer.Option(
        "--instruments", metavar="FILE", show_default=False,
        help="Other limits, fees, bands, opening balances: an instruments file.",
    ),
]  # fmt: skip
AccountsOption = Annotated[
    Literal["on", "off"] | None,
    typer.Option(
        "--accounts", metavar="on|off", show_default=False,
        help="With or without accounts, instead of as recorded.",
    ),
]  # fmt: skip
WithoutOption = Annotated[
    list[int] | None,
    typer.Option(
        "--without", metavar="ACCOUNT", min=1, show_default=False,
        help="Leave the commands of an account out; may be repeated.",
    ),
]  # fmt: skip
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="DIR", show_default=False,
        help="A new folder for the journal of the rerun.",
    ),
]  # fmt: skip


def rerun(
    directory: DirectoryArgument = None,
    instruments: InstrumentsOption = None,
    accounts: AccountsOption = None,
    without: WithoutOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
) -> None:
    """Apply the commands of a journal anew, and report what would have been otherwise.

    The same commands at the same times meet other limits, fees, bands or money, or a market
    without some accounts; of everything, the report has the figures before and now. Without an
    option they meet the present edition of the rules. With --output the rerun becomes a journal of
    its own: export it, or start an exchange that trades on from there. The journal itself is only
    read; its exchange may be running.

    \b
    Examples:
      crossbook rerun --instruments cheaper.toml
      crossbook rerun data --without 9001 --output without
      crossbook export trades --journal without
    """
    words: list[str] = []
    for option, value in (("--instruments", instruments), ("--accounts", accounts)):
        words += [] if value is None else [option, str(value)]
    for account in without or ():
        words += ["--without", str(account)]
    words += [] if output is None else ["--output", str(output)]
    words += ["--json"] if as_json else []
    run_program(RERUN, directory, *words)
