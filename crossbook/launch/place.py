"""Where temporary exchanges are: the paths of their sockets have a limit."""

import os
import tempfile
from pathlib import Path
from typing import Final

from crossbook.common.process.address import IPC_PATH_MAX

_LONGEST: Final = "/crossbook-12345678/shard-63/commands.sock"
"""Below the folder, of the sockets in a data directory."""

_SHORT: Final = Path("/tmp")


def temporary_folder() -> str:
    """The system's folder for temporary files, or `/tmp` where sockets in that one would have paths
    longer than a system allows."""
    found = tempfile.gettempdir()
    if len(os.fsencode(found + _LONGEST)) > IPC_PATH_MAX and os.access(_SHORT, os.W_OK | os.X_OK):
        return str(_SHORT)
    return found
