"""Tests of `crossbook.publisher.faults`."""
