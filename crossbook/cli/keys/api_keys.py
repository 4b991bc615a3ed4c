"""`crossbook keys`: the API keys of an exchange, over the socket of the matcher of shard 0."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from crossbook.cli.admin_shards import admin_shards
from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.keys import curve
from crossbook.cli.options import (
    DEFAULT_TIMEOUT_S,
    AdminOption,
    JsonOption,
    TimeoutOption,
    word_option,
)
from crossbook.client.admin_client import AdminClient
from crossbook.client.key_admin import NEVER, NewKey
from crossbook.common.keys import Key, KeyScheme, Scope, key_facts, parse_scopes
from crossbook.common.process.private import private_file
from crossbook.common.types import MAX_ACCOUNT

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="API keys, each act of which is journaled, and key files of ZeroMQ's CURVE.",
)

_HMAC: Final = KeyScheme.HMAC_SHA256.name.lower()

KeyArgument = Annotated[
    str, typer.Argument(metavar="KEY", show_default=False, help="Id of the key.")
]
PublicOption = Annotated[
    str | None,
    typer.Option(
        "--public", metavar="FILE|TEXT", show_default=False,
        help="A public key that the owner made: PEM, its file, or hexadecimal digits.",
    ),
]  # fmt: skip
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file", metavar="FILE", show_default=False,
        help="Write key id and secret into this new file (mode 0600, JSON) and print no secret.",
    ),
]  # fmt: skip
ActsForOption = Annotated[
    int | None,
    typer.Option(
        "--account", "-a", metavar="ACCOUNT", min=1, max=MAX_ACCOUNT, show_default=False,
        help="The account that the key acts for; a key of scope admin alone has none.",
    ),
]  # fmt: skip
ScopesOption = Annotated[
    str, typer.Option("--scopes", metavar="SCOPES", help="Of read, trade, admin, with commas.")
]
SchemeOption = Annotated[str, word_option("--scheme", KeyScheme, "How the owner signs.")]
IdOption = Annotated[
    str | None,
    typer.Option(
        "--id", metavar="KEY", show_default=False,
        help="Id of the key: 1 to 32 letters, digits, - and _; random by default.",
    ),
]  # fmt: skip
LabelOption = Annotated[
    str, typer.Option("--label", metavar="TEXT", show_default=False, help="A note.")
]
AddressOption = Annotated[
    list[str] | None,
    typer.Option(
        "--address", metavar="NETWORK", show_default=False,
        help="An IP address or network that the key may be used from; may be repeated.",
    ),
]  # fmt: skip
ExpiresOption = Annotated[
    str | None,
    typer.Option(
        "--expires", metavar="TIME", show_default=False,
        help="A duration from now, such as 90d, or a time, such as 2030-01-01.",
    ),
]  # fmt: skip


@app.command()
def create(
    account: ActsForOption = None,
    scopes: ScopesOption = "read,trade",
    scheme: SchemeOption = _HMAC,
    public: PublicOption = None,
    key_id: IdOption = None,
    label: LabelOption = "",
    address: AddressOption = None,
    expires: ExpiresOption = None,
    key_file: KeyFileOption = None,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Create a key, and print its secret: it is shown this once.

    Without --public the secret, or the pair of a public scheme, is made on this machine; of a pair
    only the public key is sent.

    \b
    Examples:
      crossbook keys create --account 7
      crossbook keys create -a 7 --scopes read --address 192.0.2.0/24 --expires 90d --label screen
      crossbook keys create -a 7 --scheme ed25519 --public alice.pem
      crossbook keys create --scopes admin --id ops --key-file ops.json
    """
    with _words():
        wanted = parse_scopes(each.strip() for each in scopes.split(","))
        if account is None and wanted != Scope.ADMIN:
            text = f"a key of scope {scopes} needs --account"
            raise CommandError(text, ExitStatus.USAGE, "USAGE", "account")
        with _key_file(key_file) as file, _matcher(admin, timeout) as client:
            made = client.api_keys.create(
                account or 0,
                scopes=wanted,
                scheme=KeyScheme[scheme.upper()],
                public=public,
                key_id=key_id,
                label=label,
                addresses=address or (),
                expires=expires,
            )
            _print_new(made, file, Output(as_json), "created")


@app.command("list")
def list_keys(
    account: Annotated[
        int | None,
        typer.Option(
            "--account",
            "-a",
            metavar="ACCOUNT",
            min=0,
            max=MAX_ACCOUNT,
            show_default=False,
            help="Keys of this account only; 0: those without an account.",
        ),
    ] = None,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """List keys, without secrets.

    \b
    Examples:
      crossbook keys list
      crossbook keys list --account 7 --json
    """
    with _matcher(admin, timeout) as client:
        keys = [key for key in client.list_keys() if account in (None, key.account)]
        now_ns = client.view().time_ns
    output = Output(as_json)
    table = Table(box=None, pad_edge=False)
    for name in ("key", "account", "scopes", "scheme", "state", "expires", "addresses", "label"):
        table.add_column(name)
    facts = []
    for key in keys:
        one = {**key_facts(key), "state": _state(key, now_ns)}
        facts.append(one)
        table.add_row(
            key.key_id, str(key.account or ""), one["scopes"], one["scheme"], one["state"],
            one["expires"] or "", " ".join(key.addresses), key.label,
        )  # fmt: skip
    output.result({"keys": facts}, table if keys else "there are no keys")


@app.command()
def disable(
    key_id: KeyArgument,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Let a key no longer be used. Orders of its account stay.

    \b
    Examples:
      crossbook keys disable alice-1
    """
    with _matcher(admin, timeout) as client:
        key = client.api_keys.disable(key_id)
    Output(as_json).result(key_facts(key), f"key {key_id} is disabled")


@app.command()
def enable(
    key_id: KeyArgument,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Let a disabled key be used again.

    \b
    Examples:
      crossbook keys enable alice-1
    """
    with _matcher(admin, timeout) as client:
        key = client.api_keys.enable(key_id)
    Output(as_json).result(key_facts(key), f"key {key_id} is enabled")


@app.command()
def rotate(
    key_id: KeyArgument,
    overlap: Annotated[
        str,
        typer.Option(
            "--overlap", metavar="DURATION", help="How long the present secret counts too."
        ),
    ] = "0s",
    public: PublicOption = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="TIME",
            show_default=False,
            help=f"A new expiry, or {NEVER}; without it the expiry stays.",
        ),
    ] = None,
    key_file: KeyFileOption = None,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Give a key a new secret or pair under the same id, and print the secret this once.

    \b
    Examples:
      crossbook keys rotate alice-1
      crossbook keys rotate alice-1 --overlap 1d --expires 90d
    """
    with _words(), _key_file(key_file) as file, _matcher(admin, timeout) as client:
        made = client.api_keys.rotate(key_id, overlap=overlap, public=public, expires=expires)
        _print_new(made, file, Output(as_json), "rotated")


@app.command()
def delete(
    key_id: KeyArgument,
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Remove a key. Its account, orders and money stay.

    \b
    Examples:
      crossbook keys delete alice-1
    """
    with _matcher(admin, timeout) as client:
        client.api_keys.delete(key_id)
    Output(as_json).result({"key_id": key_id}, f"key {key_id} is deleted")


app.command("curve-server")(curve.curve_server)
app.command("curve-client")(curve.curve_client)


@contextmanager
def _matcher(admin: str | None, timeout: float) -> Iterator[AdminClient]:
    """The client of the matcher of shard 0, which has the keys."""
    with admin_shards(admin, timeout) as shards:
        yield shards.clients[0]


@contextmanager
def _words() -> Iterator[None]:
    """Report an argument that is wrong as wrong usage."""
    try:
        yield
    except ValueError as error:
        raise CommandError(str(error), ExitStatus.USAGE, "USAGE") from error


@contextmanager
def _key_file(path: Path | None) -> Iterator[int | None]:
    """A new file for a secret, open before the key is made; removed where it is not made."""
    if path is None:
        yield None
        return
    try:
        file = private_file(path, os.O_WRONLY | os.O_EXCL)
    except OSError as error:
        text = f"{path}: {error.strerror}"
        raise CommandError(text, ExitStatus.USAGE, "USAGE", "key_file") from error
    try:
        yield file
    except BaseException:
        path.unlink()
        raise
    finally:
        os.close(file)


def _print_new(made: NewKey, file: int | None, output: Output, done: str) -> None:
    facts: dict[str, Any] = key_facts(made.key)
    text = f"key {made.key.key_id} {done}"
    if made.secret and file is not None:
        held = {"key_id": made.key.key_id, "secret": made.secret}
        os.write(file, msgspec.json.encode(held) + b"\n")
        os.fsync(file)
    elif made.secret:
        facts["secret"] = made.secret
        text += f"; its secret is shown this once:\n{made.secret}"
    output.result(facts, text)


def _state(key: Key, now_ns: int) -> str:
    if not key.enabled:
        return "disabled"
    return "expired" if 0 < key.expires_ns <= now_ns else "enabled"
