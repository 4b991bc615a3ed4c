"""Tests of `crossbook.gateway.orders`."""
