"""Faults on request: the rules, and the table in which a process keeps and counts them."""
