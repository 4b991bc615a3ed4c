"""Tests of `crossbook.matcher.engine`."""
