"""Tests of `crossbook.research`."""
