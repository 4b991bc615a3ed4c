"""A followed book, by every client."""

import pytest

from tests.clients.book_journey import BookJourney


class TestCcxtPro(BookJourney):
    CLIENT = "ccxt"
    SCRIPT = "ccxt_pro"


class TestCcxtProOfNode(BookJourney):
    CLIENT = "npm"
    SCRIPT = "ccxt_pro.js"


class TestPythonBinance(BookJourney):
    CLIENT = "python-binance"
    SCRIPT = "python_binance_async"


class TestBinanceConnector(BookJourney):
    CLIENT = "binance-connector"
    SCRIPT = "binance_connector"


class TestBinanceSdkSpot(BookJourney):
    CLIENT = "binance-sdk-spot"
    SCRIPT = "binance_sdk_spot"


class TestBinanceApiNode(BookJourney):
    CLIENT = "npm"
    SCRIPT = "binance_api_node.js"
    GAPS = True


class TestBinance(BookJourney):
    CLIENT = "npm"
    SCRIPT = "binance.js"


@pytest.mark.slow
class TestNodeBinanceApi(BookJourney):
    CLIENT = "npm"
    SCRIPT = "node_binance_api.js"


class TestBinanceSpot(BookJourney):
    CLIENT = "npm"
    SCRIPT = "binance_spot.js"
