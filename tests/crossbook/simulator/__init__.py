"""Tests of `crossbook.simulator`."""
