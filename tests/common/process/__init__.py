"""Tests of `crossbook.common.process`."""
