"""Tests of the market data of the Binance-spot face."""
