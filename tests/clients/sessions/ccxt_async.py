"""A session with ccxt, asynchronous."""

import asyncio
from argparse import Namespace

from tests.clients.sessions import stepwise
from tests.clients.sessions.ccxt_steps import CcxtSteps


async def main(given: Namespace) -> None:
    """Do steps until the harness ends."""
    exchange = stepwise.run_lines("ccxt", "Asynchronous", given)["exchange"]
    try:
        await stepwise.serve_async(CcxtSteps(exchange))
    finally:
        await exchange.close()


if __name__ == "__main__":
    asyncio.run(main(stepwise.arguments()))
