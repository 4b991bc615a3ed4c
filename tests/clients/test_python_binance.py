"""python-binance, synchronous and asynchronous."""

from typing import Final

from tests.clients.journey import RequestJourney
from tests.clients.refusals import errors_with

ERRORS: Final = errors_with("BinanceAPIException", "(code={}): ")


class TestPythonBinance(RequestJourney):
    CLIENT = "python-binance"
    SCRIPT = "python_binance"
    ERRORS = ERRORS


class TestPythonBinanceAsync(RequestJourney):
    CLIENT = "python-binance"
    SCRIPT = "python_binance_async"
    ERRORS = ERRORS
