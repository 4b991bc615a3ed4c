"""Clients from npm: ccxt, binance-api-node, binance, node-binance-api and @binance/spot."""

import pytest

from tests.clients.journey import RequestJourney
from tests.clients.refusals import errors_with
from tests.clients.test_ccxt import ERRORS

FORM = "code={}: "


class TestCcxtOfNode(RequestJourney):
    CLIENT = "npm"
    SCRIPT = "ccxt_pro.js"
    ERRORS = ERRORS


class TestBinanceApiNode(RequestJourney):
    CLIENT = "npm"
    SCRIPT = "binance_api_node.js"
    ERRORS = errors_with("Error", FORM)


class TestBinance(RequestJourney):
    CLIENT = "npm"
    SCRIPT = "binance.js"
    ERRORS = errors_with("Object", FORM)


@pytest.mark.slow
class TestNodeBinanceApi(RequestJourney):
    CLIENT = "npm"
    SCRIPT = "node_binance_api.js"
    ERRORS = errors_with("Error", '"code":{},')
    REPLACES = False


class TestBinanceSpot(RequestJourney):
    CLIENT = "npm"
    SCRIPT = "binance_spot.js"
    ERRORS = errors_with("BadRequestError", FORM)
    CORRECTS_CLOCK = False
