"""Tests of the benches: schedules, histograms, workloads, and one short real run."""
