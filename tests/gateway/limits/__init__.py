"""Tests of `crossbook.gateway.limits`."""
