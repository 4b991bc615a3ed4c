"""Snapshots, recovery, and the programs that read a data directory."""
