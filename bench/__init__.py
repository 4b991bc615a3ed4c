"""Measurements: one script per question, each printing its own method and machine."""
