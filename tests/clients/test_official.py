"""The two official Python clients: binance-connector and binance-sdk-spot."""

from tests.clients.journey import RequestJourney
from tests.clients.refusals import errors_with


class TestBinanceConnector(RequestJourney):
    CLIENT = "binance-connector"
    SCRIPT = "binance_connector"
    ERRORS = errors_with("ClientError", "(400, {}, ")
    CORRECTS_CLOCK = False


class TestBinanceSdkSpot(RequestJourney):
    CLIENT = "binance-sdk-spot"
    SCRIPT = "binance_sdk_spot"
    ERRORS = errors_with("BadRequestError", "({}, ")
    CORRECTS_CLOCK = False
