"""A TLS relay in front of an exchange, for a client that opens no stream without TLS."""

import asyncio
import contextlib
import ssl
import threading
from pathlib import Path
from typing import Final, Self

from tests.worlds.certificates import certificate

CHUNK: Final = 65_536


class TlsRelay:
    """Accepts TLS at a free port of loopback, and passes every byte to and from `host`."""

    def __init__(self, host: str, folder: Path) -> None:
        self.certificate, key = certificate(folder)
        self._to = host.split(":")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.host = ""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        start = asyncio.start_server(self._relay, "127.0.0.1", 0, ssl=self._context)
        server = self._loop.run_until_complete(start)
        self.host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection(*self._to)
            await asyncio.gather(_pass(reader, there_writer), _pass(there_reader, writer))
        writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()
