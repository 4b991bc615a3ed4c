"""Tests of `crossbook.client.market`."""
