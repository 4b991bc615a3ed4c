"""A session with ccxt, synchronous."""

import asyncio

from tests.clients.sessions import stepwise
from tests.clients.sessions.ccxt_steps import CcxtSteps

if __name__ == "__main__":
    names = stepwise.run_lines("ccxt", "Synchronous", stepwise.arguments())
    asyncio.run(stepwise.serve_async(CcxtSteps(names["exchange"])))
