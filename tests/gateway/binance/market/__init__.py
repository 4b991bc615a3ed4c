"""Tests of `crossbook.gateway.binance.market`."""
