"""Tests of `crossbook.gateway.api`."""
