"""Runs a bot, and has the exchange cancel its orders when the bot or this program is gone.

    python examples/dead_man_switch.py --account 7 --timeout 3 -- python my_bot.py

While the bot runs, the exchange's timer is renewed three times in its time. When the bot ends,
however it does, all open orders of the account are canceled. When this program or its machine
dies, the timer runs out, and the exchange cancels them.
"""

import argparse
import signal
import subprocess

from crossbook import Client, CrossbookError


def watch(client: Client, bot: "subprocess.Popen[bytes]", timeout_s: float) -> None:
    """Renew the timer until the bot ends."""
    while True:
        try:
            client.cancel_after(timeout_s)
        except CrossbookError as error:
            # The exchange still has the last timer; the next renewal may reach it.
            print(f"not renewed: {error}")
        try:
            bot.wait(timeout_s / 3)
        except subprocess.TimeoutExpired:
            continue
        return


def run(options: argparse.Namespace) -> int:
    """Run the bot to its end; its exit status."""
    with Client(account=options.account, timeout_s=options.timeout) as client:
        # The timer runs before the bot can enter its first order.
        client.cancel_after(options.timeout)
        bot = subprocess.Popen(options.command)
        # Ctrl-C reaches the bot as well, which ends in its own way.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: bot.terminate())
        watch(client, bot, options.timeout)
        ack = client.mass_cancel()
        client.cancel_after(0)
        print(f"the bot ended with status {bot.returncode}: {ack.count} orders canceled")
        return bot.returncode


def main() -> None:
    """Read the options and run the bot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--account", type=int, help="setting ACCOUNT, 1 by default")
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds (5)")
    parser.add_argument("command", nargs="+", help="the bot, behind --")
    raise SystemExit(run(parser.parse_args()))


if __name__ == "__main__":
    main()
