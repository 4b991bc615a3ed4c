"""Tests of `crossbook.gateway.web`."""
