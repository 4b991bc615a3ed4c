"""`crossbook keys curve-server` and `curve-client`: key files for ZeroMQ's CURVE."""

from pathlib import Path
from typing import Annotated

import typer

from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.options import JsonOption
from crossbook.common.process.config import load_settings
from crossbook.common.process.curve import (
    KeyFile,
    make_exchange_key,
    new_pair,
    parse_public,
    read_key_file,
    write_key_file,
)


def curve_server(as_json: JsonOption = False) -> None:
    """Make the key pair of the exchange in CURVE_KEY_FILE; or, where it exists, show its public
    key.

    Every process of the exchange needs the file, and clients the public key. Keep the file secret:
    whoever has it may act for every account.

    \b
    Examples:
      crossbook keys curve-server
      CURVE_KEY_FILE=/etc/crossbook/curve.key crossbook keys curve-server
    """
    path = load_settings("client").key_file()
    is_new = make_exchange_key(path)
    public = read_key_file(path, "CURVE_KEY_FILE").pair.public.hex()
    facts = {"file": str(path), "public": public, "made": is_new}
    made = "made" if is_new else "exists"
    Output(as_json).result(facts, f"{path} {made}; the public key of the exchange:\n{public}")


def curve_client(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", show_default=False, help="The new key file.")
    ],
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            metavar="KEY",
            show_default=False,
            help="The public key of the exchange; by default that of CURVE_KEY_FILE.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make the key file of a client.

    The client keeps the file, and an administrator enters the public key that is printed with
    `crossbook keys create --scheme curve --public KEY`. The secret never leaves the client.

    \b
    Examples:
      crossbook keys curve-client alice.key
      CLIENT_KEY_FILE=alice.key ACCOUNT=7 crossbook orders
    """
    pair = new_pair()
    write_key_file(path, KeyFile(pair, _server(server)), "Key pair of a client. Keep it secret.")
    public = pair.public.hex()
    text = f"{path} made; the public key of this client:\n{public}"
    Output(as_json).result({"file": str(path), "public": public}, text)


def _server(given: str | None) -> bytes:
    if given is None:
        return read_key_file(load_settings("client").key_file(), "CURVE_KEY_FILE").pair.public
    try:
        return parse_public(given)
    except ValueError as error:
        raise CommandError(str(error), ExitStatus.USAGE, "USAGE", "--server") from error
