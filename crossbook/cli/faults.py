"""`crossbook admin faults`: the fault rules of an exchange with `FAULTS=on`, over its HTTP API."""

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.options import (
    DEFAULT_TIMEOUT_S,
    JsonOption,
    TimeoutOption,
    client_settings,
)
from crossbook.client.faults import Faults
from crossbook.client.process_probe import http_tls, http_url
from crossbook.common.faults.kinds import KINDS, FaultRuleError
from crossbook.common.faults.rule import FaultRule
from crossbook.common.faults.table import FaultState
from crossbook.errors import FaultRefused
from crossbook.request_signer import RequestSigner

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Break an exchange on purpose, for tests of programs that trade there (FAULTS=on).",
)

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", show_default=False, rich_help_panel="Connection",
        help="The gateway's HTTP API (settings API_HOST and API_PORT).",
    ),
]  # fmt: skip

_SCHEDULE: Final = tuple(field.name for field in msgspec.structs.fields(FaultRule))


KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file", metavar="FILE", show_default=False, rich_help_panel="Connection",
        help="JSON with key_id and secret of an HMAC key of scope admin (AUTH=on).",
    ),
]  # fmt: skip


def _faults(url: str | None, timeout: float, key_file: Path | None) -> Faults:
    signer = None if key_file is None else RequestSigner.from_file(key_file)
    if url is not None:
        return Faults(url, timeout, signer=signer)
    settings = client_settings()
    return Faults(http_url(settings), timeout, signer=signer, tls=http_tls(settings))


@app.command()
def add(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Such as refuse; see kinds.")],
    fields: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=VALUE]...", help="Selectors, schedule and parameters."),
    ] = None,
    url: UrlOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a rule in force; prints its id.

    \b
    Examples:
      crossbook admin faults add delay account=1 milliseconds=200 next=3
      crossbook admin faults add refuse status=429 retry_after_s=5 every=10
      crossbook admin faults add answer_unknown probability=0.1 seed=7
    """
    values = dict(map(_pair, fields or ()))
    try:
        fault = _faults(url, timeout, key_file).add(kind, **values)
    except FaultRuleError as error:
        raise CommandError(error.text, ExitStatus.USAGE, "USAGE", error.field) from error
    except FaultRefused as error:
        raise _refusal(error) from error
    rule = msgspec.to_builtins(fault.rule)
    Output(as_json).result({"id": fault.id, "rule": rule}, f"rule {fault.id}: {_text(rule)}")


@app.command("list")
def list_rules(
    url: UrlOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the rules in force, and how often each was applied.

    \b
    Examples:
      crossbook admin faults list
      crossbook admin faults list --json
    """
    faults = _faults(url, timeout, key_file)
    try:
        states = faults.states()
    except FaultRefused as error:
        raise _refusal(error) from error
    table: Table | str = "no rule is in force"
    if states:
        table = _table(states)
    Output(as_json).result({"faults": msgspec.to_builtins(states)}, table)


@app.command()
def remove(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, help="Id of the rule.")],
    url: UrlOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove one rule.

    \b
    Examples:
      crossbook admin faults remove 3
    """
    try:
        _faults(url, timeout, key_file).remove(number)
    except FaultRefused as error:
        raise _refusal(error) from error
    Output(as_json).result({"removed": 1}, f"rule {number} is removed")


@app.command()
def clear(
    url: UrlOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove all rules at once.

    \b
    Examples:
      crossbook admin faults clear
    """
    try:
        removed = _faults(url, timeout, key_file).clear()
    except FaultRefused as error:
        raise _refusal(error) from error
    Output(as_json).result({"removed": removed}, f"{removed} rules are removed")


@app.command()
def kinds(as_json: JsonOption = False) -> None:
    """Show every kind of fault, its selectors and its parameters.

    \b
    Examples:
      crossbook admin faults kinds
    """
    facts = [_facts_of(name, kind) for name, kind in KINDS.items()]
    table = Table(box=None, pad_edge=False)
    for column in ("kind", "parameters", "selectors"):
        table.add_column(column)
    for each in facts:
        table.add_row(each["kind"], " ".join(each["parameters"]), " ".join(each["selectors"]))
    Output(as_json).result({"kinds": facts, "schedule": _SCHEDULE}, table)


def _facts_of(name: str, kind: type[FaultRule]) -> dict[str, Any]:
    fields = [field.name for field in msgspec.structs.fields(kind)]
    parameters = [field for field in fields if field not in (*kind.selectors, *_SCHEDULE)]
    return {
        "kind": name,
        "meaning": (kind.__doc__ or "").strip().partition("\n")[0],
        "selectors": list(kind.selectors),
        "parameters": parameters,
    }


def _table(states: list[FaultState]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("id", "process", "rule", "concerned", "applied", "left"):
        table.add_column(column)
    for state in msgspec.to_builtins(states):
        table.add_row(
            str(state["id"]), state["process"], _text(state["rule"]), str(state["concerned"]),
            str(state["applied"]), str(state.get("left", "")),
        )  # fmt: skip
    return table


def _text(rule: dict[str, Any]) -> str:
    """A rule as `add` takes it."""
    fields = {**rule}
    kind = fields.pop("kind")
    return " ".join([kind, *(f"{name}={value}" for name, value in fields.items())])


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name or not value or name == "kind":
        raise CommandError(
            f"{text!r} is not NAME=VALUE, such as account=1", ExitStatus.USAGE, "USAGE", "fields"
        )
    return name, value


def _refusal(error: FaultRefused) -> CommandError:
    return CommandError(error.text, ExitStatus.REFUSED, error.code, error.field)
