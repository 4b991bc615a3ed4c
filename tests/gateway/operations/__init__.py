"""Tests of `crossbook.gateway.operations`."""
