"""Tests of `crossbook.gateway.binance.user`."""
