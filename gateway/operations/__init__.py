"""Metrics, probes and readiness."""
