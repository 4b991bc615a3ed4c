"""Attacks that were measured, each as a bounded test in a file of its name."""
