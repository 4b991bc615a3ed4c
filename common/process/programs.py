"""Modules that other programs start by name, as `python -m NAME`.

No import would fail where such a module has moved, so every starter takes the name from here, and
a test finds each module.
"""

from collections.abc import Mapping
from typing import Final

MODULES: Final[Mapping[str, str]] = {
    "matcher": "crossbook.matcher",
    "publisher": "crossbook.publisher",
    "gateway": "crossbook.gateway",
    "recorder": "crossbook.recorder",
}
"""Process of an exchange -> module that runs it."""

COMMAND_LINE: Final = "crossbook"
FORK_SERVER: Final = "crossbook.launch.fork_server"
VERIFY: Final = "crossbook.matcher.recovery.verify"
PRINT: Final = "crossbook.matcher.recovery.dump"
BACKUP: Final = "crossbook.matcher.recovery.backup"
RERUN: Final = "crossbook.matcher.recovery.rerun"
