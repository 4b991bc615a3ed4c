"""Tests of `crossbook.gateway.history`."""
