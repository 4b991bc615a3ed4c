"""Tests of `crossbook.gateway.streams`."""
