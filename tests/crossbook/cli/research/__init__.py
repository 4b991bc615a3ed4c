"""Tests of `crossbook.cli.research`."""
