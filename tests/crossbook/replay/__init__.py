"""Tests of `crossbook.replay`."""
