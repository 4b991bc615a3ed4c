"""Tests of `crossbook.matcher.faults`."""
