"""Tests of `crossbook.matcher.recovery`."""
