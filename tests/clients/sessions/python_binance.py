"""A session with python-binance, synchronous."""

import asyncio

from tests.clients.sessions import stepwise
from tests.clients.sessions.binance_steps import BinanceSteps

if __name__ == "__main__":
    names = stepwise.run_lines("python-binance", "Synchronous", stepwise.arguments())
    asyncio.run(stepwise.serve_async(BinanceSteps(names["client"])))
