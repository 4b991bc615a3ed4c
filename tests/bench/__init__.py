"""The measurements measured: schedules, histograms, workloads, and one short real run."""
