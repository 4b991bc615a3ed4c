"""Tests of `crossbook.gateway.binance`."""
