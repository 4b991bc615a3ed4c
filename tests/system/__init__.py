"""Whole journeys through the real processes."""
