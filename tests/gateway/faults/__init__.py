"""Tests of `crossbook.gateway.faults`."""
