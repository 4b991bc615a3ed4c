"""The public conformance suite for matching engines, run against ours over its stdio protocol."""
