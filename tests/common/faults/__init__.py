"""Tests of `crossbook.common.faults`."""
