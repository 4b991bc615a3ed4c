"""Tests of `crossbook.matcher.journal`."""
