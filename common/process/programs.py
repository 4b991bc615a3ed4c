"""The modules of ours that other programs start by name, as `python -m NAME`.

Nothing imports these modules where they are started: a name that is written down anywhere else
would still read well after its module has moved.
"""

from collections.abc import Mapping
from typing import Final

MODULES: Final[Mapping[str, str]] = {
    "matcher": "crossbook.matcher",
    "publisher": "crossbook.publisher",
    "gateway": "crossbook.gateway",
    "recorder": "crossbook.recorder",
}
"""The process of an exchange -> the module that runs it."""

COMMAND_LINE: Final = "crossbook"
VERIFY: Final = "crossbook.matcher.recovery.verify"
PRINT: Final = "crossbook.matcher.recovery.dump"
BACKUP: Final = "crossbook.matcher.recovery.backup"
