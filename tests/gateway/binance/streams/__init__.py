"""Tests of `crossbook.gateway.binance.streams`."""
