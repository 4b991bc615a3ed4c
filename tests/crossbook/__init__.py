"""Tests of the `crossbook` package."""
