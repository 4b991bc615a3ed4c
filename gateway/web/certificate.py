"""The certificate of HTTPS, read again when its files change."""

import asyncio
import ssl
from pathlib import Path
from typing import Final

from crossbook.common.errors import ConfigError
from crossbook.common.process.log import logger
from crossbook.common.process.tls import load_certificate, server_context

LOOK_S: Final = 30.0
"""Seconds between two looks at the files."""


class Certificate:
    """A server's context, with the certificate that its files hold; raises `ConfigError` where they
    hold none at first. Later, files that cannot be used are logged, and the last one that could
    stays."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self.context: ssl.SSLContext = server_context(certificate, key)
        self._written = self._times()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look at the files from now on."""
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self.look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def look(self) -> None:
        """Have later connections use the certificate that the files hold now, if they changed."""
        self.start()
        written = self._times()
        if written == self._written:
            return
        self._written = written
        try:
            # In a context of its own first: half of a new pair must not reach a connection.
            server_context(*self._files)
            load_certificate(self.context, *self._files)
        except ConfigError as error:
            logger().error("certificate_refused", reason=str(error))
            return
        logger().info("certificate_renewed", file=str(self._files[0]))

    def _times(self) -> list[int]:
        """When the files were written; zero for one that is away."""
        return [path.stat().st_mtime_ns if path.exists() else 0 for path in self._files]
