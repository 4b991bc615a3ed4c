"""Tests of `crossbook.cli`."""
