"""Tests of `crossbook.gateway.binance.ws_api`."""
