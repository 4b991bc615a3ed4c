"""`crossbook binance-keys`: the lines that point a client written for Binance spot at an exchange.

They are those of docs/guide/binance, which the tests of real clients run, with the address and the
key replaced.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from msgspec import Struct

from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.options import AccountOption, JsonOption, client_settings
from crossbook.common.process.config import Settings

PAGES: Final = Path(__file__).resolve().with_name("binance_pages")
HOST: Final = "127.0.0.1:8000"
KEY: Final = "demo-1"
SECRET: Final = "demo-secret-1"
"""Address, key and secret in the lines of the pages."""

PLACEHOLDER: Final = "YOUR-SECRET"
"""In place of a secret: it is never given on a command line."""

_BLOCK: Final = re.compile(r"^(?:## ([^\n]+)|```(python|javascript|json)\n(.*?)^```)$", re.M | re.S)
"""A heading, or the language and the lines of a block."""


class Snippet(Struct, frozen=True):
    """The lines below one heading of a client's page."""

    client: str
    heading: str
    language: str
    lines: str


def clients() -> list[str]:
    """The clients that have a page."""
    return sorted(path.stem for path in PAGES.glob("*.md") if path.stem != "index")


def snippets(client: str, url: str, key: str, secret: str) -> Iterator[Snippet]:
    """The lines of a client's page, for an exchange at this address (`http://HOST:PORT`)."""
    scheme, _, host = url.partition("://")
    tls = "s" if scheme == "https" else ""
    heading = ""
    for found, language, lines in _BLOCK.findall((PAGES / f"{client}.md").read_text()):
        heading = found or heading
        if not language:
            continue
        moved = re.sub(rf"\b(http|ws)://{re.escape(HOST)}", rf"\g<1>{tls}://{host}", lines)
        named = re.sub(rf"\b{SECRET}\b", secret, moved)
        yield Snippet(client, heading, language, re.sub(rf"\b{KEY}\b", key, named))


def binance_keys(
    client: Annotated[
        str | None, typer.Argument(show_default=False, help="The client; without one, the list.")
    ] = None,
    account: AccountOption = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            show_default=False,
            help="The API key to name, where the exchange has AUTH=on; its secret is left out.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the lines that point a client written for Binance spot at this exchange.

    With AUTH=off they have the demo key of the account. docs/guide/binance has a page a client.

    \b
    Examples:
      crossbook binance-keys
      crossbook binance-keys ccxt
      crossbook binance-keys python-binance --account 7
    """
    output = Output(as_json)
    names = clients()
    if client is None:
        for name in names:
            output.result({"client": name}, name)
        return
    if client not in names:
        text = f"client={client}: there is no page of it; there are {', '.join(names)}"
        raise CommandError(text, ExitStatus.USAGE, "USAGE", "client")
    settings = client_settings()
    for each in snippets(client, url_of(settings), *key_of(settings, account, key)):
        facts = {
            "client": each.client,
            "heading": each.heading,
            "language": each.language,
            "lines": each.lines,
        }
        mark = "//" if each.language == "javascript" else "#"
        output.result(facts, f"{mark} {each.heading}\n{each.lines}")


def url_of(settings: Settings) -> str:
    """The address of the gateway's HTTP in the settings."""
    host = f"[{settings.api_host}]" if ":" in settings.api_host else settings.api_host
    scheme = "https" if settings.tls() is not None else "http"
    return f"{scheme}://{host}:{settings.api_port}"


def key_of(settings: Settings, account: int | None, key: str | None) -> tuple[str, str]:
    """The key to name, and its secret: those of the demo, or a placeholder."""
    if key is not None:
        return key, PLACEHOLDER
    if settings.auth == "on":
        text = "the exchange has AUTH=on: name a key with --key (crossbook keys create)"
        raise CommandError(text, ExitStatus.USAGE, "USAGE", "key")
    number = account or settings.account
    return f"demo-{number}", f"demo-secret-{number}"
