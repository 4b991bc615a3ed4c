"""The command `crossbook`, without the imports of commands that are not used."""

import os
import sys

from crossbook.cli.terminal import INTERRUPTED


def main() -> None:
    """Run the command line and exit with its status."""
    try:
        _run()
    except KeyboardInterrupt:
        # During the imports: a command that has begun ends by itself.
        sys.exit(INTERRUPTED)


def _run() -> None:
    if sys.argv[1:2] == ["run"]:
        # An exchange takes orders before the other commands would be imported, and its processes
        # are imported beside this one.
        from crossbook.launch.starter import Starter

        starter = Starter(os.environ)
        if "--help" not in sys.argv:
            starter.warm()
        from crossbook.cli.console import application
        from crossbook.cli.run import run

        app = application()
        app.command()(run)
        app(obj=starter)
    else:
        from crossbook.cli.main import main as run_any

        run_any()
